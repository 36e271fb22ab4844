-- name: begin
-- From where bus $1 goes on: where it has stopped, or, when there was none before, with what is told from now on.
WITH begun AS (
  INSERT INTO handed_on (bus, position) SELECT $1, last FROM publication ON CONFLICT (bus) DO NOTHING
  RETURNING position
)
SELECT position FROM begun
 UNION ALL
SELECT position FROM handed_on WHERE bus = $1
 LIMIT 1

-- name: following
-- The next $2 events after position $1.
SELECT position, event, recipients, numbers, body::text AS body
  FROM events
 WHERE position > $1
 ORDER BY position
 LIMIT $2

-- name: advance
-- Bus $1 has everything up to $2. Who was the leader a moment ago may come late with less.
UPDATE handed_on SET position = $2, at = now() WHERE bus = $1 AND position < $2

-- name: behind
-- For how many seconds the oldest event that bus $1 has not got yet has waited; 0 if it has all, null if there is none.
SELECT coalesce((SELECT extract(epoch FROM now() - published_at)
                   FROM events WHERE position > h.position ORDER BY position LIMIT 1), 0)::float8
  FROM handed_on h
 WHERE bus = $1
