DO $$ BEGIN
  IF to_regclass('task_attestations') IS NOT NULL THEN
    DROP TRIGGER IF EXISTS task_attestations_immutable ON task_attestations;
  END IF;
  IF to_regclass('task_receipts') IS NOT NULL THEN
    DROP TRIGGER IF EXISTS task_receipts_statement ON task_receipts;
  END IF;
END $$;
DROP FUNCTION IF EXISTS refuse_new_statement();
DROP INDEX IF EXISTS idx_task_receipts_created;
ALTER TABLE IF EXISTS task_receipts
  DROP COLUMN IF EXISTS version,
  DROP COLUMN IF EXISTS epoch_id,
  DROP COLUMN IF EXISTS seed,
  DROP COLUMN IF EXISTS later_committee,
  DROP COLUMN IF EXISTS draw_policy,
  DROP COLUMN IF EXISTS quorum_mode,
  DROP COLUMN IF EXISTS committee_short,
  DROP COLUMN IF EXISTS extensions,
  DROP COLUMN IF EXISTS decidable,
  DROP COLUMN IF EXISTS counts,
  DROP COLUMN IF EXISTS window_ends_at,
  DROP COLUMN IF EXISTS judged_at,
  DROP COLUMN IF EXISTS failure,
  DROP COLUMN IF EXISTS updated_at;
DROP TABLE IF EXISTS committee_epochs;
