-- name: mark
-- A moment up to which all receipts are there once every transaction below a number has ended. Whoever wrote one by then
-- has a lower number than this transaction, which draws its own after its time was taken; what is dated two seconds or more
-- before it is written lists its seats itself (migration 052).
SELECT now() - interval '2 seconds' AS until, pg_current_xact_id()::text AS before

-- name: hold
-- Keep out those who list seats by themselves (migration 052), unless one of them is not through.
SELECT true FROM seat_listing FOR UPDATE SKIP LOCKED

-- name: extend
-- List the seats of about the next $3 receipts until $1, once all transactions below $2 have ended; how many receipts
-- those were, or null while one is under way. What was never listed has no seats yet, so nothing is there twice.
WITH reached AS MATERIALIZED (
  SELECT s.listed_until AS since,
         least($1, coalesce((SELECT r.created_at FROM task_receipts r
                              WHERE r.created_at > s.listed_until AND r.created_at <= $1
                              ORDER BY r.created_at OFFSET $3 - 1 LIMIT 1), $1)) AS until
    FROM seat_listing s
   WHERE pg_snapshot_xmin(pg_current_snapshot()) >= $2::text::xid8 AND s.listed_until < $1
), found AS MATERIALIZED (
  SELECT r.id, r.created_at, r.committee
    FROM reached, task_receipts r
   WHERE r.created_at > reached.since AND r.created_at <= reached.until
), listed AS (
  INSERT INTO receipt_seats (member, created_at, task_id)
  SELECT DISTINCT substr(sha256(convert_to(said.did, 'UTF8')), 1, 8), found.created_at, found.id
    FROM found, jsonb_array_elements_text(found.committee) said (did)
   ORDER BY 1, 2, 3
), moved AS (
  UPDATE seat_listing s SET listed_until = reached.until FROM reached
)
SELECT (SELECT count(*) FROM found) AS receipts
 WHERE pg_snapshot_xmin(pg_current_snapshot()) >= $2::text::xid8
