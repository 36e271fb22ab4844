-- name: register
-- Upsert an agent and hold its row; says whether the welcome grant of key $4 was booked.
INSERT INTO agents (did, public_key, ttl, expires_at)
VALUES ($1, $2, $3, now() + $3::bigint * interval '1 millisecond')
ON CONFLICT (did) DO UPDATE
   SET ttl = excluded.ttl, expires_at = excluded.expires_at, last_seen_at = now()
RETURNING id, expires_at, EXISTS (SELECT FROM ledger_entries WHERE key = $4) AS granted

-- name: describe
-- Give an agent exactly these capabilities. Runs after `register` in its transaction: what another registration of
-- the same DID has just written is seen here, and replaced.
WITH gone AS (
  DELETE FROM capabilities c WHERE c.agent_id = $1 AND NOT (c.description = ANY ($2::text[]))
)
INSERT INTO capabilities (agent_id, description, tags, version, evidence, latency_ms, cost)
SELECT $1, said.description, ARRAY(SELECT json_array_elements_text(said.tags::json)), said.version, said.evidence,
       said.latency_ms, said.cost
  FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[])
         AS said (description, tags, version, evidence, latency_ms, cost)
ON CONFLICT (agent_id, description) DO UPDATE
   SET tags = excluded.tags, version = excluded.version, evidence = excluded.evidence,
       latency_ms = excluded.latency_ms, cost = excluded.cost

-- name: grant
-- Grant welcome credits once, ever, while the hour's cap lasts. $1 is the grant as ledger entries (none or one), $2
-- the cap in atomic units an hour. Runs after `register` in its transaction, which holds the agent's row: of two
-- registrations of one DID the second sees the first one's grant here, and takes nothing from the hour's budget.
WITH said AS (
  SELECT * FROM json_to_recordset($1::json)
           said (key text, source text, target text, amount bigint, reason text, reference text)
), budget AS (
  INSERT INTO welcome_grants (hour, granted)
  SELECT date_trunc('hour', now()), sum(said.amount)
    FROM said
   WHERE NOT EXISTS (SELECT FROM ledger_entries e WHERE e.key = said.key)
  HAVING sum(said.amount) <= $2::bigint
  ON CONFLICT (hour) DO UPDATE SET granted = welcome_grants.granted + excluded.granted
   WHERE welcome_grants.granted + excluded.granted <= $2::bigint
  RETURNING hour
)
INSERT INTO ledger_entries (key, from_account, to_account, amount, reason, reference)
SELECT said.* FROM budget, said

-- name: get
-- An agent that has not expired, with what it can do.
SELECT a.id, a.did, a.public_key, a.created_at, a.expires_at, a.usefulness_score_cached, a.usefulness_last_updated,
       coalesce((SELECT json_agg(json_build_object('description', c.description, 'tags', c.tags, 'version', c.version,
                                                   'evidence', c.evidence, 'latency_ms', c.latency_ms, 'cost', c.cost)
                                 ORDER BY c.created_at, c.description)
                   FROM capabilities c WHERE c.agent_id = a.id), '[]') AS capabilities,
       now() AS now
  FROM agents a
 WHERE a.did = $1 AND (a.expires_at IS NULL OR a.expires_at > now())

-- name: exists
-- Whether a DID was ever registered.
SELECT EXISTS (SELECT FROM agents WHERE did = $1)

-- name: seen
-- Note that these DIDs are alive; rows written within the last minute are left alone, and so are rows that somebody
-- else is writing: two nodes that saw the same agents never wait for each other.
UPDATE agents SET last_seen_at = now()
 WHERE id IN (SELECT id FROM agents
               WHERE did = ANY ($1::text[]) AND last_seen_at < now() - interval '1 minute'
                 FOR NO KEY UPDATE SKIP LOCKED)
