DROP TABLE IF EXISTS task_attestations;
