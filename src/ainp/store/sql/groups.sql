-- name: invited
-- What is known of those who are to take part ($2): their trust, if they are registered, and whether they have blocked who
-- opens the group ($1).
SELECT said.did, a.trust_rank,
       coalesce((SELECT c.consent_state = 'blocked' FROM contacts c
                  WHERE c.owner_did = said.did AND c.peer_did = $1), false) AS blocked
  FROM unnest($2::text[]) AS said (did) LEFT JOIN agents a ON a.did = said.did

-- name: insert
-- Write a new group ($1) with who takes part ($2) and the events ($3), unless its opener has $4 open ones, or the id is
-- used; whether it was written.
WITH said AS (
  SELECT * FROM json_to_recordset($1::json)
           said (id uuid, intent_id text, opener text, members json, mechanism text, threshold_bp integer,
                 max_rounds smallint, round_ms bigint, state text, rounds json, round_ends_at timestamptz,
                 created_at timestamptz)
), written AS (
  INSERT INTO group_negotiations (id, intent_id, opener_did, members, mechanism, threshold_bp, max_rounds, round_ms, state,
                                  rounds, round_ends_at, created_at, updated_at)
  SELECT id, intent_id, opener, members, mechanism, threshold_bp, max_rounds, round_ms, state, rounds, round_ends_at,
         created_at, created_at
    FROM said
   WHERE (SELECT count(*) FROM (SELECT FROM group_negotiations g
                                 WHERE g.opener_did = said.opener AND g.state = 'open' LIMIT $4) opened) < $4
      ON CONFLICT (id) DO NOTHING
  RETURNING id, created_at
), listed AS (
  INSERT INTO group_members (did, group_id, created_at)
  SELECT did, written.id, written.created_at FROM written, unnest($2::text[]) AS did
), told AS (
  INSERT INTO outbox (event, recipients, body)
  SELECT event, recipients, body
    FROM written, json_to_recordset($3::json) told (event text, recipients text[], body json)
)
SELECT id FROM written

-- name: get
SELECT g.*, now() AS now FROM group_negotiations g WHERE g.id = $1

-- name: lock
-- A group, held by this transaction.
SELECT g.*, now() AS now FROM group_negotiations g WHERE g.id = $1 FOR UPDATE

-- name: due
-- Open groups whose round is over; one that somebody is changing is looked at the next time.
SELECT g.*, now() AS now FROM group_negotiations g
 WHERE g.state = 'open' AND g.round_ends_at <= now()
 ORDER BY g.round_ends_at
 LIMIT $1
   FOR UPDATE SKIP LOCKED

-- name: save
-- Write a locked group ($1) as it became: its rounds ($2), state ($3), the end of its round ($4), how it ended ($5: reason,
-- $6: by whom), at $7; with its events ($8).
WITH saved AS (
  UPDATE group_negotiations
     SET rounds = $2::json, state = $3, round_ends_at = $4, close_reason = $5, closed_by = $6, updated_at = $7::timestamptz,
         closed_at = CASE WHEN $3 <> 'open' THEN $7::timestamptz END
   WHERE id = $1
)
INSERT INTO outbox (event, recipients, body)
SELECT event, recipients, body
  FROM json_to_recordset($8::json) told (event text, recipients text[], body json)

-- name: list_of_agent
-- The groups in which an agent takes part that were opened before a place ($2, $3), the newest first; $5 null, or only
-- those in this state.
SELECT g.*
  FROM group_members m JOIN group_negotiations g ON g.id = m.group_id
 WHERE m.did = $1 AND (m.created_at, m.group_id) < ($2, $3) AND ($5::text IS NULL OR g.state = $5)
 ORDER BY m.created_at DESC, m.group_id DESC
 LIMIT $4
