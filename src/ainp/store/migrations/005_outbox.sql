-- What happened, written with the fact itself, to be told after commit.
-- provides: table outbox

CREATE TABLE IF NOT EXISTS outbox (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  event      text NOT NULL,
  recipients text[] NOT NULL,
  body       json NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
