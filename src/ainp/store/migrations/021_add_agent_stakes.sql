-- What an agent has locked as a bond.
-- provides: table agent_stakes
-- provides: index idx_agent_stakes_updated

CREATE TABLE IF NOT EXISTS agent_stakes (
  agent_id      uuid PRIMARY KEY REFERENCES agents (id),
  amount_locked bigint NOT NULL DEFAULT 0 CHECK (amount_locked >= 0),
  slashed_total bigint NOT NULL DEFAULT 0 CHECK (slashed_total >= 0),
  locked_until  timestamptz,
  created_at    timestamptz NOT NULL DEFAULT now(),
  updated_at    timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX IF NOT EXISTS idx_agent_stakes_updated ON agent_stakes (updated_at DESC);
