-- name: insert
-- Write attestations ($1), each unless somebody spoke since its receipt was read, and tell of them ($2: events); the
-- receipts whose were written.
WITH said AS MATERIALIZED (
  SELECT * FROM json_to_recordset($1::json)
           said (id uuid, task_id uuid, version int, by text, type text, score int, confidence int, evidence_ref text,
                 signature text, scheme text, key_id text, public_key text, late boolean, statement text,
                 statement_hash text, decidable boolean)
), heard AS (
  UPDATE task_receipts r SET version = r.version + 1, updated_at = now(), decidable = said.decidable
    FROM said
   WHERE r.id = said.task_id AND r.version = said.version
  RETURNING r.id
), spoken AS (
  INSERT INTO task_attestations (id, task_id, by_did, type, score, confidence, evidence_ref, signature,
                                 scheme, key_id, public_key, late, statement, statement_hash)
  SELECT said.id, said.task_id, said.by, said.type, said.score / 1000000.0, said.confidence / 1000000.0,
         said.evidence_ref, said.signature, said.scheme, said.key_id, decode(said.public_key, 'hex'), said.late,
         convert_to(said.statement, 'UTF8'), decode(said.statement_hash, 'hex')
    FROM heard JOIN said ON said.task_id = heard.id
), told AS (
  INSERT INTO outbox (event, recipients, body)
  SELECT said.event, said.recipients, said.body
    FROM heard
    JOIN ROWS FROM (json_to_recordset($2::json) AS (of uuid, event text, recipients text[], body json))
         WITH ORDINALITY said (of, event, recipients, body, place) ON said.of = heard.id
   ORDER BY said.place
)
SELECT id FROM heard

-- name: page
-- Attestations of receipts ($1), oldest first, each from its cursor ($2, $3) on, $4 of them. OFFSET 0 keeps the planner
-- from walking all attestations by time: those of one receipt are few.
SELECT asked.place, a.id, a.task_id, a.by_did, a.type, a.score::float8, a.confidence::float8, a.evidence_ref,
       a.signature, a.scheme, a.key_id, a.public_key, a.late, a.statement, a.statement_hash, a.created_at
  FROM unnest($1::uuid[], $2::timestamptz[], $3::uuid[], $4::int[]) WITH ORDINALITY asked (id, at, after, most, place)
 CROSS JOIN LATERAL (SELECT said.*
                       FROM (SELECT * FROM task_attestations WHERE task_id = asked.id OFFSET 0) said
                      WHERE (said.created_at, said.id) > (asked.at, asked.after)
                      ORDER BY said.created_at, said.id
                      LIMIT asked.most) a
 ORDER BY asked.place, a.created_at, a.id
