DROP TABLE IF EXISTS reward_hours;
DROP TABLE IF EXISTS usefulness_totals;
DROP TABLE IF EXISTS usefulness_proofs;
DROP INDEX IF EXISTS idx_agents_useful;
DROP INDEX IF EXISTS idx_task_receipts_finalized_at;
ALTER TABLE IF EXISTS agents DROP COLUMN IF EXISTS usefulness_proofs;
