-- name: newest
-- Below 0 are the lists of cohorts, which are apart: store/sql/cohorts.sql.
SELECT e.id, e.created_at, e.population, now() AS now,
       (SELECT max(last_seen_at) FROM agents) AS newest_sign_at
  FROM committee_epochs e WHERE e.id > 0 ORDER BY e.id DESC LIMIT 1

-- name: get
SELECT e.id, e.created_at, e.population, e.hash, e.members, e.weights, e.registered_at
  FROM committee_epochs e WHERE e.id = $1

-- name: candidates
-- Registered agents as they are looked at for a seat, $2 of them in the order of their DIDs above $1; what is being
-- withdrawn does not count. One by one (OFFSET 0): a plan that was made while few had a record would compare everybody
-- with all of those.
SELECT a.did, a.created_at, a.last_seen_at, a.expires_at, coalesce(k.amount_locked - k.withdrawing, 0) AS stake,
       p.agent_id AS reputation_of, p.version AS reputation_version, p.observations, p.observed_at, p.clients,
       (p.q * 1000000)::int AS q, (p.t * 1000000)::int AS t, (p.r * 1000000)::int AS r, (p.s * 1000000)::int AS s,
       (p.v * 1000000)::int AS v, (p.i * 1000000)::int AS i, (p.e * 1000000)::int AS e,
       (p.final_t * 1000000)::int AS final_t, p.updated_at AS reputation_updated_at, now() AS now
  FROM agents a
  LEFT JOIN LATERAL (SELECT * FROM agent_reputation WHERE agent_id = a.id OFFSET 0) p ON true
  LEFT JOIN LATERAL (SELECT * FROM agent_stakes WHERE agent_id = a.id OFFSET 0) k ON true
 WHERE a.cohort IS NULL AND a.did > $1
 ORDER BY a.did
 LIMIT $2

-- name: insert
-- Store an epoch; its number, and when it was made.
INSERT INTO committee_epochs (hash, population, members, weights, registered_at)
VALUES ($1, $2, $3, $4, $5)
RETURNING id, created_at

-- name: touch
-- If the newest list is the one with the hash $1, it is still right, and counts as made now.
UPDATE committee_epochs SET created_at = now(), population = $2
 WHERE id = (SELECT max(id) FROM committee_epochs WHERE id > 0) AND hash = $1
RETURNING id

-- name: prune
-- Drop lists that no receipt names and that are not in use any more: a later one has been there for an hour. Its own
-- age says nothing: a settlement may have read an old list as the newest a moment ago and name it now.
DELETE FROM committee_epochs e
 WHERE e.id > 0 AND e.id < (SELECT max(id) FROM committee_epochs WHERE created_at < now() - interval '1 hour')
   AND NOT EXISTS (SELECT FROM task_receipts r WHERE r.epoch_id = e.id)
