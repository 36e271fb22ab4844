-- Reputation: seven moving averages an agent.
-- provides: table agent_reputation
-- provides: index idx_agent_reputation_updated

CREATE TABLE IF NOT EXISTS agent_reputation (
  agent_id   uuid PRIMARY KEY REFERENCES agents (id),
  q          numeric(7,6) NOT NULL DEFAULT 0.5 CHECK (q BETWEEN 0 AND 1),
  t          numeric(7,6) NOT NULL DEFAULT 0.5 CHECK (t BETWEEN 0 AND 1),
  r          numeric(7,6) NOT NULL DEFAULT 0.5 CHECK (r BETWEEN 0 AND 1),
  s          numeric(7,6) NOT NULL DEFAULT 0.5 CHECK (s BETWEEN 0 AND 1),
  v          numeric(7,6) NOT NULL DEFAULT 0.5 CHECK (v BETWEEN 0 AND 1),
  i          numeric(7,6) NOT NULL DEFAULT 0.5 CHECK (i BETWEEN 0 AND 1),
  e          numeric(7,6) NOT NULL DEFAULT 0.5 CHECK (e BETWEEN 0 AND 1),
  updated_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 80);

CREATE INDEX IF NOT EXISTS idx_agent_reputation_updated ON agent_reputation (updated_at DESC);
