-- name: want
-- Note that an agent wants its mail remembered, from now on.
INSERT INTO memory_owners (did, done_at, done_id) VALUES ($1, now(), '00000000-0000-0000-0000-000000000000')
    ON CONFLICT DO NOTHING

-- name: unwant
-- Note that it does not want it.
DELETE FROM memory_owners WHERE did = $1

-- name: forget
-- Drop all that an agent remembers.
DELETE FROM agent_memories WHERE agent_did = $1

-- name: wanted
-- Whether an agent wants its mail remembered.
SELECT true FROM memory_owners WHERE did = $1

-- name: owners
-- Who wants it, in order above $1.
SELECT did FROM memory_owners WHERE did > $1 ORDER BY did LIMIT $2

-- name: hold
-- How far an agent's mail was read, held by this transaction; nothing if it wants that no more, or somebody else reads.
SELECT done_at, done_id FROM memory_owners WHERE did = $1 FOR UPDATE SKIP LOCKED

-- name: unread
-- The next mail that an agent was sent after a place ($2, $3). The youngest is left for later: a mail's time is its sender's,
-- up to a minute before its coming, and one that is just being written must not be passed over.
SELECT b.message_id, b.created_at, b.conversation_id, m.subject, m.body_text, m.body_mime
  FROM mailbox b JOIN messages m ON m.id = b.message_id
 WHERE b.owner_did = $1 AND b.received AND (b.created_at, b.message_id) > ($2, $3)
   AND b.created_at <= now() - $5::interval
 ORDER BY b.created_at, b.message_id
 LIMIT $4

-- name: remember
-- Keep memories of an agent ($1; $2), drop what is beyond its newest $5, and note how far its mail was read ($3, $4).
WITH kept AS (
  INSERT INTO agent_memories (agent_did, conversation_id, content, summary, reasons, tags, embedding, message_id, created_at)
  SELECT $1, conversation_id, content, summary, reasons, tags, embedding, message_id, created_at
    FROM json_to_recordset($2::json)
         said (conversation_id text, content text, summary text, reasons json, tags text[], embedding real[],
               message_id uuid, created_at timestamptz)
      ON CONFLICT (message_id, agent_did) DO NOTHING
), dropped AS (
  DELETE FROM agent_memories
   WHERE id IN (SELECT id FROM agent_memories WHERE agent_did = $1 ORDER BY created_at DESC, id DESC
                OFFSET greatest($5::int - json_array_length($2::json), 0))
)
UPDATE memory_owners SET done_at = $3, done_id = $4 WHERE did = $1

-- name: page
-- An agent's memories, the newest first: those before a place ($2, $3), and not from before $5.
SELECT id, conversation_id, content, summary, reasons, tags, created_at
  FROM agent_memories
 WHERE agent_did = $1 AND (created_at, id) < ($2, $3) AND created_at >= $5
 ORDER BY created_at DESC, id DESC
 LIMIT $4

-- name: page_of_conversation
-- The same of one conversation ($6).
SELECT id, conversation_id, content, summary, reasons, tags, created_at
  FROM agent_memories
 WHERE agent_did = $1 AND conversation_id = $6 AND (created_at, id) < ($2, $3) AND created_at >= $5
 ORDER BY created_at DESC, id DESC
 LIMIT $4

-- name: nearest
-- An agent's memories by how near they are to $2, all of them looked at: there are not many. Of at least $3, $4 at most.
SELECT * FROM (
  SELECT id, conversation_id, content, summary, reasons, tags, created_at,
         (SELECT sum(a * b) FROM unnest(m.embedding, $2::real[]) AS pair (a, b)) AS cosine
    FROM agent_memories m
   WHERE agent_did = $1 AND embedding IS NOT NULL
) looked
 WHERE cosine >= $3
 ORDER BY cosine DESC, id
 LIMIT $4
