-- The first answer to a request that carried an Idempotency-Key.
-- provides: table idempotency_keys
-- provides: index idx_idempotency_keys_created

CREATE TABLE IF NOT EXISTS idempotency_keys (
  actor      text NOT NULL,           -- the DID that acted, '' where a route needs none
  method     text NOT NULL,
  path       text NOT NULL,
  key        text NOT NULL,
  body_hash  bytea NOT NULL,
  status     integer,
  response   bytea,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (actor, method, path, key)
);

CREATE INDEX IF NOT EXISTS idx_idempotency_keys_created ON idempotency_keys (created_at);
