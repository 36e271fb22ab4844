-- Negotiations: proposals in rounds, a reservation, and how it ended.
-- provides: table negotiations
-- provides: index idx_negotiations_initiator
-- provides: index idx_negotiations_responder
-- provides: index idx_negotiations_intent
-- provides: index idx_negotiations_open
-- provides: index idx_negotiations_undelivered

-- Proposals are `json`, not `jsonb`: the terms were hashed as they were written, and jsonb rewrites numbers.
CREATE TABLE IF NOT EXISTS negotiations (
  id                uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  intent_id         text NOT NULL,
  initiator_did     text NOT NULL,
  responder_did     text NOT NULL,
  state             text NOT NULL CHECK (state IN ('initiated', 'proposed', 'counter_proposed', 'accepted',
                                                   'settled', 'rejected', 'cancelled', 'expired')),
  rounds            json NOT NULL DEFAULT '[]',
  convergence_score numeric(3,2) NOT NULL DEFAULT 0 CHECK (convergence_score BETWEEN 0 AND 1),
  max_rounds        integer NOT NULL DEFAULT 10 CHECK (max_rounds BETWEEN 1 AND 20),
  created_at        timestamptz NOT NULL DEFAULT now(),
  updated_at        timestamptz NOT NULL DEFAULT now(),
  expires_at        timestamptz NOT NULL,
  version           integer NOT NULL DEFAULT 1,
  reserved_atomic   bigint NOT NULL DEFAULT 0 CHECK (reserved_atomic >= 0),
  accepted_at       timestamptz,
  settle_by         timestamptz,
  delivered_at      timestamptz,
  delivery          json,
  closed_at         timestamptz,
  closed_by         text,
  close_reason      text,
  seed              bytea,          -- the committee's, secret until the receipt reveals it
  task_id           uuid,
  CHECK (initiator_did <> responder_did),
  CHECK ((state = 'settled') = (task_id IS NOT NULL))
) WITH (fillfactor = 80);

CREATE INDEX IF NOT EXISTS idx_negotiations_intent ON negotiations (intent_id);
CREATE INDEX IF NOT EXISTS idx_negotiations_initiator ON negotiations (initiator_did, created_at DESC);
CREATE INDEX IF NOT EXISTS idx_negotiations_responder ON negotiations (responder_did, created_at DESC);
CREATE INDEX IF NOT EXISTS idx_negotiations_open ON negotiations (expires_at)
  WHERE state IN ('initiated', 'proposed', 'counter_proposed');
CREATE INDEX IF NOT EXISTS idx_negotiations_undelivered ON negotiations (settle_by)
  WHERE state = 'accepted' AND delivered_at IS NULL;
