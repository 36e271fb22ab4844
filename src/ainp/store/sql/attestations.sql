-- name: insert
-- Write an attestation unless somebody spoke since the receipt was read, and tell of it.
WITH heard AS (
  UPDATE task_receipts SET version = version + 1, updated_at = now(), decidable = $13
   WHERE id = $2 AND version = $3
  RETURNING id
), spoken AS (
  INSERT INTO task_attestations (id, task_id, by_did, type, score, confidence, evidence_ref, signature, late,
                                 statement, statement_hash)
  SELECT $1, heard.id, $4, $5, $6::int::numeric / 1000000, $7::int::numeric / 1000000, $8, $9, $10, $11, $12
    FROM heard
), told AS (
  INSERT INTO outbox (event, recipients, body)
  SELECT said.event, string_to_array(said.recipients, ' '), said.body
    FROM heard, unnest($14::text[], $15::text[], $16::json[]) said (event, recipients, body)
)
SELECT count(*) FROM heard

-- name: page
-- A receipt's attestations, oldest first, from the cursor ($2, $3) on.
SELECT a.*
  FROM task_attestations a
 WHERE a.task_id = $1 AND (a.created_at, a.id) > ($2, $3)
 ORDER BY a.created_at, a.id
 LIMIT $4
