-- name: clock
-- The time of what is not read with a row.
SELECT now()
