DROP TABLE IF EXISTS task_receipts;
