-- name: insert
-- Write attestations ($1 to $13), each unless somebody spoke since its receipt was read, and tell of them ($14 to $17);
-- the receipts whose were written.
WITH said AS MATERIALIZED (
  SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::text[], $5::text[], $6::int[], $7::int[], $8::text[],
                       $9::text[], $10::boolean[], $11::bytea[], $12::bytea[], $13::boolean[])
           said (id, task_id, version, by_did, type, score, confidence, evidence_ref, signature, late, statement,
                 statement_hash, decidable)
), heard AS (
  UPDATE task_receipts r SET version = r.version + 1, updated_at = now(), decidable = said.decidable
    FROM said
   WHERE r.id = said.task_id AND r.version = said.version
  RETURNING r.id
), spoken AS (
  INSERT INTO task_attestations (id, task_id, by_did, type, score, confidence, evidence_ref, signature, late,
                                 statement, statement_hash)
  SELECT said.id, said.task_id, said.by_did, said.type, said.score / 1000000.0, said.confidence / 1000000.0,
         said.evidence_ref, said.signature, said.late, said.statement, said.statement_hash
    FROM heard JOIN said ON said.task_id = heard.id
), told AS (
  INSERT INTO outbox (event, recipients, body)
  SELECT t.event, string_to_array(t.recipients, ' '), t.body
    FROM heard
    JOIN unnest($14::uuid[], $15::text[], $16::text[], $17::json[]) WITH ORDINALITY
         t (task_id, event, recipients, body, place) ON t.task_id = heard.id
   ORDER BY t.place
)
SELECT id FROM heard

-- name: page
-- Attestations of receipts ($1), oldest first, each from its cursor ($2, $3) on, $4 of them. OFFSET 0 keeps the planner
-- from walking all attestations by time: those of one receipt are few.
SELECT asked.place, a.*
  FROM unnest($1::uuid[], $2::timestamptz[], $3::uuid[], $4::int[]) WITH ORDINALITY asked (id, at, after, most, place)
 CROSS JOIN LATERAL (SELECT said.*
                       FROM (SELECT * FROM task_attestations WHERE task_id = asked.id OFFSET 0) said
                      WHERE (said.created_at, said.id) > (asked.at, asked.after)
                      ORDER BY said.created_at, said.id
                      LIMIT asked.most) a
 ORDER BY asked.place, a.created_at, a.id
