-- name: claim
-- Take an hour ($1), once ever; nothing if it was paid.
INSERT INTO reward_hours (hour, total, from_pool, recipients) VALUES ($1, 0, 0, 0)
ON CONFLICT (hour) DO NOTHING
RETURNING hour

-- name: close
-- Write down what an hour cost.
UPDATE reward_hours SET total = $2, from_pool = $3, recipients = $4 WHERE hour = $1

-- name: paid
-- What an hour has cost, if it was paid.
SELECT total, from_pool, recipients FROM reward_hours WHERE hour = $1

-- name: last_paid
-- The last hour that was paid.
SELECT hour FROM reward_hours ORDER BY hour DESC LIMIT 1

-- name: one_at_a_time
-- Who pays finds in the pool what nobody else takes out. Its row is not locked for that: it has to be locked after its
-- pending movements and after other accounts, as the ledger's trigger does.
SELECT pg_advisory_xact_lock(hashtext('ainp.rewards'))

-- name: pool
-- What the pool has.
SELECT a.balance + coalesce((SELECT sum(p.amount)::bigint FROM ledger_pending p WHERE p.account = a.account), 0)
  FROM accounts a WHERE a.account = 'pool'

-- name: under_way
-- Whether a transaction that began before $1 has not ended: what it finalizes, it finalizes then.
SELECT EXISTS (SELECT FROM pg_stat_activity
                WHERE datname = current_database() AND backend_type = 'client backend' AND xact_start < $1)

-- name: by_receipts
-- Who has proven work of which a receipt was finalized within the hour from $1 on, and the fees of those receipts.
SELECT a.did, (a.usefulness_score_cached * 100)::int AS score,
       sum(coalesce((r.distribution ->> 'broker')::bigint, 0)
           + coalesce((r.distribution ->> 'pool')::bigint, 0))::bigint AS fees
  FROM task_receipts r
  JOIN usefulness_proofs p ON p.receipt_id = r.id AND p.agent_did = r.agent_did
  JOIN agents a ON a.did = r.agent_did
 WHERE r.status = 'finalized' AND r.finalized_at >= $1 AND r.finalized_at < $1 + interval '1 hour'
   AND a.usefulness_score_cached * 100 >= $2
 GROUP BY a.did, a.usefulness_score_cached
 ORDER BY a.did

-- name: by_score
-- Who has a score of $1 (hundredths) or more.
SELECT a.did, (a.usefulness_score_cached * 100)::int AS score
  FROM agents a
 WHERE a.usefulness_proofs > 0 AND a.usefulness_score_cached * 100 >= $1
 ORDER BY a.did

-- name: means
-- What the scores (hundredths) would be if the proofs of the window $1 were added up now, by the aggregation's formula.
SELECT a.did, (least(100, round(sum(p.usefulness_score) / count(*), 2)) * 100)::int AS score
  FROM usefulness_proofs p JOIN agents a ON a.did = p.agent_did
 WHERE p.created_at > now() - $1::interval
 GROUP BY a.did
