-- A signed request counts once: its nonce, as long as any clock would take the signature. And the key that proves an
-- attestation, as it was when it was verified.
-- provides: table used_nonces
-- provides: index idx_used_nonces_until
-- provides: column task_attestations.scheme
-- provides: column task_attestations.key_id
-- provides: column task_attestations.public_key

CREATE TABLE IF NOT EXISTS used_nonces (
  key   uuid PRIMARY KEY,        -- the first 16 bytes of the SHA-256 over signer and nonce
  until timestamptz NOT NULL
);

CREATE INDEX IF NOT EXISTS idx_used_nonces_until ON used_nonces (until);

ALTER TABLE task_attestations
  ADD COLUMN IF NOT EXISTS scheme text,
  ADD COLUMN IF NOT EXISTS key_id text,
  ADD COLUMN IF NOT EXISTS public_key bytea;
