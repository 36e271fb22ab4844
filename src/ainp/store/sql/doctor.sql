-- What a doctor asks once in a while. Receipts of cohorts, which have epochs below 0, are left out everywhere.

-- name: server
-- The server's version and clock, whether this connection is encrypted, and until when the role's password is good.
SELECT current_setting('server_version_num')::int / 10000 AS version, clock_timestamp() AS now,
       coalesce((SELECT s.ssl FROM pg_stat_ssl s WHERE s.pid = pg_backend_pid()), false) AS encrypted,
       (SELECT r.rolvaliduntil FROM pg_roles r
         WHERE r.rolname = current_user AND isfinite(r.rolvaliduntil)) AS valid_until

-- name: traffic
-- The last hour: what was settled (of negotiations that were begun after $1), said, decided and observed.
SELECT s.settled, s.with_receipt, r.opened, r.counting, r.observed, f.finalized, f.needed, f.passed, t.due, t.in_time,
       (SELECT count(*) FROM task_attestations a JOIN task_receipts r ON r.id = a.task_id
         WHERE a.created_at >= now() - interval '1 hour' AND coalesce(r.epoch_id, 0) >= 0) AS attested,
       (SELECT count(*) FROM agent_reputation p JOIN agents a ON a.id = p.agent_id
         WHERE p.updated_at >= now() - interval '1 hour' AND a.cohort IS NULL) AS agents
  FROM (SELECT count(*) AS settled, count(r.id) AS with_receipt
          FROM negotiations n LEFT JOIN task_receipts r ON r.negotiation_id = n.id
         WHERE n.id >= $1 AND n.state = 'settled' AND n.closed_at >= now() - interval '1 hour'
           AND coalesce(r.epoch_id, 0) >= 0) s,
       (SELECT count(*) AS opened, count(*) FILTER (WHERE r.counts) AS counting,
               count(*) FILTER (WHERE r.counts AND EXISTS (SELECT FROM reputation_observations o
                                                            WHERE o.task_id = r.id)) AS observed
          FROM task_receipts r
         WHERE r.created_at >= now() - interval '1 hour' AND coalesce(r.epoch_id, 0) >= 0) r,
       (SELECT count(*) AS finalized, coalesce(sum(r.k), 0) AS needed,
               coalesce(sum((SELECT count(*) FROM task_attestations a
                              WHERE a.task_id = r.id AND a.type IN ('AUDIT_PASS', 'ACCEPTED'))), 0) AS passed
          FROM task_receipts r
         WHERE r.status = 'finalized' AND r.finalized_at >= now() - interval '1 hour'
           AND coalesce(r.epoch_id, 0) >= 0) f,
       (SELECT count(*) AS due,
               count(*) FILTER (WHERE r.finalized_at <= r.created_at + interval '10 minutes') AS in_time
          FROM task_receipts r
         WHERE r.created_at >= now() - interval '70 minutes' AND r.created_at < now() - interval '10 minutes'
           AND coalesce(r.epoch_id, 0) >= 0) t

-- name: standing
-- What alerts watch, by the names that they have for it.
SELECT p.stuck AS receipts_stuck, o.overdue AS receipts_overdue, p.unseated AS receipts_without_committee,
       (SELECT count(*) FROM task_receipts r
         WHERE r.created_at >= now() - interval '1 hour' AND r.counts AND coalesce(r.epoch_id, 0) >= 0
           AND NOT EXISTS (SELECT FROM reputation_observations o WHERE o.task_id = r.id)) AS receipts_without_reputation,
       (SELECT count(*) FROM job_runs j WHERE j.error IS NOT NULL) AS jobs_failed,
       (SELECT coalesce(sum(balance), 0) FROM accounts) + (SELECT coalesce(sum(amount), 0) FROM ledger_pending)
         AS ledger_sum,
       (SELECT extract(epoch FROM now() - max(m.measured_at)) FROM measurements m
         WHERE m.metric = 'ainp_measured_timestamp_seconds') AS measurements_age_s,
       coalesce((SELECT greatest(extract(epoch FROM now() - b.created_at), 0) FROM outbox b ORDER BY b.id LIMIT 1), 0)
         AS events_waiting_s,
       d.finalized::float8 / nullif(d.decided, 0) AS finalized_share
  FROM (SELECT count(*) FILTER (WHERE r.created_at < now() - interval '1 hour') AS stuck,
               count(*) FILTER (WHERE r.committee = '[]') AS unseated
          FROM task_receipts r WHERE r.status = 'pending' AND coalesce(r.epoch_id, 0) >= 0) p,
       (SELECT count(*) AS overdue FROM task_receipts r
         WHERE r.judged_at IS NULL AND r.window_ends_at < now() - interval '10 minutes'
           AND coalesce(r.epoch_id, 0) >= 0) o,
       (SELECT count(*) FILTER (WHERE r.status = 'finalized') AS finalized, count(*) AS decided
          FROM task_receipts r
         WHERE r.created_at >= now() - interval '1 day' AND r.updated_at >= now() - interval '1 hour'
           AND r.status IN ('finalized', 'failed') AND coalesce(r.epoch_id, 0) >= 0) d
