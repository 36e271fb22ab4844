-- name: insert
-- Open a negotiation and tell the responder.
WITH opened AS (
  INSERT INTO negotiations (id, intent_id, initiator_did, responder_did, state, rounds, max_rounds,
                            created_at, updated_at, expires_at)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9)
)
INSERT INTO outbox (event, recipients, body)
SELECT said.event, string_to_array(said.recipients, ' '), said.body
  FROM unnest($10::text[], $11::text[], $12::json[]) said (event, recipients, body)

-- name: clock
-- The time of everything that is not read with a row.
SELECT now()

-- name: get
SELECT n.*, now() AS now FROM negotiations n WHERE n.id = $1

-- name: get_to_accept
-- A negotiation with what its acceptance depends on.
SELECT n.*, now() AS now,
       coalesce((SELECT a.balance + CASE WHEN a.hot THEN coalesce((SELECT sum(p.amount)::bigint FROM ledger_pending p
                                                                    WHERE p.account = a.account), 0) ELSE 0 END
                   FROM accounts a WHERE a.account = 'available:' || n.initiator_did), 0) AS available,
       EXISTS (SELECT FROM agents a WHERE a.did = n.responder_did) AS responder_registered
  FROM negotiations n
 WHERE n.id = $1

-- name: get_to_settle
-- A negotiation with what its settlement depends on: who is registered, the worker's reputation, the newest epoch.
-- $2 is the broker's DID.
SELECT n.*, now() AS now,
       (SELECT a.id FROM agents a WHERE a.did = n.responder_did) AS responder_id,
       EXISTS (SELECT FROM agents a WHERE a.did = $2) AS broker_registered,
       EXISTS (SELECT FROM agents a
                WHERE a.did = coalesce(n.rounds -> -1 -> 'proposal' ->> 'validator_did',
                                       n.rounds -> -1 -> 'proposal' -> 'custom_terms' ->> 'validator_did'))
         AS validator_registered,
       e.epoch_id, e.epoch_at, e.population,
       (SELECT max(last_seen_at) FROM agents) AS newest_sign_at,
       p.agent_id AS reputation_of, p.version AS reputation_version, p.observations, p.observed_at, p.clients,
       (p.q * 1000000)::int AS q, (p.t * 1000000)::int AS t, (p.r * 1000000)::int AS r, (p.s * 1000000)::int AS s,
       (p.v * 1000000)::int AS v, (p.i * 1000000)::int AS i, (p.e * 1000000)::int AS e,
       (p.final_t * 1000000)::int AS final_t, p.updated_at AS reputation_updated_at
  FROM negotiations n
  LEFT JOIN LATERAL (SELECT id AS epoch_id, created_at AS epoch_at, population
                       FROM committee_epochs ORDER BY id DESC LIMIT 1) e ON true
  LEFT JOIN agent_reputation p ON p.agent_id = (SELECT a.id FROM agents a WHERE a.did = n.responder_did)
 WHERE n.id = $1

-- name: list_of_agent
-- An agent's negotiations, newest first; $2 null or the states wanted. One index for each of its roles.
SELECT n.*
  FROM ((SELECT * FROM negotiations WHERE initiator_did = $1 AND ($2::text[] IS NULL OR state = ANY ($2::text[]))
          ORDER BY created_at DESC, id DESC LIMIT $3)
        UNION ALL
        (SELECT * FROM negotiations WHERE responder_did = $1 AND ($2::text[] IS NULL OR state = ANY ($2::text[]))
          ORDER BY created_at DESC, id DESC LIMIT $3)) n
 ORDER BY n.created_at DESC, n.id DESC
 LIMIT $3

-- name: save
-- Write a move unless somebody moved since it was read, with its ledger entries ($17 to $22) and events ($23 to $25).
WITH saved AS (
  UPDATE negotiations
     SET state = $3, rounds = $4, convergence_score = $5, updated_at = $6, reserved_atomic = $7, accepted_at = $8,
         settle_by = $9, delivered_at = $10, delivery = $11, closed_at = $12, closed_by = $13, close_reason = $14,
         seed = $15, task_id = $16, version = version + 1
   WHERE id = $1 AND version = $2
  RETURNING id
), posted AS (
  INSERT INTO ledger_entries (key, from_account, to_account, amount, reason, reference)
  SELECT said.* FROM saved, unnest($17::text[], $18::text[], $19::text[], $20::bigint[], $21::text[], $22::text[]) said
), told AS (
  INSERT INTO outbox (event, recipients, body)
  SELECT said.event, string_to_array(said.recipients, ' '), said.body
    FROM saved, unnest($23::text[], $24::text[], $25::json[]) said (event, recipients, body)
)
SELECT count(*) FROM saved

-- name: due
-- Negotiations whose time is over: never answered, or accepted and not delivered.
SELECT n.*, now() AS now
  FROM negotiations n
 WHERE (n.state IN ('initiated', 'proposed', 'counter_proposed') AND n.expires_at <= now())
    OR (n.state = 'accepted' AND n.delivered_at IS NULL AND n.settle_by <= now())
 LIMIT $1
   FOR UPDATE SKIP LOCKED
