-- name: get
-- An agent's reputation by DID, with its record as an auditor; no row for an unknown agent.
SELECT a.id AS agent_id, a.did, p.agent_id AS reputation_of, p.version AS reputation_version, p.observations,
       p.observed_at, p.clients,
       (p.q * 1000000)::int AS q, (p.t * 1000000)::int AS t, (p.r * 1000000)::int AS r, (p.s * 1000000)::int AS s,
       (p.v * 1000000)::int AS v, (p.i * 1000000)::int AS i, (p.e * 1000000)::int AS e,
       (p.final_t * 1000000)::int AS final_t, p.updated_at AS reputation_updated_at,
       coalesce(u.agreed, 0) AS agreed, coalesce(u.disagreed, 0) AS disagreed, coalesce(u.silent, 0) AS silent,
       now() AS now
  FROM agents a
  LEFT JOIN agent_reputation p ON p.agent_id = a.id
  LEFT JOIN auditor_records u ON u.did = a.did
 WHERE a.did = $1

-- name: history
-- What changed an agent's reputation, newest first, below the cursor.
SELECT o.id, o.task_id, o.dimension, o.observed, o.before, o.after, o.reason, o.created_at
  FROM reputation_observations o
 WHERE o.agent_id = $1 AND o.id < $2
 ORDER BY o.id DESC
 LIMIT $3

-- name: begin
-- Give agents a neutral reputation where they have none.
INSERT INTO agent_reputation (agent_id)
SELECT a.id FROM agents a WHERE a.did = ANY ($1::text[]) ORDER BY a.id
ON CONFLICT (agent_id) DO NOTHING

-- name: lock
-- Reputations to be moved, locked in one order.
SELECT a.did, a.id AS agent_id, p.agent_id AS reputation_of, p.version AS reputation_version, p.observations,
       p.observed_at, p.clients,
       (p.q * 1000000)::int AS q, (p.t * 1000000)::int AS t, (p.r * 1000000)::int AS r, (p.s * 1000000)::int AS s,
       (p.v * 1000000)::int AS v, (p.i * 1000000)::int AS i, (p.e * 1000000)::int AS e,
       (p.final_t * 1000000)::int AS final_t, p.updated_at AS reputation_updated_at, now() AS now
  FROM agent_reputation p JOIN agents a ON a.id = p.agent_id
 WHERE a.did = ANY ($1::text[])
 ORDER BY p.agent_id
   FOR UPDATE OF p

-- name: judge
-- Write what judgements changed: reputations ($1) with their observations ($2), the clients of finalized receipts
-- ($3, $4), the auditors' records ($5), rewards ($6).
WITH said AS (
  SELECT * FROM json_to_recordset($1::json) AS said (
    agent_id uuid, value int[], observations int[], observed_at timestamptz[], updated_at timestamptz)
), known AS (
  INSERT INTO reputation_clients (agent_id, client_did)
  SELECT DISTINCT of.agent_id, of.client_did FROM unnest($3::uuid[], $4::text[]) of (agent_id, client_did)
  ON CONFLICT DO NOTHING
  RETURNING agent_id
), moved AS (
  UPDATE agent_reputation p
     SET q = said.value[1]::numeric / 1000000, t = said.value[2]::numeric / 1000000,
         r = said.value[3]::numeric / 1000000, s = said.value[4]::numeric / 1000000,
         v = said.value[5]::numeric / 1000000, i = said.value[6]::numeric / 1000000,
         e = said.value[7]::numeric / 1000000, final_t = said.value[8]::numeric / 1000000,
         observations = said.observations, observed_at = said.observed_at, updated_at = said.updated_at,
         clients = p.clients + (SELECT count(*) FROM known WHERE known.agent_id = p.agent_id)::int,
         version = p.version + 1
    FROM said
   WHERE p.agent_id = said.agent_id
), observed AS (
  INSERT INTO reputation_observations (agent_id, task_id, dimension, observed, before, after, reason)
  SELECT * FROM json_to_recordset($2::json) AS o (
    agent_id uuid, task_id uuid, dimension text, observed int, before int, after int, reason text)
), recorded AS (
  INSERT INTO auditor_records AS u (did, agreed, disagreed, silent)
  SELECT did, sum(agreed), sum(disagreed), sum(silent)
    FROM json_to_recordset($5::json) AS o (did text, agreed int, disagreed int, silent int)
   GROUP BY did ORDER BY did
  ON CONFLICT (did) DO UPDATE SET agreed = u.agreed + excluded.agreed, disagreed = u.disagreed + excluded.disagreed,
                                  silent = u.silent + excluded.silent
), posted AS (
  INSERT INTO ledger_entries (key, from_account, to_account, amount, reason, reference)
  SELECT * FROM json_to_recordset($6::json)
           said (key text, source text, target text, amount bigint, reason text, reference text)
)
SELECT 1
