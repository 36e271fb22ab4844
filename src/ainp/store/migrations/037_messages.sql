-- Messages between agents: what was sent, what waits to be handed over, who is connected where, and the mailboxes.
-- provides: table messages
-- provides: table message_queue
-- provides: table broker_nodes
-- provides: table presence
-- provides: table mailbox
-- provides: table mailbox_labels
-- provides: index idx_messages_sent
-- provides: index idx_messages_expired
-- provides: index idx_message_queue_next
-- provides: index idx_message_queue_expired
-- provides: index idx_message_queue_sent
-- provides: index idx_presence_node
-- provides: index idx_mailbox_inbox
-- provides: index idx_mailbox_unread
-- provides: index idx_mailbox_thread
-- provides: index idx_mailbox_labels_found
-- provides: index idx_mailbox_conversation
-- provides: index idx_messages_kept

CREATE TABLE IF NOT EXISTS messages (
  id              uuid PRIMARY KEY,
  envelope_id     text NOT NULL,
  trace_id        text,
  from_did        text NOT NULL,
  to_dids         text[] NOT NULL,
  msg_type        text NOT NULL,
  intent_type     text,                              -- the payload's @type
  envelope        text NOT NULL,                     -- byte for byte as it was signed
  notice          text NOT NULL,                     -- what its receivers are told beside it; a JSON object
  priority        real NOT NULL,
  kept            boolean NOT NULL,                  -- mail, which stays when its envelope has expired
  conversation_id text,
  subject         text,
  body_text       text,
  body_mime       text,
  body_hash       text,
  headers         json,
  attachments     json,
  created_at      timestamptz NOT NULL,              -- the sender's
  received_at     timestamptz NOT NULL DEFAULT now(),
  expires_at      timestamptz NOT NULL,
  CHECK (NOT kept OR (conversation_id IS NOT NULL AND body_text IS NOT NULL))
);
-- An envelope's id is its sender's, and may come again once nothing remembers it.
CREATE INDEX IF NOT EXISTS idx_messages_sent ON messages (from_did, envelope_id);
CREATE INDEX IF NOT EXISTS idx_messages_expired ON messages (expires_at) WHERE NOT kept;

-- What nobody has handed over yet. `released_at`: it was told to whoever is connected, and nobody has said that it
-- reached a socket.
CREATE TABLE IF NOT EXISTS message_queue (
  to_did      text NOT NULL,
  message_id  uuid NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
  from_did    text NOT NULL,
  priority    real NOT NULL,
  queued_at   timestamptz NOT NULL DEFAULT now(),
  expires_at  timestamptz NOT NULL,
  released_at timestamptz,
  tries       smallint NOT NULL DEFAULT 0,
  PRIMARY KEY (message_id, to_did)
);
CREATE INDEX IF NOT EXISTS idx_message_queue_next ON message_queue (to_did, priority DESC, queued_at, message_id);
CREATE INDEX IF NOT EXISTS idx_message_queue_expired ON message_queue (expires_at);
CREATE INDEX IF NOT EXISTS idx_message_queue_sent ON message_queue (from_did, queued_at);
ALTER TABLE message_queue SET (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 1000);

-- The processes that have sockets; one that has gone without a word is not believed when its time is over.
CREATE TABLE IF NOT EXISTS broker_nodes (
  id    uuid PRIMARY KEY,
  until timestamptz NOT NULL
) WITH (fillfactor = 50);

-- Who is connected to which of them; `visit` tells a connection that came back from the one that went.
CREATE TABLE IF NOT EXISTS presence (
  did   text NOT NULL,
  node  uuid NOT NULL REFERENCES broker_nodes (id) ON DELETE CASCADE,
  visit bigint NOT NULL,
  PRIMARY KEY (did, node)
);
CREATE INDEX IF NOT EXISTS idx_presence_node ON presence (node);

-- Whose a mail is: each of its receivers' and its sender's own, with what they have made of it.
CREATE TABLE IF NOT EXISTS mailbox (
  owner_did       text NOT NULL,
  message_id      uuid NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
  conversation_id text NOT NULL,
  received        boolean NOT NULL,                  -- false: the owner has sent it
  created_at      timestamptz NOT NULL,
  read_at         timestamptz,
  PRIMARY KEY (message_id, owner_did)
);
CREATE INDEX IF NOT EXISTS idx_mailbox_inbox ON mailbox (owner_did, created_at DESC, message_id DESC) WHERE received;
CREATE INDEX IF NOT EXISTS idx_mailbox_unread ON mailbox (owner_did, created_at DESC, message_id DESC)
  WHERE received AND read_at IS NULL;
CREATE INDEX IF NOT EXISTS idx_mailbox_thread ON mailbox (owner_did, conversation_id, created_at DESC, message_id DESC);

CREATE TABLE IF NOT EXISTS mailbox_labels (
  owner_did  text NOT NULL,
  message_id uuid NOT NULL,
  label      text NOT NULL,
  created_at timestamptz NOT NULL,                   -- the mail's
  PRIMARY KEY (message_id, owner_did, label),
  FOREIGN KEY (message_id, owner_did) REFERENCES mailbox (message_id, owner_did) ON DELETE CASCADE
);
CREATE INDEX IF NOT EXISTS idx_mailbox_labels_found ON mailbox_labels (owner_did, label, created_at DESC, message_id DESC);

-- Threads are looked for by their id alone, to tell one that is somebody else's from one that is not; mail by its age.
CREATE INDEX IF NOT EXISTS idx_mailbox_conversation ON mailbox (conversation_id);
CREATE INDEX IF NOT EXISTS idx_messages_kept ON messages (received_at) WHERE kept;
