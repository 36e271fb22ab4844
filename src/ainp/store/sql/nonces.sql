-- name: claim
-- Use nonces ($1: keys, $2: until when they are kept); one that was used breaks the primary key.
INSERT INTO used_nonces (key, until) SELECT * FROM unnest($1::uuid[], $2::timestamptz[])

-- name: give_back
-- Let a nonce be used again.
DELETE FROM used_nonces WHERE key = $1

-- name: forget
-- Drop a batch of nonces that no clock takes any more.
DELETE FROM used_nonces
 WHERE key = ANY (ARRAY(SELECT key FROM used_nonces WHERE until < now() ORDER BY until LIMIT 1000 FOR UPDATE SKIP LOCKED))
