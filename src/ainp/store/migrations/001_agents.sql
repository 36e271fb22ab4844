-- Agents, found by their DID, and what they say they can do.
-- provides: table agents
-- provides: table capabilities
-- provides: index idx_agents_expires_at
-- provides: index idx_agents_last_seen
-- provides: index idx_agents_created
-- provides: index idx_capabilities_tags

CREATE TABLE IF NOT EXISTS agents (
  id                      uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  did                     text NOT NULL UNIQUE CHECK (did LIKE 'did:key:%' OR did LIKE 'did:web:%'),
  public_key              text NOT NULL,
  ttl                     bigint,                       -- milliseconds; 30 days do not fit an integer
  created_at              timestamptz NOT NULL DEFAULT now(),
  last_seen_at            timestamptz NOT NULL DEFAULT now(),
  expires_at              timestamptz,
  usefulness_score_cached numeric(5,2) NOT NULL DEFAULT 0 CHECK (usefulness_score_cached BETWEEN 0 AND 100),
  usefulness_last_updated timestamptz
);

CREATE INDEX IF NOT EXISTS idx_agents_last_seen ON agents (last_seen_at DESC);
CREATE INDEX IF NOT EXISTS idx_agents_expires_at ON agents (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS idx_agents_created ON agents (created_at);

CREATE TABLE IF NOT EXISTS capabilities (
  id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  agent_id    uuid NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
  description text NOT NULL,
  tags        text[] NOT NULL DEFAULT '{}',
  version     text NOT NULL DEFAULT '1.0.0' CHECK (version ~ '^[0-9]+\.[0-9]+\.[0-9]+$'),
  evidence    text,
  created_at  timestamptz NOT NULL DEFAULT now(),
  UNIQUE (agent_id, description)
);

CREATE INDEX IF NOT EXISTS idx_capabilities_tags ON capabilities USING gin (tags);
