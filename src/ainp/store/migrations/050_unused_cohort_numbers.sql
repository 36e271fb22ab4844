-- Cohorts get numbers that nobody has used: the ledger keeps those of before the sequence was taken back and made anew.
-- provides: sequence cohort_numbers
-- provides: function skip_used_cohort_numbers

-- The sequence is listed above although migration 041 makes it: whenever that one is applied again, this one follows.
CREATE OR REPLACE FUNCTION skip_used_cohort_numbers() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  lowest bigint;
BEGIN
  SELECT min(used.number) INTO lowest
    FROM (SELECT min(substring(key FROM '^cohort:(-[0-9]+)')::bigint) FROM ledger_entries WHERE key LIKE 'cohort:-%'
          UNION ALL SELECT min(id) FROM committee_epochs
          UNION ALL SELECT min(id) FROM cohorts) used (number);
  IF lowest <= (SELECT last_value FROM cohort_numbers) THEN
    LOCK TABLE cohorts IN SHARE ROW EXCLUSIVE MODE;  -- whoever opens one draws its number under a lock on this table
    PERFORM setval('cohort_numbers', least(lowest, last_value)) FROM cohort_numbers;
  END IF;
END $$;

SET LOCAL statement_timeout = 0;  -- it reads the ledger once; nobody waits for that
SELECT skip_used_cohort_numbers();
