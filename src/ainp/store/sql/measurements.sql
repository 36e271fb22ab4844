-- name: measure
-- What takes as long as the tables are large, and so is not done while somebody waits: all accounts are added up, all
-- pending receipts counted. One statement sees one moment, so the sum is that of the ledger at that moment. Receipts of
-- cohorts, which have epochs below 0, are nobody's trouble.
INSERT INTO measurements AS m (metric, value)
SELECT 'ainp_ledger_sum_atomic_units',
       (SELECT coalesce(sum(balance), 0) FROM accounts) + (SELECT coalesce(sum(amount), 0) FROM ledger_pending)
 UNION ALL
SELECT 'ainp_ledger_pending_rows', count(*) FROM ledger_pending
 UNION ALL
SELECT 'ainp_staked_atomic_units', coalesce(sum(balance), 0) FROM accounts WHERE account LIKE 'staked:%'
 UNION ALL
SELECT p.metric, p.number
  FROM (SELECT count(*) AS pending, count(*) FILTER (WHERE ours AND old) AS stuck,
               count(*) FILTER (WHERE ours AND committee = '[]') AS unseated
          FROM (SELECT committee, coalesce(epoch_id, 0) >= 0 AS ours, created_at < now() - interval '1 hour' AS old
                  FROM task_receipts WHERE status = 'pending') r) c,
       LATERAL (VALUES ('ainp_receipts_pending', c.pending), ('ainp_receipts_stuck', c.stuck),
                       ('ainp_receipts_without_committee', c.unseated)) p (metric, number)
 UNION ALL
SELECT 'ainp_receipts_overdue', count(*) FROM task_receipts
 WHERE judged_at IS NULL AND window_ends_at < now() - interval '10 minutes' AND coalesce(epoch_id, 0) >= 0
 UNION ALL
SELECT 'ainp_receipts_without_reputation', count(*) FROM task_receipts r
 WHERE r.created_at >= now() - interval '1 hour' AND r.counts AND coalesce(r.epoch_id, 0) >= 0
   AND NOT EXISTS (SELECT FROM reputation_observations o WHERE o.task_id = r.id)
 UNION ALL
SELECT 'ainp_measured_timestamp_seconds', extract(epoch FROM now())
ON CONFLICT (metric, label) DO UPDATE SET value = excluded.value, measured_at = excluded.measured_at

-- name: job_succeeded
INSERT INTO measurements AS m (metric, label, value)
VALUES ('ainp_job_last_success_timestamp_seconds', $1, extract(epoch FROM clock_timestamp()))
ON CONFLICT (metric, label) DO UPDATE SET value = excluded.value, measured_at = excluded.measured_at

-- name: read
-- What was measured, and what can be asked at once: how much waits to be published is counted up to a limit, as a
-- publisher that is away must not make it dearer to be noticed.
SELECT metric, label, value FROM measurements
 UNION ALL
SELECT 'ainp_outbox_rows', '', count(*) FROM (SELECT id FROM outbox ORDER BY id LIMIT 10001) waiting
 UNION ALL
SELECT 'ainp_outbox_oldest_age_seconds', '',
       coalesce((SELECT greatest(extract(epoch FROM now() - created_at), 0) FROM outbox ORDER BY id LIMIT 1), 0)
 UNION ALL
SELECT 'ainp_job_last_run_timestamp_seconds', job, extract(epoch FROM started_at) FROM job_runs
