-- Proofs of usefulness, what they add up to for each agent, and the hours whose rewards were paid.
-- provides: table usefulness_proofs
-- provides: table usefulness_totals
-- provides: table reward_hours
-- provides: column agents.usefulness_proofs
-- provides: index idx_usefulness_agent
-- provides: index idx_usefulness_created
-- provides: index idx_usefulness_receipt
-- provides: index idx_agents_useful
-- provides: index idx_task_receipts_finalized_at
-- provides: constraint usefulness_proofs.usefulness_proofs_agent_did_trace_id_key

ALTER TABLE agents ADD COLUMN IF NOT EXISTS usefulness_proofs integer NOT NULL DEFAULT 0;  -- behind the cached score
CREATE INDEX IF NOT EXISTS idx_agents_useful ON agents (did) WHERE usefulness_proofs > 0;

CREATE TABLE IF NOT EXISTS usefulness_proofs (
  id               uuid PRIMARY KEY,
  intent_id        text,
  agent_did        text NOT NULL,
  work_type        text NOT NULL CHECK (work_type IN ('compute', 'memory', 'routing', 'validation', 'learning')),
  metrics          jsonb NOT NULL DEFAULT '{}',
  attestations     text[],
  trace_id         text NOT NULL,
  receipt_id       uuid,                   -- no foreign key: the tables of 017 to 021 can be dropped alone
  usefulness_score numeric(5,2) NOT NULL DEFAULT 0 CHECK (usefulness_score BETWEEN 0 AND 100),
  created_at       timestamptz NOT NULL DEFAULT now(),
  UNIQUE (agent_did, trace_id)
);

CREATE INDEX IF NOT EXISTS idx_usefulness_agent ON usefulness_proofs (agent_did, created_at DESC);
CREATE INDEX IF NOT EXISTS idx_usefulness_created ON usefulness_proofs (created_at);
CREATE UNIQUE INDEX IF NOT EXISTS idx_usefulness_receipt ON usefulness_proofs (receipt_id) WHERE receipt_id IS NOT NULL;

-- What an agent's page shows, so that nobody has to count: the mean of each kind of work is of the last aggregation.
CREATE TABLE IF NOT EXISTS usefulness_totals (
  agent_did     text PRIMARY KEY,
  proofs        bigint NOT NULL DEFAULT 0 CHECK (proofs >= 0),
  last_proof_at timestamptz,
  breakdown     jsonb NOT NULL DEFAULT '{}'
);

-- Which receipts an hour's rewards are for.
CREATE INDEX IF NOT EXISTS idx_task_receipts_finalized_at ON task_receipts (finalized_at) WHERE status = 'finalized';

CREATE TABLE IF NOT EXISTS reward_hours (
  hour       timestamptz PRIMARY KEY,
  total      bigint NOT NULL CHECK (total >= 0),
  from_pool  bigint NOT NULL CHECK (from_pool BETWEEN 0 AND total),
  recipients integer NOT NULL CHECK (recipients >= 0),
  paid_at    timestamptz NOT NULL DEFAULT now()
);
