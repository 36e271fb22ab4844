ALTER TABLE IF EXISTS agent_stakes
  DROP COLUMN IF EXISTS withdrawal,
  DROP COLUMN IF EXISTS withdrawing;
