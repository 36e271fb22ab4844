-- name: settle
-- Settle negotiations ($1: with receipt and reputation), each all of it or nothing, with entries ($2), the observations
-- behind the reputation ($3) and events ($4); whose were written.
-- A negotiation is left alone if it or the reputation changed since they were read. Where an agent has no reputation
-- yet (seen = 0), two first settlements collide on its primary key instead, and the second reads again.
WITH said AS MATERIALIZED (
  SELECT * FROM json_to_recordset($1::json)
           said (id uuid, version int, at timestamptz, closed_by text, task_id uuid,
                 intent_id text, intent_type text, agent text, client text, outputs_ref text, metrics jsonb,
                 amount bigint, distribution jsonb, committee jsonb, k int, m int, statement text, statement_hash text,
                 epoch_id bigint, seed text, draw text, mode text, short boolean, counts boolean,
                 window_ends_at timestamptz,
                 agent_id uuid, seen int, value int[], observations int[], observed_at timestamptz[], clients int,
                 updated_at timestamptz)
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
  SELECT said.key, said.source, said.target, said.amount, said.reason, said.reference
    FROM saved
    JOIN json_to_recordset($2::json)
         said (of uuid, key text, source text, target text, amount bigint, reason text, reference text)
      ON said.of = saved.id
), opened AS (
  INSERT INTO task_receipts (
    id, negotiation_id, intent_id, intent_type, agent_did, client_did, outputs_ref, metrics, amount_atomic,
    distribution, committee, k, m, statement, statement_hash, epoch_id, seed, draw_policy, quorum_mode,
    committee_short, counts, window_ends_at, created_at, updated_at)
  SELECT r.task_id, r.id, r.intent_id, r.intent_type, r.agent, r.client, r.outputs_ref, r.metrics, r.amount,
         r.distribution, r.committee, r.k, r.m, convert_to(r.statement, 'UTF8'), decode(r.statement_hash, 'hex'),
         r.epoch_id, decode(r.seed, 'hex'), r.draw, r.mode, r.short, r.counts, r.window_ends_at, r.at, r.at
    FROM saved JOIN said r ON r.id = saved.id
), begun AS (
  -- Values are millionths, in the order q, t, r, s, v, i, e, final_t.
  INSERT INTO agent_reputation (agent_id, q, t, r, s, v, i, e, final_t, observations, observed_at, clients, updated_at)
  SELECT n.agent_id, n.value[1] / 1000000.0, n.value[2] / 1000000.0, n.value[3] / 1000000.0, n.value[4] / 1000000.0,
         n.value[5] / 1000000.0, n.value[6] / 1000000.0, n.value[7] / 1000000.0, n.value[8] / 1000000.0,
         n.observations, n.observed_at, n.clients, n.updated_at
    FROM saved JOIN said n ON n.id = saved.id
   WHERE n.seen = 0
), moved AS (
  UPDATE agent_reputation a
     SET q = n.value[1] / 1000000.0, t = n.value[2] / 1000000.0, r = n.value[3] / 1000000.0,
         s = n.value[4] / 1000000.0, v = n.value[5] / 1000000.0, i = n.value[6] / 1000000.0,
         e = n.value[7] / 1000000.0, final_t = n.value[8] / 1000000.0,
         observations = n.observations, observed_at = n.observed_at, clients = n.clients, updated_at = n.updated_at,
         version = a.version + 1
    FROM saved JOIN said n ON n.id = saved.id
   WHERE a.agent_id = n.agent_id AND n.seen > 0
), observed AS (
  INSERT INTO reputation_observations (agent_id, task_id, dimension, observed, before, after, reason)
  SELECT said.agent_id, said.task_id, o.dimension, o.observed, o.before, o.after, o.reason
    FROM saved
    JOIN said ON said.id = saved.id
    JOIN json_to_recordset($3::json) o (of uuid, dimension text, observed int, before int, after int, reason text)
      ON o.of = saved.id
), told AS (
  INSERT INTO outbox (event, recipients, body)
  SELECT said.event, said.recipients, said.body
    FROM saved
    JOIN ROWS FROM (json_to_recordset($4::json) AS (of uuid, event text, recipients text[], body json))
         WITH ORDINALITY said (of, event, recipients, body, place) ON said.of = saved.id
   ORDER BY said.place
)
SELECT id FROM saved
