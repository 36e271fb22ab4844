DO $$ BEGIN
  IF to_regclass('task_receipts') IS NOT NULL THEN
    DROP TRIGGER IF EXISTS task_receipts_late ON task_receipts;
    DROP TRIGGER IF EXISTS task_receipts_seated ON task_receipts;
  END IF;
END $$;
DROP FUNCTION IF EXISTS list_seats();
DROP TABLE IF EXISTS seat_listing;
DROP TABLE IF EXISTS receipt_seats;
