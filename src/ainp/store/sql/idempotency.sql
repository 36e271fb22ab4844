-- name: claim
-- Take a key; waits for whoever holds it in an open transaction, and returns nothing if it was used.
INSERT INTO idempotency_keys AS i (actor, method, path, key, body_hash) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (actor, method, path, key) DO UPDATE
   SET body_hash = excluded.body_hash, status = NULL, response = NULL, created_at = now()
 WHERE i.created_at < now() - interval '24 hours'
RETURNING key

-- name: get
SELECT body_hash, status, response FROM idempotency_keys WHERE actor = $1 AND method = $2 AND path = $3 AND key = $4

-- name: used
-- Whether a key has an answer that still counts; waits for nobody.
SELECT true FROM idempotency_keys
 WHERE actor = $1 AND method = $2 AND path = $3 AND key = $4 AND created_at >= now() - interval '24 hours'

-- name: keep
UPDATE idempotency_keys SET status = $5, response = $6 WHERE actor = $1 AND method = $2 AND path = $3 AND key = $4

-- name: forget
-- Drop a batch of keys that are older than a day.
DELETE FROM idempotency_keys
 WHERE ctid = ANY (ARRAY(SELECT ctid FROM idempotency_keys WHERE created_at < now() - interval '24 hours' LIMIT 1000))
