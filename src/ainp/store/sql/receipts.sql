-- name: get
SELECT r.*, now() AS now FROM task_receipts r WHERE r.id = ANY ($1::uuid[])

-- name: get_case
-- Receipts ($1) with all that was said about them, and whether who wants to speak ($2) is a registered agent: not asked
-- by EXISTS, for which PostgreSQL would read all agents into a hash.
SELECT asked.place, r.*, now() AS now,
       coalesce((SELECT json_agg(json_build_object('by', a.by_did, 'type', a.type, 'score', a.score,
                                                   'confidence', a.confidence) ORDER BY a.created_at, a.id)
                   FROM task_attestations a WHERE a.task_id = r.id), '[]') AS said,
       coalesce((SELECT true FROM agents a WHERE a.did = asked.speaker), false) AS registered
  FROM unnest($1::uuid[], $2::text[]) WITH ORDINALITY asked (id, speaker, place)
  JOIN task_receipts r ON r.id = asked.id

-- name: get_of_negotiation
SELECT r.*, now() AS now FROM task_receipts r WHERE r.negotiation_id = $1

-- name: list_all
-- Every list: newest first, from the cursor ($1 time, $2 id) on, $3 rows, filtered by agent ($4), client ($5),
-- committee member ($6) and status ($7). One statement for each filter that has an index, so that none grows. No page is
-- longer than 200, and the planner is told; CASE keeps it from believing that a filter lets hardly anything through. Else
-- it would sort all there is instead of reading a page in order.
SELECT r.*, now() AS now
  FROM (SELECT *
          FROM task_receipts r
         WHERE (r.created_at, r.id) < ($1, $2)
           AND CASE WHEN $4::text IS NULL THEN true ELSE r.agent_did = $4 END
           AND CASE WHEN $5::text IS NULL THEN true ELSE r.client_did = $5 END
           AND CASE WHEN $6::text IS NULL THEN true ELSE r.committee ? $6 END
           AND CASE WHEN $7::text IS NULL THEN true ELSE r.status = $7 END
         ORDER BY r.created_at DESC, r.id DESC
         LIMIT 200) r
 ORDER BY r.created_at DESC, r.id DESC
 LIMIT $3

-- name: list_by_agent
-- Here and in the next ones the index has no id: sorted by it as well, a page of one would read 32 rows to find ties.
SELECT r.*, now() AS now
  FROM (SELECT *
          FROM task_receipts r
         WHERE (r.created_at, r.id) < ($1, $2) AND r.agent_did = $4
           AND CASE WHEN $5::text IS NULL THEN true ELSE r.client_did = $5 END
           AND CASE WHEN $6::text IS NULL THEN true ELSE r.committee ? $6 END
           AND CASE WHEN $7::text IS NULL THEN true ELSE r.status = $7 END
         ORDER BY r.created_at DESC
         FETCH FIRST least($3, 200) ROWS WITH TIES) r
 ORDER BY r.created_at DESC, r.id DESC
 LIMIT $3

-- name: list_by_client
SELECT r.*, now() AS now
  FROM (SELECT *
          FROM task_receipts r
         WHERE (r.created_at, r.id) < ($1, $2) AND r.client_did = $5
           AND CASE WHEN $4::text IS NULL THEN true ELSE r.agent_did = $4 END
           AND CASE WHEN $6::text IS NULL THEN true ELSE r.committee ? $6 END
           AND CASE WHEN $7::text IS NULL THEN true ELSE r.status = $7 END
         ORDER BY r.created_at DESC
         FETCH FIRST least($3, 200) ROWS WITH TIES) r
 ORDER BY r.created_at DESC, r.id DESC
 LIMIT $3

-- name: list_by_member
-- What is listed (migration 052) is read in order, and the few receipts that came since are read themselves. Where there
-- are too many of those, because the job is behind, all of the member's receipts are found by the inverted index and sorted:
-- OFFSET 0 keeps the planner from combining that with the index of all that are older.
WITH listing AS MATERIALIZED (
  SELECT coalesce((SELECT listed_until FROM seat_listing), '-infinity') AS until
), state AS MATERIALIZED (
  SELECT until, EXISTS (SELECT FROM task_receipts WHERE created_at > until ORDER BY created_at OFFSET 5000 LIMIT 1) AS behind
    FROM listing
)
SELECT r.*, now() AS now
  FROM ((SELECT m.created_at, m.id
           FROM task_receipts m
          WHERE NOT (SELECT behind FROM state) AND m.created_at > (SELECT until FROM state)
            AND (m.created_at, m.id) < ($1, $2) AND CASE WHEN $6::text IS NULL THEN true ELSE m.committee ? $6 END
            AND CASE WHEN $4::text IS NULL THEN true ELSE m.agent_did = $4 END
            AND CASE WHEN $5::text IS NULL THEN true ELSE m.client_did = $5 END
            AND CASE WHEN $7::text IS NULL THEN true ELSE m.status = $7 END
          ORDER BY m.created_at DESC, m.id DESC LIMIT least($3, 200))
        UNION ALL
        (SELECT s.created_at, s.task_id
           FROM receipt_seats s
           JOIN task_receipts m ON m.id = s.task_id
          WHERE NOT (SELECT behind FROM state) AND s.member = substr(sha256(convert_to($6, 'UTF8')), 1, 8)
            AND s.created_at <= (SELECT until FROM state) AND (s.created_at, s.task_id) < ($1, $2)
            AND CASE WHEN $6::text IS NULL THEN true ELSE m.committee ? $6 END
            AND CASE WHEN $4::text IS NULL THEN true ELSE m.agent_did = $4 END
            AND CASE WHEN $5::text IS NULL THEN true ELSE m.client_did = $5 END
            AND CASE WHEN $7::text IS NULL THEN true ELSE m.status = $7 END
          ORDER BY s.created_at DESC, s.task_id DESC LIMIT $3)
        UNION ALL
        (SELECT m.created_at, m.id
           FROM (SELECT id, created_at, agent_did, client_did, status
                   FROM task_receipts WHERE (SELECT behind FROM state) AND committee ? $6 OFFSET 0) m
          WHERE (m.created_at, m.id) < ($1, $2)
            AND CASE WHEN $4::text IS NULL THEN true ELSE m.agent_did = $4 END
            AND CASE WHEN $5::text IS NULL THEN true ELSE m.client_did = $5 END
            AND CASE WHEN $7::text IS NULL THEN true ELSE m.status = $7 END
          ORDER BY m.created_at DESC, m.id DESC LIMIT $3)
        ORDER BY 1 DESC, 2 DESC LIMIT $3) page
  JOIN task_receipts r ON r.id = page.id
 ORDER BY page.created_at DESC, page.id DESC

-- name: list_by_status
SELECT r.*, now() AS now
  FROM (SELECT *
          FROM task_receipts r
         WHERE (r.created_at, r.id) < ($1, $2) AND r.status = $7
           AND CASE WHEN $4::text IS NULL THEN true ELSE r.agent_did = $4 END
           AND CASE WHEN $5::text IS NULL THEN true ELSE r.client_did = $5 END
           AND CASE WHEN $6::text IS NULL THEN true ELSE r.committee ? $6 END
         ORDER BY r.created_at DESC
         FETCH FIRST least($3, 200) ROWS WITH TIES) r
 ORDER BY r.created_at DESC, r.id DESC
 LIMIT $3

-- name: due
-- Lock receipts whose course can go on: a decision is due, or the window is over. Each kind has its own index; rows
-- that are locked belong to somebody who is at it, and others are taken instead. What was said is read by `cases`
-- afterwards: a lock shows the newest row, but a subquery beside it shows what was there when the statement began,
-- without the voice that came between.
WITH said AS MATERIALIZED (
  SELECT id, window_ends_at FROM task_receipts
   WHERE decidable ORDER BY created_at LIMIT $1
     FOR UPDATE SKIP LOCKED
), over AS MATERIALIZED (
  SELECT id, window_ends_at FROM task_receipts
   WHERE judged_at IS NULL AND window_ends_at <= now()
   ORDER BY window_ends_at LIMIT greatest(0, $1 - (SELECT count(*) FROM said))
     FOR UPDATE SKIP LOCKED
)
SELECT id FROM (SELECT * FROM said UNION SELECT * FROM over) r ORDER BY window_ends_at

-- name: cases
-- Receipts with all that was said about them.
SELECT r.*, now() AS now,
       coalesce((SELECT json_agg(json_build_object('by', a.by_did, 'type', a.type, 'score', a.score,
                                                   'confidence', a.confidence) ORDER BY a.created_at, a.id)
                   FROM task_attestations a WHERE a.task_id = r.id), '[]') AS said
  FROM task_receipts r
 WHERE r.id = ANY ($1::uuid[])
 ORDER BY r.window_ends_at, r.id

-- name: unjudged
-- Lock what is not judged of the receipts that were drawn from one list.
SELECT id FROM task_receipts WHERE epoch_id = $1 AND judged_at IS NULL ORDER BY id FOR UPDATE

-- name: stuck
-- Receipts that nobody has decided for longer than $1, oldest first, with all that was said about them.
SELECT r.*, now() AS now,
       coalesce((SELECT json_agg(json_build_object('by', a.by_did, 'type', a.type, 'score', a.score,
                                                   'confidence', a.confidence) ORDER BY a.created_at, a.id)
                   FROM task_attestations a WHERE a.task_id = r.id), '[]') AS said
  FROM task_receipts r
 WHERE r.status = 'pending' AND r.created_at < now() - $1::interval
 ORDER BY r.created_at
 LIMIT $2

-- name: unseated
-- Receipts without a committee, oldest first from the cursor ($1, $2) on.
SELECT r.*, now() AS now, '[]'::json AS said
  FROM task_receipts r
 WHERE r.epoch_id IS NULL AND r.judged_at IS NULL AND (r.created_at, r.id) > ($1, $2)
 ORDER BY r.created_at, r.id
 LIMIT $3
   FOR UPDATE OF r SKIP LOCKED

-- name: postpone
-- Look at a receipt again in five minutes, or when somebody speaks.
UPDATE task_receipts
   SET decidable = false, window_ends_at = greatest(window_ends_at, now() + interval '5 minutes'), version = version + 1
 WHERE id = $1

-- name: conclude
-- Write the course of receipts as decided, unless a row changed since it was read, and tell of it.
-- $1: one object a receipt; $2: the events.
WITH said AS (
  SELECT * FROM json_to_recordset($1::json) AS said (
    id uuid, version int, status text, failure text, finalized_at timestamptz, judged_at timestamptz, committee jsonb,
    short boolean, epoch_id bigint, extensions int, window_ends_at timestamptz, decidable boolean,
    updated_at timestamptz)
), saved AS (
  UPDATE task_receipts r
     SET status = said.status, failure = said.failure, finalized_at = said.finalized_at, judged_at = said.judged_at,
         committee = said.committee,
         later_committee = CASE WHEN said.committee = r.committee THEN r.later_committee ELSE said.committee END,
         committee_short = said.short, epoch_id = said.epoch_id,
         extensions = said.extensions, window_ends_at = said.window_ends_at, decidable = said.decidable,
         updated_at = said.updated_at, version = r.version + 1
    FROM said
   WHERE r.id = said.id AND r.version = said.version
  RETURNING r.id
), told AS (
  INSERT INTO outbox (event, recipients, body)
  SELECT said.event, said.recipients, said.body
    FROM saved
    JOIN ROWS FROM (json_to_recordset($2::json) AS (of uuid, event text, recipients text[], body json))
         WITH ORDINALITY said (of, event, recipients, body, place) ON said.of = saved.id
   ORDER BY said.place
)
SELECT count(*) FROM saved
