-- Payment requests, and the receipts of providers that paid them.
-- provides: table payment_requests
-- provides: table payment_receipts
-- provides: index idx_payment_requests_owner
-- provides: index idx_payment_requests_open
-- provides: index idx_payment_requests_due
-- provides: index idx_payment_requests_pending
-- provides: index idx_payment_requests_provider
-- provides: constraint payment_receipts.payment_receipts_request_id_key
-- provides: constraint payment_receipts.payment_receipts_provider_tx_ref_key

CREATE TABLE IF NOT EXISTS payment_requests (
  id                uuid PRIMARY KEY,
  owner_did         text NOT NULL,
  payee_did         text,                                  -- who gets the owner's credits; NULL: the owner buys some
  amount_atomic     bigint NOT NULL CHECK (amount_atomic > 0),
  currency          text NOT NULL DEFAULT 'credits',
  method            text NOT NULL CHECK (method IN ('credits', 'coinbase', 'lightning', 'usdc')),
  status            text NOT NULL DEFAULT 'created'
                    CHECK (status IN ('created', 'pending', 'paid', 'expired', 'failed', 'cancelled')),
  provider          text,
  provider_id       text,                                  -- what the provider calls its invoice
  provider_metadata jsonb NOT NULL DEFAULT '{}',
  payment_url       text,
  description       text,
  expires_at        timestamptz NOT NULL,
  created_at        timestamptz NOT NULL DEFAULT now(),
  updated_at        timestamptz NOT NULL DEFAULT now(),
  CHECK ((payee_did IS NOT NULL) = (method = 'credits')),
  CHECK ((provider IS NULL) = (provider_id IS NULL))
);

CREATE INDEX IF NOT EXISTS idx_payment_requests_owner ON payment_requests (owner_did, created_at DESC);
CREATE INDEX IF NOT EXISTS idx_payment_requests_open ON payment_requests (owner_did)
  WHERE status IN ('created', 'pending');
CREATE INDEX IF NOT EXISTS idx_payment_requests_due ON payment_requests (expires_at)
  WHERE status IN ('created', 'pending');
CREATE INDEX IF NOT EXISTS idx_payment_requests_pending ON payment_requests (provider, id) WHERE status = 'pending';
CREATE UNIQUE INDEX IF NOT EXISTS idx_payment_requests_provider ON payment_requests (provider, provider_id)
  WHERE provider_id IS NOT NULL;

-- A request is paid once, and so is a payment of a provider counted.
CREATE TABLE IF NOT EXISTS payment_receipts (
  id            uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  request_id    uuid NOT NULL UNIQUE REFERENCES payment_requests (id) ON DELETE CASCADE,
  provider      text NOT NULL,
  tx_ref        text NOT NULL,
  amount_atomic bigint NOT NULL CHECK (amount_atomic > 0),
  confirmed_at  timestamptz NOT NULL,
  raw           jsonb NOT NULL DEFAULT '{}',
  created_at    timestamptz NOT NULL DEFAULT now(),
  UNIQUE (provider, tx_ref)
);

-- After the tables were dropped: what was paid is known from the ledger, so that no provider's message pays it again.
INSERT INTO payment_requests (id, owner_did, payee_did, amount_atomic, method, status, expires_at, created_at, updated_at)
SELECT e.reference::uuid,
       substr(CASE split_part(e.key, ':', 2) WHEN 'credits' THEN e.from_account ELSE e.to_account END, 11),
       CASE split_part(e.key, ':', 2) WHEN 'credits' THEN substr(e.to_account, 11) END,
       e.amount, split_part(e.key, ':', 2), 'paid', e.created_at, e.created_at, e.created_at
  FROM ledger_entries e
 WHERE e.key LIKE 'payment:%'
ON CONFLICT (id) DO NOTHING;

INSERT INTO payment_receipts (request_id, provider, tx_ref, amount_atomic, confirmed_at)
SELECT p.id, p.method, 'restored:' || p.id, p.amount_atomic, p.updated_at
  FROM payment_requests p
 WHERE p.status = 'paid'
ON CONFLICT (request_id) DO NOTHING;
