-- name: agents
-- $1 agents that are registered, with an account each.
WITH registered AS (
  INSERT INTO agents (did, public_key, ttl, expires_at)
  SELECT 'did:key:zUseful' || n, 'key', 86400000, now() + interval '1 day' FROM generate_series(1, $1::int) n
  RETURNING did
)
INSERT INTO ledger_entries (key, from_account, to_account, amount, reason, reference)
SELECT 'welcome:' || did, 'mint', 'available:' || did, 1000, 'welcome_grant', did FROM registered

-- name: receipts
-- A receipt for each of $1 agents, finalized within the hour from $2 on, with fees of 200.
INSERT INTO task_receipts (agent_did, client_did, status, amount_atomic, distribution, finalized_at)
SELECT 'did:key:zUseful' || n, 'did:key:zUseful1', 'finalized', 1000,
       '{"agent": "700", "broker": "100", "pool": "100", "reward": "100"}', $2::timestamptz + interval '1 minute'
  FROM generate_series(1, $1::int) n

-- name: proofs
-- $2 proofs of $1 agents over the last 30 days, of every kind of work; the first of each agent names its receipt.
WITH made AS (
  INSERT INTO usefulness_proofs (id, agent_did, work_type, metrics, trace_id, receipt_id, usefulness_score, created_at)
  SELECT gen_random_uuid(), 'did:key:zUseful' || 1 + n % $1::int,
         (ARRAY['compute', 'memory', 'routing', 'validation', 'learning'])[1 + n % 7 % 5], '{"compute_ms": 5000}', n,
         r.id, 10 + n % 90, now() - random() * interval '29 days'
    FROM generate_series(0, $2::int - 1) n
    LEFT JOIN task_receipts r ON n < $1::int AND r.agent_did = 'did:key:zUseful' || 1 + n % $1::int
  RETURNING agent_did, created_at
)
INSERT INTO usefulness_totals (agent_did, proofs, last_proof_at)
SELECT agent_did, count(*), max(created_at) FROM made GROUP BY agent_did
