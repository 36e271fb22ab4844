-- Agents that are apart from all others: cohorts, each with a list of candidates of its own and money that goes back.
-- provides: table cohorts
-- provides: sequence cohort_numbers
-- provides: column agents.cohort
-- provides: index idx_agents_cohort
-- provides: index idx_cohorts_open

-- A cohort has the number of its epoch. They count downwards from -1, so that the newest epoch of everybody else is
-- still the one with the greatest number, and a receipt shows by its epoch whose it is.
CREATE SEQUENCE IF NOT EXISTS cohort_numbers AS bigint INCREMENT BY -1 MINVALUE -9007199254740991 MAXVALUE -1 START -1;

CREATE TABLE IF NOT EXISTS cohorts (
  id              bigint PRIMARY KEY CHECK (id < 0),
  lent_atomic     bigint NOT NULL CHECK (lent_atomic > 0),
  created_at      timestamptz NOT NULL DEFAULT now(),
  ends_at         timestamptz NOT NULL,                    -- by then whoever opened it has closed it, or has died
  closed_at       timestamptz,
  returned_atomic bigint CHECK (returned_atomic >= 0)
);
CREATE INDEX IF NOT EXISTS idx_cohorts_open ON cohorts (ends_at) WHERE closed_at IS NULL;

ALTER TABLE agents ADD COLUMN IF NOT EXISTS cohort bigint;
CREATE INDEX IF NOT EXISTS idx_agents_cohort ON agents (cohort) WHERE cohort IS NOT NULL;
