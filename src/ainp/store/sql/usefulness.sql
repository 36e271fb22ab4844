-- name: lock
-- Hold an agent's row, so that its proofs come one after the other; nothing if it is not registered.
SELECT now() AS now FROM agents WHERE did = $1 FOR NO KEY UPDATE

-- name: history
-- What an agent ($1) has submitted within the last hour, as far as it matters ($3 rows), how much of it scored $4 or
-- more, and whether the trace $2 is among all of it.
SELECT count(*)::int AS in_last_hour, count(*) FILTER (WHERE usefulness_score >= $4::numeric)::int AS nearly_full,
       min(created_at) AS first_at, max(created_at) AS last_at,
       coalesce((SELECT true FROM usefulness_proofs WHERE agent_did = $1 AND trace_id = $2), false) AS repeats
  FROM (SELECT created_at, usefulness_score FROM usefulness_proofs
         WHERE agent_did = $1 AND created_at > now() - interval '1 hour'
         ORDER BY created_at DESC LIMIT $3) h

-- name: worker_of
-- Who did the work of a receipt.
SELECT agent_did FROM task_receipts WHERE id = $1

-- name: insert
-- Keep a proof, and count it: one that waited for another's to be kept is older than the last, not the last.
WITH kept AS (
  INSERT INTO usefulness_proofs (id, intent_id, agent_did, work_type, metrics, attestations, trace_id, receipt_id,
                                 usefulness_score)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::numeric / 100)
  RETURNING created_at
), counted AS (
  INSERT INTO usefulness_totals AS t (agent_did, proofs, last_proof_at)
  SELECT $3, 1, created_at FROM kept
  ON CONFLICT (agent_did) DO UPDATE SET proofs = t.proofs + 1,
                                        last_proof_at = greatest(t.last_proof_at, excluded.last_proof_at)
)
SELECT created_at FROM kept

-- name: of_agent
SELECT a.did, a.usefulness_score_cached, coalesce(t.proofs, 0) AS proofs, t.last_proof_at,
       coalesce(t.breakdown, '{}') AS breakdown
  FROM agents a LEFT JOIN usefulness_totals t ON t.agent_did = a.did
 WHERE a.did = $1

-- name: one_at_a_time
-- Two aggregations at once would only wait for each other's rows. It may take its time, and it is planned by what the
-- tables hold now: a plan that was made while they were small would be a slow one.
SELECT pg_advisory_xact_lock(hashtext('ainp.usefulness')), set_config('plan_cache_mode', 'force_custom_plan', true),
       set_config('statement_timeout', $1, true)

-- name: aggregate
-- Every agent's score: the mean of its proofs of the window $1, 0 without any; how many agents have one, or have lost
-- theirs. agents.usefulness_proofs is how many are evidence: those of finalized receipts, and $2 others at most.
-- Agents are locked by their DIDs, as everybody does who locks several.
WITH recent AS MATERIALIZED (
  SELECT agent_did, work_type, sum(usefulness_score) AS score, count(*)::int AS proofs,
         count(*) FILTER (WHERE EXISTS (SELECT FROM task_receipts r
                                         WHERE r.id = p.receipt_id AND r.finalized_at IS NOT NULL)) AS proven
    FROM usefulness_proofs p WHERE created_at > now() - $1::interval
   GROUP BY agent_did, work_type
), summed AS MATERIALIZED (
  SELECT agent_did, least(100, round(sum(score) / sum(proofs), 2)) AS score,
         (sum(proven) + least(sum(proofs) - sum(proven), $2::int))::int AS proofs,
         jsonb_object_agg(work_type, round(score / proofs, 2)) AS breakdown
    FROM recent GROUP BY agent_did
), faded AS MATERIALIZED (
  SELECT did FROM agents WHERE usefulness_proofs > 0 EXCEPT SELECT agent_did FROM summed
), locked AS MATERIALIZED (
  SELECT a.did, due.score, due.proofs, due.breakdown
    FROM agents a
    JOIN (SELECT * FROM summed UNION ALL SELECT did, 0, 0, '{}' FROM faded) due ON due.agent_did = a.did
   ORDER BY a.did FOR NO KEY UPDATE OF a
), scored AS (
  UPDATE agents a
     SET usefulness_score_cached = l.score, usefulness_proofs = l.proofs, usefulness_last_updated = now()
    FROM locked l WHERE a.did = l.did
  RETURNING a.did
), told AS (
  UPDATE usefulness_totals t SET breakdown = l.breakdown
    FROM locked l WHERE t.agent_did = l.did AND t.breakdown <> l.breakdown
)
SELECT count(*) FROM scored
