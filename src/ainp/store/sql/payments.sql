-- name: begin
-- Take an agent's turn to open requests, until this transaction ends: counting them and adding one is one step.
SELECT pg_advisory_xact_lock(hashtextextended('payments:' || $1::text, 0))

-- name: standing
-- Whether an agent ($1), and the one it would pay ($2), are registered, and how many open requests the first has.
SELECT EXISTS (SELECT FROM agents WHERE did = $1) AS owner,
       $2::text IS NULL OR EXISTS (SELECT FROM agents WHERE did = $2) AS payee,
       (SELECT count(*) FROM payment_requests WHERE owner_did = $1 AND status IN ('created', 'pending')) AS open,
       now() AS now

-- name: available
-- What the first of two agents can spend. Both accounts are held, in sorted order, as the ledger's trigger takes them.
WITH held AS MATERIALIZED (
  SELECT a.account, a.balance, a.hot FROM accounts a
   WHERE a.account IN ('available:' || $1::text, 'available:' || $2::text)
   ORDER BY a.account
     FOR UPDATE
)
SELECT h.balance + CASE WHEN h.hot THEN coalesce((SELECT sum(p.amount)::bigint FROM ledger_pending p
                                                   WHERE p.account = h.account), 0) ELSE 0 END
  FROM held h
 WHERE h.account = 'available:' || $1::text

-- name: insert
INSERT INTO payment_requests (id, owner_did, payee_did, amount_atomic, method, status, description, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)

-- name: lock
-- A request, held by this transaction. Requests are locked before accounts.
SELECT p.*, r.tx_ref, now() AS now
  FROM payment_requests p LEFT JOIN payment_receipts r ON r.request_id = p.id
 WHERE p.id = $1
   FOR UPDATE OF p

-- name: lock_of_provider
-- The same by the name that a provider gave it.
SELECT p.*, r.tx_ref, now() AS now
  FROM payment_requests p LEFT JOIN payment_receipts r ON r.request_id = p.id
 WHERE p.provider = $1 AND p.provider_id = $2
   FOR UPDATE OF p

-- name: get
SELECT p.*, r.tx_ref, now() AS now
  FROM payment_requests p LEFT JOIN payment_receipts r ON r.request_id = p.id
 WHERE p.id = $1

-- name: offered
-- An agent's newest request of this amount that a provider has an invoice for, and five minutes to be paid.
SELECT p.*, NULL AS tx_ref, now() AS now
  FROM payment_requests p
 WHERE p.owner_did = $1 AND p.amount_atomic = $2 AND p.method = $3 AND p.status = 'pending'
   AND p.expires_at > now() + interval '5 minutes'
 ORDER BY p.created_at DESC
 LIMIT 1

-- name: due
-- Requests of some methods ($2) whose time was over ($1); one that somebody is changing is looked at the next time.
SELECT p.*, NULL AS tx_ref, now() AS now
  FROM payment_requests p
 WHERE p.status IN ('created', 'pending') AND p.expires_at <= $1 AND p.method = ANY ($2::text[])
 ORDER BY p.expires_at
 LIMIT $3
   FOR UPDATE OF p SKIP LOCKED

-- name: pending
-- Requests that wait for this provider, by their ids.
SELECT p.*, NULL AS tx_ref, now() AS now
  FROM payment_requests p
 WHERE p.provider = $1 AND p.status = 'pending' AND p.id > $2
 ORDER BY p.id
 LIMIT $3

-- name: save
-- Write held requests ($1) as they became, with receipts ($2), entries ($3) and events ($4).
WITH saved AS (
  UPDATE payment_requests p
     SET status = said.status, provider = said.provider, provider_id = said.provider_id,
         provider_metadata = said.metadata, payment_url = said.url, expires_at = said.expires_at, updated_at = now()
    FROM json_to_recordset($1::json)
         said (id uuid, status text, provider text, provider_id text, metadata jsonb, url text, expires_at timestamptz)
   WHERE p.id = said.id
), received AS (
  INSERT INTO payment_receipts (request_id, provider, tx_ref, amount_atomic, confirmed_at, raw)
  SELECT request_id, provider, tx_ref, amount, confirmed_at, raw
    FROM json_to_recordset($2::json)
         said (request_id uuid, provider text, tx_ref text, amount bigint, confirmed_at timestamptz, raw jsonb)
), posted AS (
  INSERT INTO ledger_entries (key, from_account, to_account, amount, reason, reference)
  SELECT key, source, target, amount, reason, reference
    FROM json_to_recordset($3::json)
         said (key text, source text, target text, amount bigint, reason text, reference text)
)
INSERT INTO outbox (event, recipients, body)
SELECT event, recipients, body
  FROM json_to_recordset($4::json) said (event text, recipients text[], body json)
