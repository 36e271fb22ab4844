-- Who sits on which receipt, newest first: an inverted index has no order, so a page of a member's receipts read them all.
-- provides: table receipt_seats
-- provides: table seat_listing
-- provides: function list_seats
-- provides: trigger task_receipts.task_receipts_late
-- provides: trigger task_receipts.task_receipts_seated

-- A member is the first 8 bytes of SHA-256 of its DID: half the size, and the receipt itself says who it is. No foreign
-- key, and no trigger that names a column of 020, so that tables and columns of 017 to 021 can be dropped alone.
CREATE TABLE IF NOT EXISTS receipt_seats (
  member     bytea NOT NULL,
  created_at timestamptz NOT NULL,                    -- of the receipt
  task_id    uuid NOT NULL,
  PRIMARY KEY (member, created_at, task_id)
);

-- Seats are listed behind the settlements, in batches, by a job. Receipts up to this moment are listed, all of them; those
-- after it are not, and are read themselves.
CREATE TABLE IF NOT EXISTS seat_listing (
  one          boolean PRIMARY KEY DEFAULT true CHECK (one),
  listed_until timestamptz NOT NULL DEFAULT '-infinity'
);
TRUNCATE receipt_seats, seat_listing;
INSERT INTO seat_listing DEFAULT VALUES;

-- Whatever comes too late for the job, which may have passed it, lists its seats itself. The row is locked until that is
-- committed: so the job does not pass a receipt whose seats somebody thinks are still to be listed.
CREATE OR REPLACE FUNCTION list_seats() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  passed timestamptz;
BEGIN
  SELECT s.listed_until INTO passed FROM seat_listing s FOR SHARE;
  IF NEW.created_at <= passed THEN
    INSERT INTO receipt_seats (member, created_at, task_id)
    SELECT substr(sha256(convert_to(said.did, 'UTF8')), 1, 8), NEW.created_at, NEW.id
      FROM jsonb_array_elements_text(NEW.committee) said (did)
        ON CONFLICT DO NOTHING;
  END IF;
  RETURN NULL;
END $$;

-- The job stays two seconds behind: what is dated further back when it is written may be too late.
CREATE OR REPLACE TRIGGER task_receipts_late AFTER INSERT ON task_receipts
  FOR EACH ROW WHEN (NEW.created_at < clock_timestamp() - interval '2 seconds') EXECUTE FUNCTION list_seats();
CREATE OR REPLACE TRIGGER task_receipts_seated AFTER UPDATE ON task_receipts
  FOR EACH ROW WHEN (NEW.later_committee IS DISTINCT FROM OLD.later_committee) EXECUTE FUNCTION list_seats();
