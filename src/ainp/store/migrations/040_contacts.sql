-- Who knows whom, and what keeps unwanted mail out: contents that were sent before, and strangers that came first.
-- provides: table contacts
-- provides: table mail_marks
-- provides: table greylist
-- provides: index idx_contacts_listed
-- provides: index idx_mail_marks_until
-- provides: index idx_greylist_first_seen

CREATE TABLE IF NOT EXISTS contacts (
  owner_did       text NOT NULL,
  peer_did        text NOT NULL,
  alias           text,
  notes           text,
  consent_state   text NOT NULL DEFAULT 'unknown' CHECK (consent_state IN ('unknown', 'consented', 'blocked', 'trusted')),
  allowlist       boolean NOT NULL DEFAULT false,
  trust_override  real CHECK (trust_override BETWEEN 0 AND 1),
  first_seen_at   timestamptz NOT NULL DEFAULT now(),
  last_seen_at    timestamptz NOT NULL DEFAULT now(),
  message_count   integer NOT NULL DEFAULT 0 CHECK (message_count >= 0),
  last_message_at timestamptz,
  created_at      timestamptz NOT NULL DEFAULT now(),
  updated_at      timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (owner_did, peer_did),
  CHECK (owner_did <> peer_did)
);
CREATE INDEX IF NOT EXISTS idx_contacts_listed ON contacts (owner_did, last_seen_at DESC, peer_did);

CREATE TABLE IF NOT EXISTS mail_marks (
  key   bytea PRIMARY KEY,       -- SHA-256 of sender, receiver, subject and body
  until timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS idx_mail_marks_until ON mail_marks (until);

CREATE TABLE IF NOT EXISTS greylist (
  from_did      text NOT NULL,
  to_did        text NOT NULL,
  first_seen_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (from_did, to_did)
);
CREATE INDEX IF NOT EXISTS idx_greylist_first_seen ON greylist (first_seen_at);
