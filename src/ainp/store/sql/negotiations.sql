-- name: insert
-- Open negotiations ($1), each unless its place among those of its pair is taken, and tell the responders ($2: events);
-- which were opened. Places are taken in order, so two statements that meet never wait for each other in a circle.
WITH opened AS (
  INSERT INTO negotiations (id, intent_id, initiator_did, responder_did, state, rounds, max_rounds,
                            created_at, updated_at, expires_at, place)
  SELECT said.id, said.intent_id, said.initiator, said.responder, said.state, said.rounds, said.max_rounds,
         said.created_at, said.created_at, said.expires_at, said.place
    FROM json_to_recordset($1::json)
         said (id uuid, intent_id text, initiator text, responder text, state text, rounds json, max_rounds int,
               created_at timestamptz, expires_at timestamptz, place smallint)
   ORDER BY said.initiator, said.responder, said.place
      ON CONFLICT DO NOTHING
  RETURNING id
), told AS (
  INSERT INTO outbox (event, recipients, body)
  SELECT said.event, said.recipients, said.body
    FROM opened JOIN json_to_recordset($2::json) said (of uuid, event text, recipients text[], body json)
      ON said.of = opened.id
)
SELECT id FROM opened

-- name: free_place
-- A place among $3 that no open negotiation of $1 with $2 has.
SELECT free.place
  FROM (SELECT generate_series(1, $3::int) AS place
        EXCEPT
        SELECT n.place FROM negotiations n
         WHERE n.initiator_did = $1 AND n.responder_did = $2
           AND n.state IN ('initiated', 'proposed', 'counter_proposed') AND n.place IS NOT NULL) free
 ORDER BY random()
 LIMIT 1

-- name: leave_places
-- Take their places from open negotiations of $1 with $2 whose time is over, and that no job has ended yet.
UPDATE negotiations
   SET place = NULL
 WHERE id IN (SELECT n.id FROM negotiations n
               WHERE n.initiator_did = $1 AND n.responder_did = $2
                 AND n.state IN ('initiated', 'proposed', 'counter_proposed') AND n.place IS NOT NULL
                 AND n.expires_at <= now()
                 FOR UPDATE SKIP LOCKED)
RETURNING id

-- name: get
SELECT n.*, now() AS now FROM negotiations n WHERE n.id = ANY ($1::uuid[])

-- name: get_to_accept
-- Negotiations with what their acceptance depends on. To an agent of a cohort only those of its cohort are registered,
-- and it is to nobody else.
SELECT n.*, now() AS now,
       coalesce((SELECT a.balance + CASE WHEN a.hot THEN coalesce((SELECT sum(p.amount)::bigint FROM ledger_pending p
                                                                    WHERE p.account = a.account), 0) ELSE 0 END
                   FROM accounts a WHERE a.account = 'available:' || n.initiator_did), 0) AS available,
       coalesce((SELECT a.cohort IS NOT DISTINCT FROM (SELECT i.cohort FROM agents i WHERE i.did = n.initiator_did)
                   FROM agents a WHERE a.did = n.responder_did), false) AS responder_registered
  FROM negotiations n
 WHERE n.id = ANY ($1::uuid[])

-- name: get_to_settle
-- Negotiations with what their settlement depends on: who is registered, the worker's reputation, the newest epoch.
-- $2 is the broker's DID.
SELECT n.*, now() AS now,
       w.id AS responder_id, w.cohort,
       coalesce((SELECT true FROM agents a WHERE a.did = $2), false) AS broker_registered,
       coalesce((SELECT true FROM agents a
                  WHERE a.did = coalesce(n.rounds -> -1 -> 'proposal' ->> 'validator_did',
                                         n.rounds -> -1 -> 'proposal' -> 'custom_terms' ->> 'validator_did')), false)
         AS validator_registered,
       e.epoch_id, e.epoch_at, e.population, e.newest_sign_at,
       p.agent_id AS reputation_of, p.version AS reputation_version, p.observations, p.observed_at, p.clients,
       (p.q * 1000000)::int AS q, (p.t * 1000000)::int AS t, (p.r * 1000000)::int AS r, (p.s * 1000000)::int AS s,
       (p.v * 1000000)::int AS v, (p.i * 1000000)::int AS i, (p.e * 1000000)::int AS e,
       (p.final_t * 1000000)::int AS final_t, p.updated_at AS reputation_updated_at
  FROM negotiations n
  LEFT JOIN (SELECT id AS epoch_id, created_at AS epoch_at, population,
                    (SELECT max(last_seen_at) FROM agents) AS newest_sign_at
               FROM committee_epochs WHERE id > 0 ORDER BY id DESC LIMIT 1) e ON true
  LEFT JOIN agents w ON w.did = n.responder_did
  LEFT JOIN agent_reputation p ON p.agent_id = w.id
 WHERE n.id = ANY ($1::uuid[])

-- name: list_of_agent
-- An agent's negotiations, newest first, from the cursor ($4 time, $5 id) on; $2 null or the states wanted. One index for
-- each of its roles. A page ends after $3 rows, or with the first behind which there are $6 bytes of proposals.
SELECT n.*
  FROM (SELECT n.*, sum(octet_length(n.rounds::text)) OVER (ORDER BY n.created_at DESC, n.id DESC) AS bytes
          FROM ((SELECT * FROM negotiations
                  WHERE initiator_did = $1 AND ($2::text[] IS NULL OR state = ANY ($2::text[]))
                    AND (created_at, id) < ($4, $5)
                  ORDER BY created_at DESC, id DESC LIMIT $3)
                UNION ALL
                (SELECT * FROM negotiations
                  WHERE responder_did = $1 AND ($2::text[] IS NULL OR state = ANY ($2::text[]))
                    AND (created_at, id) < ($4, $5)
                  ORDER BY created_at DESC, id DESC LIMIT $3)) n) n
 WHERE n.bytes - octet_length(n.rounds::text) < $6
 ORDER BY n.created_at DESC, n.id DESC
 LIMIT $3

-- name: save
-- Write moves ($1), each unless somebody moved since it was read, with their ledger entries ($2) and events ($3); whose
-- were written.
WITH saved AS (
  UPDATE negotiations n
     SET state = said.state, rounds = said.rounds, convergence_score = said.convergence,
         updated_at = said.updated_at, reserved_atomic = said.reserved, accepted_at = said.accepted_at,
         settle_by = said.settle_by, delivered_at = said.delivered_at, delivery = said.delivery,
         closed_at = said.closed_at, closed_by = said.closed_by, close_reason = said.close_reason,
         seed = decode(said.seed, 'hex'), task_id = said.task_id, version = n.version + 1
    FROM json_to_recordset($1::json)
         said (id uuid, version int, state text, rounds json, convergence numeric, updated_at timestamptz,
               reserved bigint, accepted_at timestamptz, settle_by timestamptz, delivered_at timestamptz,
               delivery json, closed_at timestamptz, closed_by text, close_reason text, seed text, task_id uuid)
   WHERE n.id = said.id AND n.version = said.version
  RETURNING n.id
), posted AS (
  INSERT INTO ledger_entries (key, from_account, to_account, amount, reason, reference)
  SELECT said.key, said.source, said.target, said.amount, said.reason, said.reference
    FROM saved
    JOIN json_to_recordset($2::json)
         said (of uuid, key text, source text, target text, amount bigint, reason text, reference text)
      ON said.of = saved.id
), told AS (
  INSERT INTO outbox (event, recipients, body)
  SELECT said.event, said.recipients, said.body
    FROM saved
    JOIN ROWS FROM (json_to_recordset($3::json) AS (of uuid, event text, recipients text[], body json))
         WITH ORDINALITY said (of, event, recipients, body, place) ON said.of = saved.id
   ORDER BY said.place
)
SELECT id FROM saved

-- name: due
-- Negotiations whose time is over: never answered, or accepted and not delivered.
SELECT n.*, now() AS now
  FROM negotiations n
 WHERE (n.state IN ('initiated', 'proposed', 'counter_proposed') AND n.expires_at <= now())
    OR (n.state = 'accepted' AND n.delivered_at IS NULL AND n.settle_by <= now())
 LIMIT $1
   FOR UPDATE SKIP LOCKED
