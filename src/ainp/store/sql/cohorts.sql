-- name: open
-- Begin a cohort: its number is that of its list of candidates.
INSERT INTO cohorts (id, lent_atomic, ends_at) VALUES (nextval('cohort_numbers'), $1, now() + $2::interval)
RETURNING id, now() AS now

-- name: publish
-- Store a cohort's list of candidates under its number.
INSERT INTO committee_epochs (id, hash, population, members, weights, registered_at)
OVERRIDING SYSTEM VALUE VALUES ($1, $2, $3, $4, $5, $6)

-- name: enroll
-- Register the agents of a cohort, until it ends; without capabilities, so that no search finds them.
INSERT INTO agents (did, public_key, ttl, expires_at, cohort)
SELECT said.did, said.key, extract(epoch FROM $4::interval) * 1000, now() + $4::interval, $1
  FROM unnest($2::text[], $3::text[]) AS said (did, key)

-- name: overdue
-- Cohorts that nobody has closed in time.
SELECT id FROM cohorts WHERE closed_at IS NULL AND ends_at < now() ORDER BY ends_at LIMIT $1

-- name: lock
-- Hold an open cohort until the transaction ends.
SELECT id FROM cohorts WHERE id = $1 AND closed_at IS NULL FOR UPDATE

-- name: unsettled
-- Its negotiations that are not ended, and who may withdraw from each.
SELECT n.id, n.responder_did
  FROM agents a JOIN negotiations n ON n.initiator_did = a.did
 WHERE a.cohort = $1 AND n.state IN ('initiated', 'proposed', 'counter_proposed', 'accepted')
 ORDER BY n.id

-- name: held
-- What the agents of a cohort have, by account; none of theirs is hot.
SELECT x.account, x.balance
  FROM agents a JOIN accounts x ON x.account = 'available:' || a.did
 WHERE a.cohort = $1 AND x.balance > 0
 ORDER BY x.account

-- name: paid
-- What a cohort's settlements and judgements have paid to fees and pool.
SELECT e.to_account AS account, sum(e.amount)::bigint AS amount
  FROM (SELECT 'reserved:' || a.did AS account FROM agents a WHERE a.cohort = $1
        UNION ALL
        SELECT 'reward:' || r.id FROM task_receipts r WHERE r.epoch_id = $1) own
  JOIN ledger_entries e ON e.from_account = own.account AND e.from_account NOT IN ('mint', 'fees', 'pool')
 WHERE e.to_account IN ('fees', 'pool')
 GROUP BY e.to_account
 ORDER BY e.to_account

-- name: close
-- Write down what went back, and that its agents are gone.
WITH closed AS (
  UPDATE cohorts SET closed_at = now(), returned_atomic = $2 WHERE id = $1 RETURNING id
)
UPDATE agents a SET expires_at = least(a.expires_at, now()) FROM closed WHERE a.cohort = closed.id

-- name: state
-- What was lent to a cohort, and what has come back once it is closed.
SELECT lent_atomic, closed_at IS NOT NULL AS closed, returned_atomic FROM cohorts WHERE id = $1
