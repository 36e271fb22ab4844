-- name: ping
-- Whether anybody answers.
SELECT 1
