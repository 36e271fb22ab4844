-- name: settle
-- Settle negotiations, each all of it or nothing: state ($1 to $5), receipt ($6 to $25), the worker's reputation ($26 to
-- $32), entries ($33 to $39), the observations behind the reputation ($40 to $45), events ($46 to $49); whose were
-- written.
-- A negotiation is left alone if it or the reputation changed since they were read. Where an agent has no reputation
-- yet (seen = 0), two first settlements collide on its primary key instead, and the second reads again.
WITH said AS MATERIALIZED (
  SELECT * FROM unnest($1::uuid[], $2::int[], $3::timestamptz[], $4::text[], $5::uuid[], $6::text[], $7::text[],
                       $8::text[], $9::text[], $10::text[], $11::jsonb[], $12::bigint[], $13::jsonb[], $14::text[],
                       $15::int[], $16::int[], $17::bytea[], $18::bytea[], $19::bigint[], $20::bytea[], $21::text[],
                       $22::text[], $23::boolean[], $24::boolean[], $25::timestamptz[], $26::uuid[], $27::int[],
                       $28::text[], $29::text[], $30::text[], $31::int[], $32::timestamptz[])
           said (id, version, at, closed_by, task_id, intent_id, intent_type,
                 agent_did, client_did, outputs_ref, metrics, amount_atomic, distribution, committee,
                 k, m, statement, statement_hash, epoch_id, seed, draw_policy,
                 quorum_mode, committee_short, counts, window_ends_at, agent_id, seen,
                 value, observations, observed_at, clients, updated_at)
), guard AS MATERIALIZED (
  SELECT p.agent_id FROM said JOIN agent_reputation p ON p.agent_id = said.agent_id AND p.version = said.seen
   ORDER BY p.agent_id FOR UPDATE OF p
), saved AS (
  UPDATE negotiations n
     SET state = 'settled', updated_at = said.at, closed_at = said.at, closed_by = said.closed_by,
         task_id = said.task_id, version = n.version + 1
    FROM said
   WHERE n.id = said.id AND n.version = said.version
     AND (said.seen = 0 OR said.agent_id IN (SELECT agent_id FROM guard))
  RETURNING n.id
), posted AS (
  INSERT INTO ledger_entries (key, from_account, to_account, amount, reason, reference)
  SELECT e.key, e.from_account, e.to_account, e.amount, e.reason, e.reference
    FROM saved
    JOIN unnest($33::uuid[], $34::text[], $35::text[], $36::text[], $37::bigint[], $38::text[], $39::text[])
         e (id, key, from_account, to_account, amount, reason, reference) ON e.id = saved.id
), opened AS (
  INSERT INTO task_receipts (
    id, negotiation_id, intent_id, intent_type, agent_did, client_did, outputs_ref, metrics, amount_atomic,
    distribution, committee, k, m, statement, statement_hash, epoch_id, seed, draw_policy, quorum_mode,
    committee_short, counts, window_ends_at, created_at, updated_at)
  SELECT r.task_id, r.id, r.intent_id, r.intent_type, r.agent_did, r.client_did, r.outputs_ref, r.metrics,
         r.amount_atomic, r.distribution, r.committee::jsonb, r.k, r.m, r.statement, r.statement_hash, r.epoch_id, r.seed,
         r.draw_policy, r.quorum_mode, r.committee_short, r.counts, r.window_ends_at, r.at, r.at
    FROM saved JOIN said r ON r.id = saved.id
), reputation AS (
  -- Values are millionths, in the order q, t, r, s, v, i, e, final_t.
  SELECT s.agent_id, s.seen, s.value::int[] AS value, s.observations::int[] AS observations,
         s.observed_at::timestamptz[] AS observed_at, s.clients, s.updated_at
    FROM saved JOIN said s ON s.id = saved.id
), begun AS (
  INSERT INTO agent_reputation (agent_id, q, t, r, s, v, i, e, final_t, observations, observed_at, clients, updated_at)
  SELECT agent_id, value[1] / 1000000.0, value[2] / 1000000.0, value[3] / 1000000.0, value[4] / 1000000.0,
         value[5] / 1000000.0, value[6] / 1000000.0, value[7] / 1000000.0, value[8] / 1000000.0,
         observations, observed_at, clients, updated_at
    FROM reputation WHERE seen = 0
), moved AS (
  UPDATE agent_reputation a
     SET q = n.value[1] / 1000000.0, t = n.value[2] / 1000000.0, r = n.value[3] / 1000000.0,
         s = n.value[4] / 1000000.0, v = n.value[5] / 1000000.0, i = n.value[6] / 1000000.0,
         e = n.value[7] / 1000000.0, final_t = n.value[8] / 1000000.0,
         observations = n.observations, observed_at = n.observed_at, clients = n.clients, updated_at = n.updated_at,
         version = a.version + 1
    FROM reputation n
   WHERE a.agent_id = n.agent_id AND n.seen > 0
), observed AS (
  INSERT INTO reputation_observations (agent_id, task_id, dimension, observed, before, after, reason)
  SELECT said.agent_id, said.task_id, o.dimension, o.observed, o.before, o.after, o.reason
    FROM saved
    JOIN said ON said.id = saved.id
    JOIN unnest($40::uuid[], $41::text[], $42::int[], $43::int[], $44::int[], $45::text[])
         o (id, dimension, observed, before, after, reason) ON o.id = saved.id
), told AS (
  INSERT INTO outbox (event, recipients, body)
  SELECT t.event, string_to_array(t.recipients, ' '), t.body
    FROM saved
    JOIN unnest($46::uuid[], $47::text[], $48::text[], $49::json[]) WITH ORDINALITY
         t (id, event, recipients, body, place) ON t.id = saved.id
   ORDER BY t.place
)
SELECT id FROM saved
