-- Attestations: one signed statement by one DID about one receipt.
-- provides: table task_attestations
-- provides: index idx_task_attestations_task_id
-- provides: index idx_task_attestations_created
-- provides: index idx_task_attestations_unique
-- provides: index idx_task_attestations_verdict

CREATE TABLE IF NOT EXISTS task_attestations (
  id             uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  task_id        uuid NOT NULL REFERENCES task_receipts (id),
  by_did         text NOT NULL,
  type           text NOT NULL,
  score          numeric(7,6) CHECK (score BETWEEN 0 AND 1),
  confidence     numeric(7,6) CHECK (confidence BETWEEN 0 AND 1),
  evidence_ref   text,
  signature      text,
  created_at     timestamptz NOT NULL DEFAULT now(),
  late           boolean NOT NULL DEFAULT false,
  statement      bytea,
  statement_hash bytea CHECK (length(statement_hash) = 32)
);

CREATE INDEX IF NOT EXISTS idx_task_attestations_task_id ON task_attestations (task_id);
CREATE INDEX IF NOT EXISTS idx_task_attestations_created ON task_attestations (created_at);
CREATE UNIQUE INDEX IF NOT EXISTS idx_task_attestations_unique ON task_attestations (task_id, by_did, type);
-- One verdict each: who passed can't fail the same task as well.
CREATE UNIQUE INDEX IF NOT EXISTS idx_task_attestations_verdict ON task_attestations (task_id, by_did)
  WHERE type IN ('AUDIT_PASS', 'AUDIT_FAIL', 'ACCEPTED', 'REJECTED');
