-- How a receipt is judged: the draw it can be repeated from, its window, its extensions and its end.
-- provides: table committee_epochs
-- provides: column task_receipts.version
-- provides: column task_receipts.epoch_id
-- provides: column task_receipts.seed
-- provides: column task_receipts.later_committee
-- provides: column task_receipts.draw_policy
-- provides: column task_receipts.quorum_mode
-- provides: column task_receipts.committee_short
-- provides: column task_receipts.extensions
-- provides: column task_receipts.decidable
-- provides: column task_receipts.counts
-- provides: column task_receipts.window_ends_at
-- provides: column task_receipts.judged_at
-- provides: column task_receipts.failure
-- provides: column task_receipts.updated_at
-- provides: index idx_task_receipts_unjudged
-- provides: index idx_task_receipts_decidable
-- provides: index idx_task_receipts_unseated
-- provides: index idx_task_receipts_epoch
-- provides: index idx_task_receipts_created
-- provides: function refuse_new_statement
-- provides: trigger task_receipts.task_receipts_statement
-- provides: trigger task_attestations.task_attestations_immutable

-- No foreign key points at the tables of 017 to 021, so that they can be dropped alone.
CREATE TABLE IF NOT EXISTS committee_epochs (
  id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  created_at    timestamptz NOT NULL DEFAULT now(),
  hash          bytea NOT NULL CHECK (length(hash) = 32),
  population    integer NOT NULL,       -- registered agents when it was built, eligible or not
  members       text[] NOT NULL,
  weights       bigint[] NOT NULL,
  registered_at timestamptz[] NOT NULL
);

ALTER TABLE task_receipts
  ADD COLUMN IF NOT EXISTS version         integer NOT NULL DEFAULT 1,
  ADD COLUMN IF NOT EXISTS epoch_id        bigint,
  ADD COLUMN IF NOT EXISTS seed            bytea CHECK (length(seed) = 32),
  ADD COLUMN IF NOT EXISTS later_committee jsonb,   -- as seated or extended after the statement was written
  ADD COLUMN IF NOT EXISTS draw_policy     text NOT NULL DEFAULT 'weighted',
  ADD COLUMN IF NOT EXISTS quorum_mode     text NOT NULL DEFAULT 'committee_only',
  ADD COLUMN IF NOT EXISTS committee_short boolean NOT NULL DEFAULT false,
  ADD COLUMN IF NOT EXISTS extensions      integer NOT NULL DEFAULT 0,
  ADD COLUMN IF NOT EXISTS decidable       boolean NOT NULL DEFAULT false,
  ADD COLUMN IF NOT EXISTS counts          boolean NOT NULL DEFAULT true,   -- for reputation: the price was high enough
  ADD COLUMN IF NOT EXISTS window_ends_at  timestamptz NOT NULL DEFAULT now() + interval '1 hour',
  ADD COLUMN IF NOT EXISTS judged_at       timestamptz,
  ADD COLUMN IF NOT EXISTS failure         text,
  ADD COLUMN IF NOT EXISTS updated_at      timestamptz NOT NULL DEFAULT now();

-- After these columns were taken away and come back: what was decided (no receipt is, at its first version) was judged,
-- and its rewards are paid; the statement still says how it was drawn.
UPDATE task_receipts
   SET judged_at = coalesce(finalized_at, now()), failure = CASE WHEN status = 'failed' THEN 'no_verdict' END
 WHERE judged_at IS NULL AND status <> 'pending' AND version = 1;
UPDATE task_receipts r
   SET seed = decode(said.receipt ->> 'seed', 'hex'), draw_policy = said.receipt ->> 'draw_policy',
       quorum_mode = said.receipt ->> 'quorum_mode'
  FROM (SELECT id, convert_from(statement, 'UTF8')::jsonb AS receipt FROM task_receipts WHERE statement IS NOT NULL) said
 WHERE said.id = r.id AND r.seed IS NULL AND said.receipt ->> 'seed' IS NOT NULL;

CREATE INDEX IF NOT EXISTS idx_task_receipts_unjudged ON task_receipts (window_ends_at) WHERE judged_at IS NULL;
CREATE INDEX IF NOT EXISTS idx_task_receipts_decidable ON task_receipts (created_at) WHERE decidable;
CREATE INDEX IF NOT EXISTS idx_task_receipts_unseated ON task_receipts (created_at)
  WHERE epoch_id IS NULL AND judged_at IS NULL;
CREATE INDEX IF NOT EXISTS idx_task_receipts_epoch ON task_receipts (epoch_id);
CREATE INDEX IF NOT EXISTS idx_task_receipts_created ON task_receipts (created_at DESC, id DESC);

CREATE OR REPLACE FUNCTION refuse_new_statement() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (NEW.statement, NEW.statement_hash) IS DISTINCT FROM (OLD.statement, OLD.statement_hash) THEN
    RAISE EXCEPTION 'the statement of receipt % never changes', OLD.id USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER task_receipts_statement
  BEFORE UPDATE OF statement, statement_hash ON task_receipts
  FOR EACH ROW EXECUTE FUNCTION refuse_new_statement();

CREATE OR REPLACE TRIGGER task_attestations_immutable
  BEFORE UPDATE OR DELETE OR TRUNCATE ON task_attestations
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
