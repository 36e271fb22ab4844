-- What agents remember of their mail, if they want to: a few of its sentences each, searched by meaning.
-- provides: table memory_owners
-- provides: table agent_memories
-- provides: index idx_agent_memories_newest
-- provides: index idx_agent_memories_conversation

-- Who wants it, and up to which mail it was done.
CREATE TABLE IF NOT EXISTS memory_owners (
  did        text PRIMARY KEY,
  done_at    timestamptz NOT NULL,                   -- the mail's own time, as mailboxes are ordered by it
  done_id    uuid NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS agent_memories (
  id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  agent_did       text NOT NULL,
  conversation_id text,
  content         text NOT NULL,
  summary         text,
  reasons         json,                              -- the sentences of the summary, and why each was kept
  tags            text[] NOT NULL DEFAULT '{}',
  embedding       real[],                            -- of length 1; without the extension `vector`, which not all have
  message_id      uuid REFERENCES messages (id) ON DELETE CASCADE,
  created_at      timestamptz NOT NULL DEFAULT now(),
  updated_at      timestamptz NOT NULL DEFAULT now(),
  UNIQUE (message_id, agent_did)
);
CREATE INDEX IF NOT EXISTS idx_agent_memories_newest ON agent_memories (agent_did, created_at DESC, id DESC);
CREATE INDEX IF NOT EXISTS idx_agent_memories_conversation
  ON agent_memories (agent_did, conversation_id, created_at DESC, id DESC);
