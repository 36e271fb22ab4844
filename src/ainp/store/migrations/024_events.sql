-- What was told, in the order it was told, numbered for each receiver; the publisher moves it here from the outbox.
-- provides: table publication
-- provides: table events
-- provides: table receivers
-- provides: table deliveries

-- One row: the position of the last event. Whoever publishes writes it, so two never do at once, and positions have no gap.
CREATE TABLE IF NOT EXISTS publication (
  only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
  last     bigint NOT NULL DEFAULT 0
);
INSERT INTO publication DEFAULT VALUES ON CONFLICT DO NOTHING;

CREATE TABLE IF NOT EXISTS events (
  position     bigint PRIMARY KEY,
  event        text NOT NULL,
  recipients   text[] NOT NULL,
  numbers      bigint[] NOT NULL,             -- for each recipient, which of its events this is
  body         json NOT NULL,
  created_at   timestamptz NOT NULL,
  published_at timestamptz NOT NULL DEFAULT now()
);

-- A receiver's last number; never deleted, as a number is given once. Half of each page is left for the next version of
-- its rows, which then needs no new index entry.
CREATE TABLE IF NOT EXISTS receivers (
  did  text PRIMARY KEY,
  id   bigint GENERATED ALWAYS AS IDENTITY,
  last bigint NOT NULL
) WITH (fillfactor = 50);

-- Where a receiver's events are: those it got in one batch in a row, numbered from `first` on.
CREATE TABLE IF NOT EXISTS deliveries (
  receiver  bigint NOT NULL,
  first     bigint NOT NULL,
  positions bigint[] NOT NULL,
  PRIMARY KEY (receiver, first)
);

-- Rows stay here for a moment; dead ones at the head of the queue are what the next batch has to step over.
ALTER TABLE outbox SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
ALTER TABLE receivers SET (autovacuum_vacuum_scale_factor = 0.05);
