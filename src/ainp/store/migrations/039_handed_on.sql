-- How far events were handed on to a message bus that keeps them.
-- provides: table handed_on

CREATE TABLE IF NOT EXISTS handed_on (
  bus      text PRIMARY KEY,
  position bigint NOT NULL,                          -- the last event that the bus has acknowledged for every receiver
  at       timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);
