-- Task receipts: what was done for whom, once per settled negotiation.
-- provides: table task_receipts
-- provides: index idx_task_receipts_agent
-- provides: index idx_task_receipts_client
-- provides: index idx_task_receipts_intent

-- A receipt opened by the broker is a statement: `statement` holds its canonical bytes (RFC 8785).
CREATE TABLE IF NOT EXISTS task_receipts (
  id                 uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  intent_id          text,
  negotiation_id     uuid UNIQUE REFERENCES negotiations (id),
  agent_did          text NOT NULL,
  client_did         text,
  intent_type        text,
  inputs_ref         text,
  outputs_ref        text,
  metrics            jsonb DEFAULT '{}',
  payment_request_id uuid,
  amount_atomic      bigint,
  created_at         timestamptz NOT NULL DEFAULT now(),
  distribution       jsonb,
  statement          bytea,
  statement_hash     bytea CHECK (length(statement_hash) = 32)
) WITH (fillfactor = 80);

CREATE INDEX IF NOT EXISTS idx_task_receipts_agent ON task_receipts (agent_did, created_at DESC);
CREATE INDEX IF NOT EXISTS idx_task_receipts_client ON task_receipts (client_did, created_at DESC);
CREATE INDEX IF NOT EXISTS idx_task_receipts_intent ON task_receipts (intent_id);
