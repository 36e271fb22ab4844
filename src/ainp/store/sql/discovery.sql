-- name: known
-- A model by its name, and whether vectors of it can be searched.
SELECT id, dimension, floor, ceiling,
       to_regclass('idx_capability_vectors_' || id || '_recorded') IS NOT NULL AS prepared
  FROM embedding_models WHERE name = $1

-- name: prepare
-- Make a model's vectors searchable: see migration 045. NULL where the extension is missing.
SELECT prepare_vectors($1, $2, $3::real, $4::real)

-- name: describe
-- Give an agent exactly these capabilities, as `describe` of agents does, with their vectors; each is an array in JSON,
-- as the extension reads one, or NULL. One that is there already is left alone: writing to the index costs more than
-- all the rest.
WITH gone AS (
  DELETE FROM capabilities c WHERE c.agent_id = $1 AND NOT (c.description = ANY ($2::text[]))
), described AS (
  INSERT INTO capabilities (agent_id, description, tags, version, evidence, latency_ms, cost)
  SELECT $1, said.description, ARRAY(SELECT json_array_elements_text(said.tags::json)), said.version, said.evidence,
         said.latency_ms, said.cost
    FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[])
           AS said (description, tags, version, evidence, latency_ms, cost)
  ON CONFLICT (agent_id, description) DO UPDATE
     SET tags = excluded.tags, version = excluded.version, evidence = excluded.evidence,
         latency_ms = excluded.latency_ms, cost = excluded.cost
  RETURNING id, description
)
INSERT INTO capability_vectors AS v (capability_id, model_id, embedding)
SELECT d.id, $8, said.embedding::halfvec
  FROM unnest($2::text[], $9::text[]) AS said (description, embedding)
  JOIN described d ON d.description = said.description
 WHERE said.embedding IS NOT NULL
    ON CONFLICT (capability_id, model_id) DO UPDATE SET embedding = excluded.embedding
 WHERE v.embedding <> excluded.embedding

-- name: nearest
-- The capabilities of agents that have not expired which are nearest to $1 (an array in JSON, read once, by the SELECT
-- around it), along the index of the model, which looks at {depth} before it says which are nearest: set here, before
-- the scan begins, and for this statement alone. What does not pass the filters is skipped, and the scan goes on
-- (iterative scan), so that filters cost no recall; they are looked at one by one (OFFSET 0), as the planner would
-- rather join and sort everything. $2 is tags of which one is enough (NULL: any), $3 the least trust, $4 are agents to
-- leave out, $5 and $6 the most that a capability may say that it takes and costs, if it says so. It follows the order
-- of the index only roughly. {model}, {dimension} and {most} are numbers that a plan has to know.
SELECT near.did, v.capability_id, near.said, near.trust_rank, near.usefulness_proofs, near.usefulness,
       1 - (v.embedding::halfvec({dimension}) <=> (SELECT $1::text::halfvec({dimension}))) AS cosine
  FROM capability_vectors v
 CROSS JOIN LATERAL (
        SELECT a.did, c.description || ' ' || array_to_string(c.tags, ' ') AS said, a.trust_rank, a.usefulness_proofs,
               (a.usefulness_score_cached * 100)::int AS usefulness
          FROM capabilities c JOIN agents a ON a.id = c.agent_id
         WHERE c.id = v.capability_id
           AND (a.expires_at IS NULL OR a.expires_at > now())
           AND ($2::text[] IS NULL OR c.tags && $2::text[])
           AND a.trust_rank >= $3::int
           AND a.did <> ALL ($4::text[])
           AND (c.latency_ms IS NULL OR c.latency_ms <= $5::bigint)
           AND (c.cost IS NULL OR c.cost <= $6::bigint)
        OFFSET 0) near
 WHERE v.model_id = {model}
 ORDER BY v.embedding::halfvec({dimension}) <=>
          (SELECT $1::text::halfvec({dimension}) FROM set_config('hnsw.ef_search', '{depth}', true))
 LIMIT {most}

-- name: nearest_recorded
-- The same among those who have a record (migration 045), along their own index: for a least trust above 0.
SELECT near.did, v.capability_id, near.said, near.trust_rank, near.usefulness_proofs, near.usefulness,
       1 - (v.embedding::halfvec({dimension}) <=> (SELECT $1::text::halfvec({dimension}))) AS cosine
  FROM capability_vectors v
 CROSS JOIN LATERAL (
        SELECT a.did, c.description || ' ' || array_to_string(c.tags, ' ') AS said, a.trust_rank, a.usefulness_proofs,
               (a.usefulness_score_cached * 100)::int AS usefulness
          FROM capabilities c JOIN agents a ON a.id = c.agent_id
         WHERE c.id = v.capability_id
           AND (a.expires_at IS NULL OR a.expires_at > now())
           AND ($2::text[] IS NULL OR c.tags && $2::text[])
           AND a.trust_rank >= $3::int
           AND a.did <> ALL ($4::text[])
           AND (c.latency_ms IS NULL OR c.latency_ms <= $5::bigint)
           AND (c.cost IS NULL OR c.cost <= $6::bigint)
        OFFSET 0) near
 WHERE v.model_id = {model} AND v.recorded
 ORDER BY v.embedding::halfvec({dimension}) <=>
          (SELECT $1::text::halfvec({dimension}) FROM set_config('hnsw.ef_search', '{depth}', true))
 LIMIT {most}

-- name: nearest_tagged
-- The same by looking at every capability that has one of the tags: for tags that few have. One by one (OFFSET 0), as a
-- plan that was made while there were few vectors would read all of them; and agents are looked up in the order of
-- distance until enough have passed, not all of them.
SELECT a.did, near.capability_id, near.description || ' ' || array_to_string(near.tags, ' ') AS said, a.trust_rank,
       a.usefulness_proofs, (a.usefulness_score_cached * 100)::int AS usefulness, 1 - near.distance AS cosine
  FROM (SELECT c.id AS capability_id, c.agent_id, c.description, c.tags, v.distance
          FROM capabilities c
         CROSS JOIN LATERAL (
                SELECT v.embedding <=> (SELECT $1::text::halfvec) AS distance
                  FROM capability_vectors v WHERE v.capability_id = c.id AND v.model_id = {model}
                OFFSET 0) v
         WHERE c.tags && $2::text[]
           AND (c.latency_ms IS NULL OR c.latency_ms <= $5::bigint)
           AND (c.cost IS NULL OR c.cost <= $6::bigint)
         ORDER BY v.distance
        OFFSET 0) near
 CROSS JOIN LATERAL (
        SELECT * FROM agents a
         WHERE a.id = near.agent_id
           AND (a.expires_at IS NULL OR a.expires_at > now())
           AND a.trust_rank >= $3::int
           AND a.did <> ALL ($4::text[])
        OFFSET 0) a
 LIMIT {most}

-- name: nearest_trusted
-- The same by looking at every agent of that trust, which is above 0: for trust that few have. Agent by agent
-- (OFFSET 0), as the planner does not know how few they are and would rather read all capabilities there are.
SELECT a.did, said.capability_id, said.said, a.trust_rank, a.usefulness_proofs,
       (a.usefulness_score_cached * 100)::int AS usefulness, 1 - said.distance AS cosine
  FROM agents a
 CROSS JOIN LATERAL (
        SELECT c.id AS capability_id, c.description || ' ' || array_to_string(c.tags, ' ') AS said,
               v.embedding <=> (SELECT $1::text::halfvec) AS distance
          FROM capabilities c
          JOIN capability_vectors v ON v.capability_id = c.id AND v.model_id = {model}
         WHERE c.agent_id = a.id AND ($2::text[] IS NULL OR c.tags && $2::text[])
           AND (c.latency_ms IS NULL OR c.latency_ms <= $5::bigint)
           AND (c.cost IS NULL OR c.cost <= $6::bigint)
        OFFSET 0) said
 WHERE a.trust_rank >= $3::int AND a.trust_rank > 0
   AND (a.expires_at IS NULL OR a.expires_at > now())
   AND a.did <> ALL ($4::text[])
 ORDER BY said.distance
 LIMIT {most}

-- name: nearest_within
-- The same by looking at every capability that says no more than $5 and $6: for terms that few keep to. As of tags, but
-- along the index of migration 049, in which both are, so that what is quick or cheap, but not both, is not fetched.
SELECT a.did, near.capability_id, near.description || ' ' || array_to_string(near.tags, ' ') AS said, a.trust_rank,
       a.usefulness_proofs, (a.usefulness_score_cached * 100)::int AS usefulness, 1 - near.distance AS cosine
  FROM (SELECT c.id AS capability_id, c.agent_id, c.description, c.tags, v.distance
          FROM capabilities c
         CROSS JOIN LATERAL (
                SELECT v.embedding <=> (SELECT $1::text::halfvec) AS distance
                  FROM capability_vectors v WHERE v.capability_id = c.id AND v.model_id = {model}
                OFFSET 0) v
         WHERE coalesce(c.latency_ms, 0) <= $5::bigint AND coalesce(c.cost, 0) <= $6::bigint
           AND ($2::text[] IS NULL OR c.tags && $2::text[])
         ORDER BY v.distance
        OFFSET 0) near
 CROSS JOIN LATERAL (
        SELECT * FROM agents a
         WHERE a.id = near.agent_id
           AND (a.expires_at IS NULL OR a.expires_at > now())
           AND a.trust_rank >= $3::int
           AND a.did <> ALL ($4::text[])
        OFFSET 0) a
 LIMIT {most}

-- name: tagged
-- How many capabilities have one of the tags, counted up to {few} and one more.
SELECT count(*) FROM (SELECT FROM capabilities WHERE tags && $1::text[] LIMIT {few} + 1) counted

-- name: within
-- How many capabilities say no more than $1 milliseconds and $2 atomic units, or nothing, counted likewise.
SELECT count(*) FROM (SELECT FROM capabilities
                       WHERE coalesce(latency_ms, 0) <= $1::bigint AND coalesce(cost, 0) <= $2::bigint
                       LIMIT {few} + 1) counted

-- name: trusted
-- How many agents have that trust, which is above 0, counted likewise.
SELECT count(*) FROM (SELECT FROM agents WHERE trust_rank >= $1::int AND trust_rank > 0 LIMIT {few} + 1) counted

-- name: indexed
-- How many bytes an index of a model has; $2 is the end of its name.
SELECT pg_relation_size(('idx_capability_vectors_' || $1::int || $2::text)::regclass)

-- name: shown
-- Agents as a search shows them; of each the capability that was found ($2) first, and at most $3 in all.
SELECT a.did, a.public_key, a.usefulness_score_cached, a.usefulness_last_updated, now() AS now,
       (SELECT json_agg(json_build_object('description', c.description, 'tags', c.tags, 'version', c.version,
                                          'evidence', c.evidence, 'latency_ms', c.latency_ms, 'cost', c.cost))
          FROM (SELECT * FROM capabilities c WHERE c.agent_id = a.id
                 ORDER BY c.id <> found.capability_id, c.created_at, c.description LIMIT $3) c) AS capabilities,
       p.agent_id AS reputation_of, p.version AS reputation_version, p.observations, p.observed_at, p.clients,
       (p.q * 1000000)::int AS q, (p.t * 1000000)::int AS t, (p.r * 1000000)::int AS r, (p.s * 1000000)::int AS s,
       (p.v * 1000000)::int AS v, (p.i * 1000000)::int AS i, (p.e * 1000000)::int AS e,
       (p.final_t * 1000000)::int AS final_t, p.updated_at AS reputation_updated_at
  FROM unnest($1::text[], $2::uuid[]) AS found (did, capability_id)
  JOIN agents a ON a.did = found.did
  LEFT JOIN agent_reputation p ON p.agent_id = a.id

-- name: shown_without_reputation
-- The same before the table of reputations is there.
SELECT a.did, a.public_key, a.usefulness_score_cached, a.usefulness_last_updated, now() AS now,
       (SELECT json_agg(json_build_object('description', c.description, 'tags', c.tags, 'version', c.version,
                                          'evidence', c.evidence, 'latency_ms', c.latency_ms, 'cost', c.cost))
          FROM (SELECT * FROM capabilities c WHERE c.agent_id = a.id
                 ORDER BY c.id <> found.capability_id, c.created_at, c.description LIMIT $3) c) AS capabilities,
       NULL AS reputation_of
  FROM unnest($1::text[], $2::uuid[]) AS found (did, capability_id)
  JOIN agents a ON a.did = found.did

-- name: embeddings
-- The vectors of agents' capabilities by agent and description.
SELECT a.did, c.description, v.embedding::real[] AS embedding
  FROM agents a
  JOIN capabilities c ON c.agent_id = a.id
  JOIN capability_vectors v ON v.capability_id = c.id AND v.model_id = $2
 WHERE a.did = ANY ($1::text[])

-- name: missing
-- Capabilities of agents that have not expired which have no vector of the model, in the order of their ids above $2.
SELECT c.id, c.description, c.tags
  FROM capabilities c JOIN agents a ON a.id = c.agent_id
 WHERE c.id > $2
   AND (a.expires_at IS NULL OR a.expires_at > now())
   AND NOT EXISTS (SELECT FROM capability_vectors v WHERE v.capability_id = c.id AND v.model_id = $1)
 ORDER BY c.id LIMIT $3

-- name: fill
-- Give capabilities the vectors that they lack, each an array in JSON. One that is gone gets none, and one that was
-- described anew in between has its vector by that.
INSERT INTO capability_vectors (capability_id, model_id, embedding)
SELECT c.id, $1, said.embedding::halfvec
  FROM unnest($2::uuid[], $3::text[]) AS said (id, embedding)
  JOIN capabilities c ON c.id = said.id
   FOR KEY SHARE OF c
    ON CONFLICT (capability_id, model_id) DO NOTHING

-- name: size
-- How many capabilities of agents that have not expired there are, and how many have a vector of the model.
SELECT count(*) AS capabilities, count(v.capability_id) AS embedded
  FROM capabilities c
  JOIN agents a ON a.id = c.agent_id AND (a.expires_at IS NULL OR a.expires_at > now())
  LEFT JOIN capability_vectors v ON v.capability_id = c.id AND v.model_id = $1

-- name: others
-- Models whose vectors are stored beside those of model $1.
SELECT m.id, m.name FROM embedding_models m WHERE m.id <> $1 ORDER BY m.id

-- name: forget
-- Drop up to $2 vectors of another model.
DELETE FROM capability_vectors
 WHERE (capability_id, model_id) IN (
   SELECT capability_id, model_id FROM capability_vectors WHERE model_id = $1 LIMIT $2)
