-- name: newest
-- Below 0 are the lists of cohorts, which are apart: store/sql/cohorts.sql.
SELECT e.id, e.created_at, e.population, now() AS now,
       (SELECT max(last_seen_at) FROM agents) AS newest_sign_at
  FROM committee_epochs e WHERE e.id > 0 ORDER BY e.id DESC LIMIT 1

-- name: get
SELECT e.id, e.created_at, e.population, e.hash, e.members, e.weights, e.registered_at
  FROM committee_epochs e WHERE e.id = $1

-- name: candidates
-- Every registered agent as it is looked at for a seat; what is being withdrawn does not count.
SELECT a.did, a.created_at, a.last_seen_at, a.expires_at, coalesce(k.amount_locked - k.withdrawing, 0) AS stake,
       p.agent_id AS reputation_of, p.version AS reputation_version, p.observations, p.observed_at, p.clients,
       (p.q * 1000000)::int AS q, (p.t * 1000000)::int AS t, (p.r * 1000000)::int AS r, (p.s * 1000000)::int AS s,
       (p.v * 1000000)::int AS v, (p.i * 1000000)::int AS i, (p.e * 1000000)::int AS e,
       (p.final_t * 1000000)::int AS final_t, p.updated_at AS reputation_updated_at, now() AS now
  FROM agents a
  LEFT JOIN agent_reputation p ON p.agent_id = a.id
  LEFT JOIN agent_stakes k ON k.agent_id = a.id
 WHERE a.cohort IS NULL

-- name: insert
-- Store an epoch; its number, and when it was made.
INSERT INTO committee_epochs (hash, population, members, weights, registered_at)
VALUES ($1, $2, $3, $4, $5)
RETURNING id, created_at

-- name: touch
-- The newest list is still right: it counts as made now.
UPDATE committee_epochs SET created_at = now(), population = $2 WHERE id = $1

-- name: prune
-- Drop lists that no receipt names and that are not in use any more: a later one has been there for an hour. Its own
-- age says nothing: a settlement may have read an old list as the newest a moment ago and name it now.
DELETE FROM committee_epochs e
 WHERE e.id > 0 AND e.id < (SELECT max(id) FROM committee_epochs WHERE created_at < now() - interval '1 hour')
   AND NOT EXISTS (SELECT FROM task_receipts r WHERE r.epoch_id = e.id)
