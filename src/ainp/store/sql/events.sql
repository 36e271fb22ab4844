-- name: append
-- Tell one agent ($2) what is no fact of a table: its text ($3) stays as it was written.
INSERT INTO outbox (event, recipients, body) VALUES ($1, ARRAY[$2::text], $3::text::json)

-- name: waiting
-- Whether there is something to publish; by the index, as the table may still be full of dead rows.
SELECT id FROM outbox ORDER BY id LIMIT 1

-- name: publish
-- Move the oldest $1 events out of the outbox: give each its position, and each of its recipients the next number.
-- An event that follows from another was inserted after that was committed, so the outbox's order is a right one. Only
-- the leader runs this; the row of `publication` makes a second one wait. The notice goes out with the commit, and has the
-- events in it if they are few and small: it holds 8000 bytes, and whoever has it need not read them.
WITH taken AS MATERIALIZED (
  DELETE FROM outbox WHERE ctid = ANY (ARRAY(SELECT ctid FROM outbox ORDER BY id LIMIT $1))
  RETURNING id, event, recipients, body, created_at
), published AS MATERIALIZED (
  UPDATE publication SET last = last + (SELECT count(*) FROM taken) WHERE EXISTS (SELECT FROM taken) RETURNING last
), placed AS MATERIALIZED (
  SELECT (SELECT last FROM published) - (SELECT count(*) FROM taken) + row_number() OVER (ORDER BY id) AS position,
         event, recipients, body, created_at
    FROM taken
), told AS MATERIALIZED (
  SELECT did, nth, position, row_number() OVER (PARTITION BY did ORDER BY position) AS count
    FROM placed, unnest(recipients) WITH ORDINALITY AS said (did, nth)
), batches AS MATERIALIZED (
  SELECT did, array_agg(position ORDER BY position) AS positions, count(*) AS size FROM told GROUP BY did
), known AS (
  UPDATE receivers r SET last = r.last + b.size FROM batches b WHERE r.did = b.did
  RETURNING r.did, r.id, r.last - b.size AS before, b.positions
), new AS (
  INSERT INTO receivers (did, last)
  SELECT did, size FROM batches b WHERE NOT EXISTS (SELECT FROM known k WHERE k.did = b.did)
  RETURNING did, id
), numbered AS MATERIALIZED (
  SELECT did, id, before, positions FROM known
   UNION ALL
  SELECT did, n.id, 0, b.positions FROM new n JOIN batches b USING (did)
), delivered AS (
  INSERT INTO deliveries (receiver, first, positions) SELECT id, before + 1, positions FROM numbered
), named AS (
  SELECT t.position, array_agg(n.before + t.count ORDER BY t.nth) AS numbers
    FROM told t JOIN numbered n USING (did)
   GROUP BY t.position
), kept AS (
  INSERT INTO events (position, event, recipients, numbers, body, created_at)
  SELECT p.position, p.event, p.recipients, coalesce(n.numbers, '{}'), p.body, p.created_at
    FROM placed p LEFT JOIN named n USING (position)
), carried AS (
  SELECT json_agg(json_build_array(p.position, p.recipients, coalesce(n.numbers, '{}'), p.body) ORDER BY p.position)::text
         AS events
    FROM placed p LEFT JOIN named n USING (position)
   WHERE (SELECT count(*) <= 16 AND sum(octet_length(body::text)) < 6000 FROM taken)
), notice AS (
  SELECT last || CASE WHEN octet_length(events) < 7900 THEN ' ' || events ELSE '' END AS text FROM published, carried
)
SELECT (SELECT count(*) FROM taken) AS count, (SELECT bool_or(event LIKE 'message.%') FROM taken) AS messages,
       pg_notify('ainp_events', text)
  FROM notice

-- name: head
-- The position of the last event.
SELECT last FROM publication

-- name: between
-- What was published after one position and up to another; $3 null, or only what concerns one of these.
SELECT position, recipients, numbers, body::text AS body
  FROM events
 WHERE position > $1 AND position <= $2 AND ($3::text[] IS NULL OR recipients && $3)
 ORDER BY position

-- name: last_number
-- The number of a receiver's last event.
SELECT coalesce((SELECT last FROM receivers WHERE did = $1), 0)

-- name: page
-- The next $3 events of a receiver after number $2; a body is null once retention has taken the event away. The first
-- row of `deliveries` may begin before $2; each has at least one event, so $3 + 1 of them are enough.
SELECT p.number, e.body::text AS body, r.last
  FROM receivers r
  LEFT JOIN LATERAL (
    SELECT d.first + told.nth - 1 AS number, told.position
      FROM (SELECT first, positions FROM deliveries
             WHERE receiver = r.id
               AND first >= coalesce((SELECT max(first) FROM deliveries WHERE receiver = r.id AND first <= $2 + 1), 0)
             ORDER BY first LIMIT $3 + 1) d,
           unnest(d.positions) WITH ORDINALITY AS told (position, nth)
     WHERE d.first + told.nth - 1 > $2
     ORDER BY 1 LIMIT $3
  ) p ON true
  LEFT JOIN events e ON e.position = p.position
 WHERE r.did = $1
 ORDER BY p.number

-- name: forget
-- Drop those of the oldest $2 events that were published longer than $1 ago, and where their receivers find them.
-- A receiver's oldest events go first, so what is at the beginning of its rows can go with them; LIMIT has no other use
-- than to make the planner go by the index.
WITH old AS (
  DELETE FROM events
   WHERE position = ANY (ARRAY(SELECT position
                                 FROM (SELECT position, published_at FROM events ORDER BY position LIMIT $2) oldest
                                WHERE published_at < now() - $1::interval))
  RETURNING recipients, numbers
), through AS (
  SELECT r.id, max(said.number) AS number
    FROM old, unnest(old.recipients, old.numbers) AS said (did, number) JOIN receivers r USING (did)
   GROUP BY r.id
), gone AS (
  DELETE FROM deliveries
   WHERE ctid = ANY (ARRAY(
     SELECT d.place
       FROM through t,
            LATERAL (SELECT ctid AS place FROM deliveries
                      WHERE receiver = t.id AND first <= t.number AND first + cardinality(positions) - 1 <= t.number
                      LIMIT $2) d))
)
SELECT count(*) FROM old
