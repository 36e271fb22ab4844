-- name: marks
-- Up to which observation of reputations agents were ranked by trust; one at a time.
SELECT done, seen FROM trust_ranking FOR UPDATE

-- name: moved
-- The agents of observations above $1, and those whose rank is a day old: trust decays.
SELECT a.id, p.agent_id AS reputation_of, p.version AS reputation_version, p.observations,
       p.observed_at, p.clients,
       (p.q * 1000000)::int AS q, (p.t * 1000000)::int AS t, (p.r * 1000000)::int AS r, (p.s * 1000000)::int AS s,
       (p.v * 1000000)::int AS v, (p.i * 1000000)::int AS i, (p.e * 1000000)::int AS e,
       (p.final_t * 1000000)::int AS final_t, p.updated_at AS reputation_updated_at
  FROM (SELECT agent_id FROM reputation_observations WHERE id > $1
        UNION
        (SELECT id FROM agents WHERE trust_ranked_at < now() - interval '1 day' ORDER BY trust_ranked_at LIMIT $2)
       ) AS due (id)
  JOIN agents a ON a.id = due.id AND a.cohort IS NULL
  LEFT JOIN agent_reputation p ON p.agent_id = a.id

-- name: rank
-- Write trust as it is now; a row that has it already is only dated.
UPDATE agents a SET trust_rank = said.rank, trust_ranked_at = now()
  FROM unnest($1::uuid[], $2::int[]) AS said (id, rank)
 WHERE a.id = said.id AND (a.trust_rank <> said.rank OR a.trust_ranked_at IS NULL
                           OR a.trust_ranked_at < now() - interval '1 hour')

-- name: mark
-- What was seen the last time is surely complete now: whoever had taken a lower number has committed, or never will.
UPDATE trust_ranking SET done = seen, seen = coalesce((SELECT max(id) FROM reputation_observations), seen)
