-- Every change of a reputation as a row that says why, and the record of those who audit.
-- provides: table reputation_observations
-- provides: table reputation_clients
-- provides: table auditor_records
-- provides: column agent_reputation.version
-- provides: column agent_reputation.observations
-- provides: column agent_reputation.observed_at
-- provides: column agent_reputation.clients
-- provides: column agent_reputation.final_t
-- provides: index idx_reputation_observations_agent

-- `observations` and `observed_at` are in the order q, t, r, s, v, i, e, final_t. `final_t` is timeliness over
-- finalized receipts only: a committee seat must not be bought with settlements nobody audited.
ALTER TABLE agent_reputation
  ADD COLUMN IF NOT EXISTS version      integer NOT NULL DEFAULT 1,
  ADD COLUMN IF NOT EXISTS observations integer[] NOT NULL DEFAULT '{0,0,0,0,0,0,0,0}' CHECK (cardinality(observations) = 8),
  ADD COLUMN IF NOT EXISTS observed_at  timestamptz[] NOT NULL DEFAULT array_fill(NULL::timestamptz, ARRAY[8])
    CHECK (cardinality(observed_at) = 8),
  ADD COLUMN IF NOT EXISTS clients      integer NOT NULL DEFAULT 0 CHECK (clients >= 0),
  ADD COLUMN IF NOT EXISTS final_t      numeric(7,6) NOT NULL DEFAULT 0.5 CHECK (final_t BETWEEN 0 AND 1);

CREATE TABLE IF NOT EXISTS reputation_observations (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  agent_id   uuid NOT NULL REFERENCES agents (id),
  task_id    uuid NOT NULL,
  dimension  text NOT NULL CHECK (dimension IN ('q', 't', 'r', 's', 'v', 'i', 'e', 'final_t')),
  observed   integer NOT NULL CHECK (observed BETWEEN 0 AND 1000000),      -- millionths, as the two below
  before     integer NOT NULL CHECK (before BETWEEN 0 AND 1000000),
  after      integer NOT NULL CHECK (after BETWEEN 0 AND 1000000),
  reason     text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (task_id, dimension)
);

CREATE INDEX IF NOT EXISTS idx_reputation_observations_agent ON reputation_observations (agent_id, id DESC);

-- The different clients of an agent's finalized receipts: what counts as a record.
CREATE TABLE IF NOT EXISTS reputation_clients (
  agent_id   uuid NOT NULL REFERENCES agents (id),
  client_did text NOT NULL,
  PRIMARY KEY (agent_id, client_did)
);

CREATE TABLE IF NOT EXISTS auditor_records (
  did       text PRIMARY KEY,
  agreed    integer NOT NULL DEFAULT 0,
  disagreed integer NOT NULL DEFAULT 0,
  silent    integer NOT NULL DEFAULT 0
);

-- After a rollback by hand the reputations come back neutral; their observations still say what they were.
INSERT INTO agent_reputation (agent_id)
SELECT DISTINCT agent_id FROM reputation_observations
ON CONFLICT (agent_id) DO NOTHING;

WITH latest AS (
  SELECT DISTINCT ON (agent_id, dimension) agent_id, dimension, after, created_at,
         count(*) OVER (PARTITION BY agent_id, dimension) AS n
    FROM reputation_observations ORDER BY agent_id, dimension, id DESC
), restored AS (
  SELECT agent_id,
         max(after) FILTER (WHERE dimension = 'q') AS q, max(after) FILTER (WHERE dimension = 't') AS t,
         max(after) FILTER (WHERE dimension = 'r') AS r, max(after) FILTER (WHERE dimension = 's') AS s,
         max(after) FILTER (WHERE dimension = 'v') AS v, max(after) FILTER (WHERE dimension = 'i') AS i,
         max(after) FILTER (WHERE dimension = 'e') AS e, max(after) FILTER (WHERE dimension = 'final_t') AS final_t,
         array_agg(coalesce(l.n, 0)::integer ORDER BY d.place) AS observations,
         array_agg(l.created_at ORDER BY d.place) AS observed_at, max(l.created_at) AS updated_at
    FROM (SELECT DISTINCT agent_id FROM latest) a
   CROSS JOIN unnest('{q,t,r,s,v,i,e,final_t}'::text[]) WITH ORDINALITY AS d (dimension, place)
    LEFT JOIN latest l USING (agent_id, dimension)
   GROUP BY agent_id
)
UPDATE agent_reputation p
   SET q = coalesce(n.q / 1e6, 0.5), t = coalesce(n.t / 1e6, 0.5), r = coalesce(n.r / 1e6, 0.5),
       s = coalesce(n.s / 1e6, 0.5), v = coalesce(n.v / 1e6, 0.5), i = coalesce(n.i / 1e6, 0.5),
       e = coalesce(n.e / 1e6, 0.5), final_t = coalesce(n.final_t / 1e6, 0.5),
       observations = n.observations, observed_at = n.observed_at, updated_at = n.updated_at,
       clients = (SELECT count(*) FROM reputation_clients c WHERE c.agent_id = p.agent_id)
  FROM restored n
 WHERE p.agent_id = n.agent_id AND p.version = 1 AND p.observations = '{0,0,0,0,0,0,0,0}';
