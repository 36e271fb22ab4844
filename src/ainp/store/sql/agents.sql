-- name: register
-- Upsert an agent with exactly these capabilities, and grant it its welcome credits once, ever, while the hour's cap
-- lasts. $8 to $13 is the grant as ledger entries (none or one), $14 the cap in atomic units an hour.
WITH agent AS (
  INSERT INTO agents (did, public_key, ttl, expires_at)
  VALUES ($1, $2, $3, now() + $3::bigint * interval '1 millisecond')
  ON CONFLICT (did) DO UPDATE
     SET ttl = excluded.ttl, expires_at = excluded.expires_at, last_seen_at = now()
  RETURNING id, did, expires_at
), gone AS (
  DELETE FROM capabilities c USING agent
   WHERE c.agent_id = agent.id AND NOT (c.description = ANY ($4::text[]))
), kept AS (
  INSERT INTO capabilities (agent_id, description, tags, version, evidence)
  SELECT agent.id, said.description, ARRAY(SELECT json_array_elements_text(said.tags::json)), said.version, said.evidence
    FROM agent, unnest($4::text[], $5::text[], $6::text[], $7::text[]) AS said (description, tags, version, evidence)
  ON CONFLICT (agent_id, description) DO UPDATE
     SET tags = excluded.tags, version = excluded.version, evidence = excluded.evidence
), budget AS (
  INSERT INTO welcome_grants (hour, granted)
  SELECT date_trunc('hour', now()), sum(said.amount)
    FROM unnest($8::text[], $11::bigint[]) AS said (key, amount)
   WHERE NOT EXISTS (SELECT FROM ledger_entries e WHERE e.key = said.key)
  HAVING sum(said.amount) <= $14::bigint
  ON CONFLICT (hour) DO UPDATE SET granted = welcome_grants.granted + excluded.granted
   WHERE welcome_grants.granted + excluded.granted <= $14::bigint
  RETURNING hour
), granted AS (
  INSERT INTO ledger_entries (key, from_account, to_account, amount, reason, reference)
  SELECT said.*
    FROM budget, unnest($8::text[], $9::text[], $10::text[], $11::bigint[], $12::text[], $13::text[]) AS said
  ON CONFLICT (key) DO NOTHING
)
SELECT id, expires_at FROM agent

-- name: get
-- An agent that has not expired, with what it can do.
SELECT a.id, a.did, a.public_key, a.created_at, a.expires_at, a.usefulness_score_cached, a.usefulness_last_updated,
       coalesce((SELECT json_agg(json_build_object('description', c.description, 'tags', c.tags, 'version', c.version,
                                                   'evidence', c.evidence) ORDER BY c.created_at, c.description)
                   FROM capabilities c WHERE c.agent_id = a.id), '[]') AS capabilities,
       now() AS now
  FROM agents a
 WHERE a.did = $1 AND (a.expires_at IS NULL OR a.expires_at > now())

-- name: exists
-- Whether a DID was ever registered.
SELECT EXISTS (SELECT FROM agents WHERE did = $1)

-- name: seen
-- Note that these DIDs are alive; rows written within the last minute are left alone.
UPDATE agents SET last_seen_at = now()
 WHERE did = ANY ($1::text[]) AND last_seen_at < now() - interval '1 minute'
