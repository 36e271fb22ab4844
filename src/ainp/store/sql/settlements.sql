-- name: settle
-- Settle a negotiation, all of it or nothing: state ($1 to $5), entries ($6 to $11), receipt ($12 to $31), the
-- worker's reputation ($32 to $38) with the observations behind it ($39 to $43), events ($44 to $46).
-- Nothing is written if the negotiation or the reputation changed since they were read. Where an agent has no
-- reputation yet ($33 = 0), two first settlements collide on its primary key instead, and the second reads again.
WITH guard AS MATERIALIZED (
  SELECT FROM agent_reputation WHERE agent_id = $32 AND version = $33 FOR UPDATE
), saved AS (
  UPDATE negotiations
     SET state = 'settled', updated_at = $3, closed_at = $3, closed_by = $4, task_id = $5, version = version + 1
   WHERE id = $1 AND version = $2 AND ($33::int = 0 OR EXISTS (SELECT FROM guard))
  RETURNING id
), posted AS (
  INSERT INTO ledger_entries (key, from_account, to_account, amount, reason, reference)
  SELECT said.* FROM saved, unnest($6::text[], $7::text[], $8::text[], $9::bigint[], $10::text[], $11::text[]) said
), opened AS (
  INSERT INTO task_receipts (
    id, negotiation_id, intent_id, intent_type, agent_did, client_did, outputs_ref, metrics, amount_atomic,
    distribution, committee, k, m, statement, statement_hash, epoch_id, seed, draw_policy, quorum_mode,
    committee_short, counts, window_ends_at, created_at, updated_at)
  SELECT $5, saved.id, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29,
         $30, $31, $3, $3
    FROM saved
), reputation AS (
  SELECT ($34::int[])[1]::numeric / 1000000 AS q, ($34::int[])[2]::numeric / 1000000 AS t,
         ($34::int[])[3]::numeric / 1000000 AS r, ($34::int[])[4]::numeric / 1000000 AS s,
         ($34::int[])[5]::numeric / 1000000 AS v, ($34::int[])[6]::numeric / 1000000 AS i,
         ($34::int[])[7]::numeric / 1000000 AS e, ($34::int[])[8]::numeric / 1000000 AS final_t
    FROM saved
), begun AS (
  INSERT INTO agent_reputation (agent_id, q, t, r, s, v, i, e, final_t, observations, observed_at, clients, updated_at)
  SELECT $32, q, t, r, s, v, i, e, final_t, $35::int[], $36::timestamptz[], $37, $38
    FROM reputation WHERE $33::int = 0
), moved AS (
  UPDATE agent_reputation a
     SET q = n.q, t = n.t, r = n.r, s = n.s, v = n.v, i = n.i, e = n.e, final_t = n.final_t,
         observations = $35::int[], observed_at = $36::timestamptz[], clients = $37, updated_at = $38,
         version = a.version + 1
    FROM reputation n
   WHERE a.agent_id = $32 AND $33::int > 0
), observed AS (
  INSERT INTO reputation_observations (agent_id, task_id, dimension, observed, before, after, reason)
  SELECT $32, $5, said.*
    FROM saved, unnest($39::text[], $40::int[], $41::int[], $42::int[], $43::text[]) said
), told AS (
  INSERT INTO outbox (event, recipients, body)
  SELECT said.event, string_to_array(said.recipients, ' '), said.body
    FROM saved, unnest($44::text[], $45::text[], $46::json[]) said (event, recipients, body)
)
SELECT count(*) FROM saved
