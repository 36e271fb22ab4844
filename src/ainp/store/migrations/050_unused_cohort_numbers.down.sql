DROP FUNCTION IF EXISTS skip_used_cohort_numbers();
