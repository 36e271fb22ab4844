-- name: clock
-- The time of what is not read with a row.
SELECT now()

-- name: arrays
-- What the driver has to look up in each connection before it can read or write arrays, all at once.
SELECT NULL::text[] AS texts, NULL::uuid[] AS uuids, NULL::timestamptz[] AS times, NULL::bigint[] AS numbers
