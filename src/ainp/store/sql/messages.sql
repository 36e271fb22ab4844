-- name: send
-- Take in messages ($1) for their receivers ($2), each unless nobody of them can have it, with what it costs ($3:
-- entries) and the contents that are not to come again ($4: marks); what became of each receiver.
-- A receiver can't have it who has blocked the sender, or who is away when the message does not wait, is not mail, or
-- finds no room: $5 is what may wait for one receiver, $6 what may of one sender. A content is marked only if somebody can
-- have it. Whoever is connected is told in this statement; the queue keeps it until a socket has it.
-- What is counted is what was committed, and what comes before it in this statement. So whoever has more than $7 that wait
-- for one who is away is told to come again, apart from others of the same sender: with $7 as $6.
-- IS FALSE keeps the index of when things expire out of it: by that, all that waits for anybody would be read for each.
WITH said AS MATERIALIZED (
  SELECT * FROM json_to_recordset($1::json)
           said (id uuid, envelope_id text, trace_id text, from_did text, to_dids text[], msg_type text, intent_type text,
                 envelope text, notice text, priority real, kept boolean, waits boolean, conversation_id text, subject text,
                 body_text text, body_mime text, body_hash text, headers json, attachments json, labels text[],
                 created_at timestamptz, expires_at timestamptz)
), asked AS MATERIALIZED (
  SELECT *, waits AND NOT "full" AND own <= $6 AS queues,
         waits AND NOT here AND NOT blocked AND own > $7 AND $7 < $6 AS apart
    FROM (
      SELECT to_.of, to_.did, s.kept, s.waits, waiting."full",
             waiting.own + count(*) OVER (PARTITION BY to_.did, s.from_did ORDER BY s.id ROWS UNBOUNDED PRECEDING) AS own,
             coalesce((SELECT c.consent_state = 'blocked' FROM contacts c
                        WHERE c.owner_did = to_.did AND c.peer_did = s.from_did), false) AS blocked,
             coalesce((SELECT true FROM presence p JOIN broker_nodes n ON n.id = p.node
                        WHERE p.did = to_.did AND n.until > now() LIMIT 1), false) AS here
        FROM json_to_recordset($2::json) to_ (of uuid, did text) JOIN said s ON s.id = to_.of,
             LATERAL (SELECT count(*) >= $5 AS "full", count(*) FILTER (WHERE from_did = s.from_did) AS own
                        FROM (SELECT q.from_did FROM message_queue q
                               WHERE q.to_did = to_.did AND (q.expires_at <= now()) IS FALSE LIMIT $5) q) waiting
    ) counted
), able AS MATERIALIZED (
  SELECT of, did, here, kept, queues
    FROM asked
   WHERE NOT blocked AND (here OR kept OR queues) AND of NOT IN (SELECT of FROM asked WHERE apart)
), marked AS (
  INSERT INTO mail_marks AS m (key, until)
  SELECT decode(mark.key, 'hex'), now() + mark.lasts::interval
    FROM json_to_recordset($4::json) mark (of uuid, key text, lasts text)
   WHERE mark.of IN (SELECT of FROM able)
   ORDER BY mark.key
      ON CONFLICT (key) DO UPDATE SET until = excluded.until WHERE m.until <= now()
  RETURNING m.key
), copies AS MATERIALIZED (
  SELECT mark.of FROM json_to_recordset($4::json) mark (of uuid, key text)
   WHERE mark.of IN (SELECT of FROM able)
     AND (SELECT true FROM marked WHERE marked.key = decode(mark.key, 'hex')) IS NULL
), taken AS MATERIALIZED (
  SELECT * FROM able WHERE of NOT IN (SELECT of FROM copies)
), written AS (
  INSERT INTO messages (id, envelope_id, trace_id, from_did, to_dids, msg_type, intent_type, envelope, notice, priority, kept,
                        conversation_id, subject, body_text, body_mime, body_hash, headers, attachments, created_at, expires_at)
  SELECT id, envelope_id, trace_id, from_did, to_dids, msg_type, intent_type, envelope, notice, priority, kept,
         conversation_id, subject, body_text, body_mime, body_hash, headers, attachments, created_at, expires_at
    FROM said WHERE id IN (SELECT of FROM taken)
  RETURNING id
), posted AS (
  INSERT INTO ledger_entries (key, from_account, to_account, amount, reason, reference)
  SELECT entry.key, entry.source, entry.target, entry.amount, entry.reason, entry.reference
    FROM written
    JOIN json_to_recordset($3::json)
         entry (of uuid, key text, source text, target text, amount bigint, reason text, reference text)
      ON entry.of = written.id
), queued AS (
  INSERT INTO message_queue (to_did, message_id, from_did, priority, expires_at, released_at, tries)
  SELECT t.did, t.of, s.from_did, s.priority, s.expires_at, CASE WHEN t.here THEN now() END, CASE WHEN t.here THEN 1 ELSE 0 END
    FROM taken t JOIN said s ON s.id = t.of
   WHERE t.queues
), filed AS (
  INSERT INTO mailbox (owner_did, message_id, conversation_id, received, created_at, read_at)
  SELECT t.did, t.of, s.conversation_id, true, s.created_at, NULL
    FROM taken t JOIN said s ON s.id = t.of
   WHERE s.kept
   UNION ALL
  SELECT s.from_did, s.id, s.conversation_id, false, s.created_at, now()
    FROM said s
   WHERE s.kept AND s.id IN (SELECT of FROM taken)
     AND (SELECT true FROM taken t WHERE t.of = s.id AND t.did = s.from_did) IS NULL
), labelled AS (
  INSERT INTO mailbox_labels (owner_did, message_id, label, created_at)
  SELECT t.did, t.of, label, s.created_at
    FROM taken t JOIN said s ON s.id = t.of, unnest(s.labels) AS label
   WHERE s.kept
), met AS (
  INSERT INTO contacts AS c (owner_did, peer_did, message_count, last_message_at)
  SELECT pair.owner, pair.peer, count(*), now()
    FROM taken t JOIN said s ON s.id = t.of,
         LATERAL (VALUES (t.did, s.from_did), (s.from_did, t.did)) pair (owner, peer)
   WHERE s.kept AND t.did <> s.from_did
   GROUP BY pair.owner, pair.peer
   ORDER BY pair.owner, pair.peer
      ON CONFLICT (owner_did, peer_did) DO UPDATE
     SET message_count = c.message_count + excluded.message_count, last_message_at = now(), last_seen_at = now(),
         updated_at = now()
), told AS (
  INSERT INTO outbox (event, recipients, body)
  SELECT 'message.received', array_agg(t.did ORDER BY t.did),
         (left(s.notice, -1) || ',"envelope":' || s.envelope || '}')::json
    FROM taken t JOIN said s ON s.id = t.of
   WHERE t.here
   GROUP BY s.id, s.notice, s.envelope
   ORDER BY s.id
)
SELECT a.of, a.did, a.of IN (SELECT of FROM copies) AS copy, a.blocked, a.own > $6 AS crowded, a.here,
       t.of IS NOT NULL AS taken, coalesce(t.queues, false) AS queues, a.apart
  FROM asked a LEFT JOIN taken t ON t.of = a.of AND t.did = a.did

-- name: release
-- Tell an agent ($1) the next of what waits for it ($2 of them at most): what matters most first, and of that the oldest.
-- With $3 also what was told before and has reached no socket, if that is some seconds ago, each time twice as many; $4
-- times at most.
WITH next AS MATERIALIZED (
  SELECT q.message_id, q.ctid AS place
    FROM message_queue q
   WHERE q.to_did = $1 AND q.expires_at > now()
     AND (q.released_at IS NULL OR ($3 AND q.tries < $4 AND q.released_at < now() - interval '2.5 seconds' * 2 ^ q.tries))
   ORDER BY q.priority DESC, q.queued_at, q.message_id
   LIMIT $2
     FOR UPDATE SKIP LOCKED
), released AS (
  UPDATE message_queue q SET released_at = now(), tries = q.tries + 1
    FROM next WHERE q.to_did = $1 AND q.message_id = next.message_id
  RETURNING q.message_id, q.priority, q.queued_at
), told AS (
  INSERT INTO outbox (event, recipients, body)
  SELECT 'message.received', ARRAY[$1], (left(m.notice, -1) || ',"envelope":' || m.envelope || '}')::json
    FROM released r JOIN messages m ON m.id = r.message_id
   ORDER BY r.priority DESC, r.queued_at, r.message_id
)
SELECT count(*) FROM released

-- name: handed_over
-- Drop from the queue what sockets have taken: messages $1, each by the receiver in its place in $2.
DELETE FROM message_queue q
 USING unnest($1::uuid[], $2::text[]) AS done (message_id, did)
 WHERE q.message_id = done.message_id AND q.to_did = done.did

-- name: peek
-- What waits for an agent, in the order in which it would be handed over.
SELECT q.message_id, q.from_did, q.to_did, q.priority, q.queued_at, q.expires_at, q.tries, m.envelope_id, m.msg_type,
       m.intent_type
  FROM (SELECT * FROM message_queue WHERE to_did = $1 AND expires_at > now()
         ORDER BY priority DESC, queued_at, message_id LIMIT $2) q
  JOIN messages m ON m.id = q.message_id
 ORDER BY q.priority DESC, q.queued_at, q.message_id

-- name: peek_sent
-- What an agent has sent that waits for others, oldest first.
SELECT q.message_id, q.from_did, q.to_did, q.priority, q.queued_at, q.expires_at, q.tries, m.envelope_id, m.msg_type,
       m.intent_type
  FROM (SELECT * FROM message_queue WHERE from_did = $1 AND expires_at > now() ORDER BY queued_at LIMIT $2) q
  JOIN messages m ON m.id = q.message_id
 ORDER BY q.queued_at, q.message_id

-- name: cancel
-- Take back what an agent ($1) has sent and nobody was told: by the envelope's id; from whom it was taken.
WITH gone AS (
  DELETE FROM message_queue q
   USING messages m
   WHERE m.from_did = $1 AND m.envelope_id = $2 AND q.message_id = m.id AND q.released_at IS NULL AND q.expires_at > now()
  RETURNING q.to_did
)
SELECT to_did FROM gone ORDER BY to_did

-- name: sent
-- Whether an agent has sent an envelope of this id that is still known.
SELECT true FROM messages WHERE from_did = $1 AND envelope_id = $2 LIMIT 1

-- name: forget_waiting
-- Drop a batch of what has waited for longer than it lives.
DELETE FROM message_queue
 WHERE ctid = ANY (ARRAY(SELECT ctid FROM message_queue WHERE expires_at <= now() ORDER BY expires_at LIMIT $1
                            FOR UPDATE SKIP LOCKED))

-- name: forget
-- Drop a batch of messages that have expired; mail is not among them.
DELETE FROM messages
 WHERE id = ANY (ARRAY(SELECT id FROM messages WHERE NOT kept AND expires_at <= now() ORDER BY expires_at LIMIT $1
                          FOR UPDATE SKIP LOCKED))
