-- name: inbox
-- What an agent was sent before a place ($2, $3), newest first.
SELECT b.message_id, b.owner_did, b.received, b.read_at, b.created_at, b.conversation_id, m.envelope_id, m.from_did, m.to_dids,
       m.subject, m.body_text, m.body_mime, m.body_hash, m.headers, m.attachments, m.received_at, m.intent_type,
       ARRAY(SELECT l.label FROM mailbox_labels l
              WHERE l.message_id = b.message_id AND l.owner_did = b.owner_did ORDER BY l.label) AS labels
  FROM (SELECT * FROM mailbox WHERE owner_did = $1 AND received AND (created_at, message_id) < ($2, $3)
         ORDER BY created_at DESC, message_id DESC LIMIT $4) b
  JOIN messages m ON m.id = b.message_id
 ORDER BY b.created_at DESC, b.message_id DESC

-- name: unread
-- The same of what has not been read.
SELECT b.message_id, b.owner_did, b.received, b.read_at, b.created_at, b.conversation_id, m.envelope_id, m.from_did, m.to_dids,
       m.subject, m.body_text, m.body_mime, m.body_hash, m.headers, m.attachments, m.received_at, m.intent_type,
       ARRAY(SELECT l.label FROM mailbox_labels l
              WHERE l.message_id = b.message_id AND l.owner_did = b.owner_did ORDER BY l.label) AS labels
  FROM (SELECT * FROM mailbox WHERE owner_did = $1 AND received AND read_at IS NULL AND (created_at, message_id) < ($2, $3)
         ORDER BY created_at DESC, message_id DESC LIMIT $4) b
  JOIN messages m ON m.id = b.message_id
 ORDER BY b.created_at DESC, b.message_id DESC

-- name: labelled
-- The same of what has a label ($5), and with $6 has not been read.
SELECT b.message_id, b.owner_did, b.received, b.read_at, b.created_at, b.conversation_id, m.envelope_id, m.from_did, m.to_dids,
       m.subject, m.body_text, m.body_mime, m.body_hash, m.headers, m.attachments, m.received_at, m.intent_type,
       ARRAY(SELECT l.label FROM mailbox_labels l
              WHERE l.message_id = b.message_id AND l.owner_did = b.owner_did ORDER BY l.label) AS labels
  FROM (SELECT own.* FROM mailbox_labels l
          JOIN mailbox own ON own.message_id = l.message_id AND own.owner_did = l.owner_did
         WHERE l.owner_did = $1 AND l.label = $5 AND (l.created_at, l.message_id) < ($2, $3)
           AND own.received AND (NOT $6 OR own.read_at IS NULL)
         ORDER BY l.created_at DESC, l.message_id DESC LIMIT $4) b
  JOIN messages m ON m.id = b.message_id
 ORDER BY b.created_at DESC, b.message_id DESC

-- name: thread
-- An agent's own part of a conversation, what it has sent too: the newest before a place ($3, $4).
SELECT b.message_id, b.owner_did, b.received, b.read_at, b.created_at, b.conversation_id, m.envelope_id, m.from_did, m.to_dids,
       m.subject, m.body_text, m.body_mime, m.body_hash, m.headers, m.attachments, m.received_at, m.intent_type,
       ARRAY(SELECT l.label FROM mailbox_labels l
              WHERE l.message_id = b.message_id AND l.owner_did = b.owner_did ORDER BY l.label) AS labels
  FROM (SELECT * FROM mailbox WHERE owner_did = $1 AND conversation_id = $2 AND (created_at, message_id) < ($3, $4)
         ORDER BY created_at DESC, message_id DESC LIMIT $5) b
  JOIN messages m ON m.id = b.message_id
 ORDER BY b.created_at DESC, b.message_id DESC

-- name: thread_summary
-- What an agent's part of a conversation adds up to.
SELECT count(*) AS count, count(*) FILTER (WHERE b.received AND b.read_at IS NULL) AS unread,
       min(b.created_at) AS first_at, max(b.created_at) AS last_at
  FROM mailbox b
 WHERE b.owner_did = $1 AND b.conversation_id = $2

-- name: thread_labels
-- The labels in an agent's part of a conversation.
SELECT DISTINCT l.label
  FROM mailbox b JOIN mailbox_labels l ON l.message_id = b.message_id AND l.owner_did = b.owner_did
 WHERE b.owner_did = $1 AND b.conversation_id = $2
 ORDER BY l.label
 LIMIT 200

-- name: known_thread
-- Whether there is a conversation, whoever's.
SELECT true FROM mailbox WHERE conversation_id = $1 LIMIT 1

-- name: own_threads
-- Which of agents ($1) have a part in the conversation in the same place of $2.
SELECT said.nth
  FROM unnest($1::text[], $2::text[]) WITH ORDINALITY said (did, conversation_id, nth)
 WHERE (SELECT true FROM mailbox b
         WHERE b.owner_did = said.did AND b.conversation_id = said.conversation_id LIMIT 1)

-- name: mark
-- Note that a receiver has read a mail, or has not; when it was read first stays.
UPDATE mailbox SET read_at = CASE WHEN $3 THEN coalesce(read_at, now()) END
 WHERE message_id = $2 AND owner_did = $1 AND received
RETURNING message_id

-- name: label
-- Take labels ($4) from an agent's mail and give it others ($3), as long as it has no more than $5.
WITH own AS MATERIALIZED (
  SELECT message_id, owner_did, created_at FROM mailbox WHERE owner_did = $1 AND message_id = $2 FOR UPDATE
), removed AS (
  DELETE FROM mailbox_labels l USING own
   WHERE l.message_id = own.message_id AND l.owner_did = own.owner_did AND l.label = ANY ($4::text[])
), held AS (
  SELECT count(*) AS count FROM (
    SELECT l.label FROM own JOIN mailbox_labels l ON l.message_id = own.message_id AND l.owner_did = own.owner_did
     WHERE l.label <> ALL ($4::text[])
     UNION
    SELECT label FROM own, unnest($3::text[]) AS label WHERE label <> ALL ($4::text[])) together
), added AS (
  INSERT INTO mailbox_labels (owner_did, message_id, label, created_at)
  SELECT own.owner_did, own.message_id, label, own.created_at
    FROM own, held, unnest($3::text[]) AS label
   WHERE held.count <= $5 AND label <> ALL ($4::text[])
   ORDER BY label
      ON CONFLICT DO NOTHING
)
SELECT held.count <= $5 AS fits FROM own, held

-- name: forget
-- Drop a batch of mail that came before $1, with everybody's copies.
DELETE FROM messages
 WHERE id = ANY (ARRAY(SELECT id FROM messages WHERE kept AND received_at < now() - $1::interval
                        ORDER BY received_at LIMIT $2 FOR UPDATE SKIP LOCKED))
