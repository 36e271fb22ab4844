-- name: begin
-- Give a registered agent a stake of nothing where it has none.
INSERT INTO agent_stakes (agent_id) SELECT a.id FROM agents a WHERE a.did = $1
ON CONFLICT (agent_id) DO NOTHING

-- name: lock
-- An agent's stake, held by this transaction. Stakes are locked before reputations, and both before accounts.
SELECT a.did, k.agent_id, k.amount_locked, k.withdrawing, k.locked_until, k.withdrawal, k.slashed_total, now() AS now
  FROM agents a JOIN agent_stakes k ON k.agent_id = a.id
 WHERE a.did = $1
   FOR UPDATE OF k

-- name: available
-- What an agent can spend, held by this transaction; a hot account's pending income counts.
SELECT a.balance + CASE WHEN a.hot THEN coalesce((SELECT sum(p.amount)::bigint FROM ledger_pending p
                                                   WHERE p.account = a.account), 0) ELSE 0 END
  FROM accounts a
 WHERE a.account = 'available:' || $1::text
   FOR UPDATE OF a

-- name: due
-- Withdrawals whose time has come; one that somebody is changing is looked at the next time.
SELECT a.did, k.agent_id, k.amount_locked, k.withdrawing, k.locked_until, k.withdrawal, k.slashed_total, now() AS now
  FROM agent_stakes k JOIN agents a ON a.id = k.agent_id
 WHERE k.withdrawing > 0 AND k.locked_until <= now()
 ORDER BY k.locked_until
 LIMIT $1
   FOR UPDATE OF k SKIP LOCKED

-- name: save
-- Write locked stakes ($1) as they became, with their entries ($2) and events ($3).
WITH saved AS (
  UPDATE agent_stakes k
     SET amount_locked = said.locked, withdrawing = said.withdrawing, locked_until = said.locked_until,
         withdrawal = said.withdrawal, slashed_total = said.slashed, updated_at = now()
    FROM json_to_recordset($1::json)
         said (agent_id uuid, locked bigint, withdrawing bigint, locked_until timestamptz, withdrawal uuid, slashed bigint)
   WHERE k.agent_id = said.agent_id
), posted AS (
  INSERT INTO ledger_entries (key, from_account, to_account, amount, reason, reference)
  SELECT key, source, target, amount, reason, reference
    FROM json_to_recordset($2::json)
         said (key text, source text, target text, amount bigint, reason text, reference text)
)
INSERT INTO outbox (event, recipients, body)
SELECT event, recipients, body
  FROM json_to_recordset($3::json) said (event text, recipients text[], body json)

-- name: get
-- An agent's stake; nothing staked where it never staked, no row for an unknown agent.
SELECT a.did, a.id AS agent_id, coalesce(k.amount_locked, 0) AS amount_locked, coalesce(k.withdrawing, 0) AS withdrawing,
       k.locked_until, k.withdrawal, coalesce(k.slashed_total, 0) AS slashed_total, now() AS now
  FROM agents a LEFT JOIN agent_stakes k ON k.agent_id = a.id
 WHERE a.did = $1

-- name: page
-- Those who have staked or were slashed, by DID.
SELECT a.did, k.agent_id, k.amount_locked, k.withdrawing, k.locked_until, k.withdrawal, k.slashed_total, now() AS now
  FROM agent_stakes k JOIN agents a ON a.id = k.agent_id
 WHERE a.did > $1 AND (k.amount_locked > 0 OR k.slashed_total > 0)
 ORDER BY a.did
 LIMIT $2
