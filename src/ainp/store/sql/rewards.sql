-- name: claim
-- Take an hour ($1), once ever; nothing if it was paid.
INSERT INTO reward_hours (hour, total, from_pool, recipients) VALUES ($1, 0, 0, 0)
ON CONFLICT (hour) DO NOTHING
RETURNING hour

-- name: close
-- Write down what an hour cost.
UPDATE reward_hours SET total = $2, from_pool = $3, recipients = $4 WHERE hour = $1

-- name: paid
-- Whether an hour was paid.
SELECT coalesce((SELECT true FROM reward_hours WHERE hour = $1), false)

-- name: last_paid
-- The last hour that was paid.
SELECT hour FROM reward_hours ORDER BY hour DESC LIMIT 1

-- name: pool
-- What the pool has; held until the transaction ends, so that nobody else spends it.
SELECT a.balance + coalesce((SELECT sum(p.amount)::bigint FROM ledger_pending p WHERE p.account = a.account), 0)
  FROM accounts a WHERE a.account = 'pool' FOR UPDATE

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
-- Who has a score of $2 (hundredths) or more; the hour $1 does not matter.
SELECT a.did, (a.usefulness_score_cached * 100)::int AS score, $1::timestamptz AS hour
  FROM agents a
 WHERE a.usefulness_proofs > 0 AND a.usefulness_score_cached * 100 >= $2
 ORDER BY a.did
