-- A receipt's status, committee and quorum.
-- provides: column task_receipts.status
-- provides: column task_receipts.committee
-- provides: column task_receipts.k
-- provides: column task_receipts.m
-- provides: column task_receipts.finalized_at
-- provides: index idx_task_receipts_status
-- provides: index idx_task_receipts_committee

ALTER TABLE task_receipts
  ADD COLUMN IF NOT EXISTS status       text NOT NULL DEFAULT 'pending'
    CHECK (status IN ('pending', 'finalized', 'failed', 'disputed')),
  ADD COLUMN IF NOT EXISTS committee    jsonb NOT NULL DEFAULT '[]',
  ADD COLUMN IF NOT EXISTS k            integer NOT NULL DEFAULT 3 CHECK (k >= 1),
  ADD COLUMN IF NOT EXISTS m            integer NOT NULL DEFAULT 5 CHECK (m >= 1),
  ADD COLUMN IF NOT EXISTS finalized_at timestamptz;

CREATE INDEX IF NOT EXISTS idx_task_receipts_status ON task_receipts (status, created_at DESC);
CREATE INDEX IF NOT EXISTS idx_task_receipts_committee ON task_receipts USING gin (committee);

-- After a rollback by hand the columns come back empty; the receipts' own statements still say what was agreed.
UPDATE task_receipts r
   SET committee = said.receipt -> 'committee', k = (said.receipt ->> 'k')::integer, m = (said.receipt ->> 'm')::integer
  FROM (SELECT id, convert_from(statement, 'UTF8')::jsonb AS receipt FROM task_receipts WHERE statement IS NOT NULL) said
 WHERE said.id = r.id
   AND (r.committee, r.k, r.m) IS DISTINCT FROM
       (said.receipt -> 'committee', (said.receipt ->> 'k')::integer, (said.receipt ->> 'm')::integer);

-- Receipts know how they were judged and who was seated later; what is not judged is decided anew by the same voices.
DO $$ BEGIN
  IF EXISTS (SELECT FROM pg_attribute
              WHERE attrelid = 'task_receipts'::regclass AND attname = 'later_committee' AND NOT attisdropped) THEN
    UPDATE task_receipts SET committee = later_committee
     WHERE later_committee IS NOT NULL AND committee IS DISTINCT FROM later_committee;
    UPDATE task_receipts
       SET status = CASE WHEN failure IS NULL THEN 'finalized' ELSE 'failed' END,
           finalized_at = CASE WHEN failure IS NULL THEN judged_at END
     WHERE (judged_at IS NOT NULL OR failure IS NOT NULL) AND status = 'pending';
    UPDATE task_receipts r SET decidable = true
      FROM (SELECT a.task_id, count(*) FILTER (WHERE a.type = 'AUDIT_PASS') AS passed,
                   count(*) FILTER (WHERE a.type = 'AUDIT_FAIL') AS failed
              FROM task_attestations a GROUP BY a.task_id) said
     WHERE said.task_id = r.id AND r.judged_at IS NULL AND r.status = 'pending' AND NOT r.decidable
       AND (said.passed >= r.k OR said.failed >= r.k OR jsonb_array_length(r.committee) - said.failed < r.k);
  END IF;
END $$;
