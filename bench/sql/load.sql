-- name: begin
-- For this session: what a batch is about, and ids that follow time as the broker's do. Triggers are off: they work row
-- by row, and `entries` moves the balances instead. A crash of the machine may lose what is loaded.
SET session_replication_role = replica;
SET synchronous_commit = off;
CREATE TEMP TABLE drawn (
  n bigint, at timestamptz, negotiation_id uuid, task_id uuid, client text, worker text, committee text[]
);
CREATE FUNCTION pg_temp.id_at(kind text, n bigint, at timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
  SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(md5(kind || n), 1, 3) || '8'
          || substr(md5(kind || n), 4, 15))::uuid
$$;

-- name: indexes
-- Those that are no constraint: built at the end they cost a fraction of what they cost row by row.
SELECT c.relname AS name, pg_get_indexdef(i.indexrelid) AS definition
  FROM pg_index i
  JOIN pg_class c ON c.oid = i.indexrelid
 WHERE i.indrelid = ANY (ARRAY['negotiations', 'task_receipts', 'task_attestations', 'ledger_entries',
                               'reputation_observations']::regclass[])
   AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid)

-- name: draw
-- Rows $1 to $2, a tenth of a second apart from $5 on. Each has one of the first $4 agents of $3 as client or worker (they
-- have long histories), one of the others as the other party, and five of those others as committee.
WITH numbered AS (
  SELECT n, n / 2 AS pair, n % 2 = 0 AS buys, cardinality($3::text[]) - $4::int AS others
    FROM generate_series($1::bigint, $2::bigint) n
), party AS (
  SELECT n, $5::timestamptz + n * interval '0.1 second' AS at, buys, others,
         ($3::text[])[1 + pair % $4::int] AS busy, pair * 7 % others AS other
    FROM numbered
)
INSERT INTO drawn
SELECT n, at, pg_temp.id_at('negotiation', n, at), pg_temp.id_at('task', n, at),
       CASE WHEN buys THEN busy ELSE ($3::text[])[1 + $4::int + other] END,
       CASE WHEN buys THEN ($3::text[])[1 + $4::int + other] ELSE busy END,
       ARRAY(SELECT ($3::text[])[1 + $4::int + (other + seat * (others / 8)) % others] FROM generate_series(1, 5) seat)
  FROM party

-- name: forget
TRUNCATE drawn

-- name: deposit
-- Enough for everybody to pay what is loaded.
WITH posted AS (
  INSERT INTO ledger_entries (key, from_account, to_account, amount, reason)
  SELECT 'deposit:bench:' || did, 'mint', 'available:' || did, 1000000000000, 'deposit' FROM unnest($1::text[]) did
  ON CONFLICT (key) DO NOTHING
  RETURNING to_account, amount
), owed AS (
  INSERT INTO accounts AS a (account, balance) SELECT 'mint', -sum(amount) FROM posted HAVING count(*) > 0
  ON CONFLICT (account) DO UPDATE SET balance = a.balance + excluded.balance
)
INSERT INTO accounts AS a (account, balance) SELECT to_account, amount FROM posted
ON CONFLICT (account) DO UPDATE SET balance = a.balance + excluded.balance

-- name: negotiations
INSERT INTO negotiations (id, intent_id, initiator_did, responder_did, state, rounds, convergence_score, created_at,
                          updated_at, expires_at, version, reserved_atomic, accepted_at, settle_by, closed_at,
                          closed_by, seed, task_id)
SELECT negotiation_id, 'translate-contract', client, worker, 'settled',
       json_build_array(
         json_build_object('round_number', 1, 'proposer_did', client, 'proposal',
                           json_build_object('price', 2, 'delivery_time', 60000, 'quality_sla', 0.9),
                           'timestamp', (extract(epoch FROM at) * 1000)::bigint,
                           'terms_hash', encode(sha256(client::bytea), 'hex'),
                           'convergence_delta', null, 'signature', null, 'countersignature', null),
         json_build_object('round_number', 2, 'proposer_did', worker, 'proposal',
                           json_build_object('price', 2, 'delivery_time', 90000, 'quality_sla', 0.9),
                           'timestamp', (extract(epoch FROM at) * 1000)::bigint,
                           'terms_hash', encode(sha256(worker::bytea), 'hex'),
                           'convergence_delta', 0.83, 'signature', null, 'countersignature', null)),
       0.83, at, at, at + interval '1 hour', 4, 2000, at, at + interval '1 hour', at, client,
       sha256(negotiation_id::text::bytea), task_id
  FROM drawn

-- name: receipts
-- $1: the epoch; $2: whether they are judged, or pending with a quorum that nobody has looked at.
INSERT INTO task_receipts (id, negotiation_id, intent_id, intent_type, agent_did, client_did, metrics, amount_atomic,
                           distribution, statement, statement_hash, status, committee, k, m, epoch_id, seed, version,
                           decidable, created_at, updated_at, window_ends_at, finalized_at, judged_at)
SELECT task_id, negotiation_id, 'translate-contract', 'NEGOTIATION', worker, client,
       '{"price": 2, "rounds": 2, "latency_ms": 10, "convergence": 0.83, "delivery_time_ms": 90000}', 2000,
       '{"pool": "200", "agent": "1400", "broker": "200", "reward": "200", "validator": "0"}',
       said.statement, sha256(said.statement), CASE WHEN $2 THEN 'finalized' ELSE 'pending' END, to_jsonb(committee),
       3, 5, $1::bigint, sha256(negotiation_id::text::bytea), 4, NOT $2, at, at, at + interval '1 hour',
       CASE WHEN $2 THEN at + interval '1 minute' END, CASE WHEN $2 THEN at + interval '1 hour' END
  FROM drawn,
       LATERAL (SELECT convert_to(json_build_object(
                  'accepted_at', at, 'agent_did', worker, 'amount_atomic', '2000', 'client_did', client,
                  'committee', committee, 'negotiation_id', negotiation_id, 'task_id', task_id, 'seed_commitment',
                  encode(sha256(negotiation_id::text::bytea), 'hex'), 'terms', repeat('terms ', 120))::text, 'UTF8')
                  AS statement) said

-- name: attestations
-- A quorum of three.
INSERT INTO task_attestations (id, task_id, by_did, type, score, confidence, created_at, statement, statement_hash)
SELECT pg_temp.id_at('attestation' || seat, n, at), task_id, committee[seat], 'AUDIT_PASS', 0.9, 0.8,
       at + seat * interval '1 second', said.statement, sha256(said.statement)
  FROM drawn, generate_series(1, 3) seat,
       LATERAL (SELECT convert_to(json_build_object(
                  'by_did', committee[seat], 'confidence', 0.8, 'evidence_ref', null, 'score', 0.9, 'task_id', task_id,
                  'type', 'AUDIT_PASS')::text, 'UTF8') AS statement) said

-- name: accounts
-- All that `entries` moves; nothing is in them yet.
INSERT INTO accounts (account)
SELECT 'reserved:' || client FROM drawn
UNION SELECT 'reward:' || task_id FROM drawn
UNION SELECT unnest(ARRAY['fees', 'pool'])
ON CONFLICT DO NOTHING

-- name: entries
-- Reservation, settlement and, where $1, the reward; with the balances they add up to.
WITH said AS (
  SELECT n, 1 AS step, 'reserve:' || negotiation_id AS key, 'available:' || client AS source,
         'reserved:' || client AS target, 2000 AS amount, 'reserve' AS reason, negotiation_id::text AS reference, at
    FROM drawn
  UNION ALL
  SELECT n, 2, 'settle:' || negotiation_id || ':' || part.name, 'reserved:' || client, part.target, part.amount,
         'settlement', negotiation_id::text, at
    FROM drawn,
         LATERAL (VALUES ('agent', 'available:' || worker, 1400), ('broker', 'fees', 200), ('pool', 'pool', 200),
                         ('validator', 'reward:' || task_id, 200)) AS part (name, target, amount)
  UNION ALL
  SELECT n, 3, 'reward:' || task_id || ':' || coalesce(member, 'pool'), 'reward:' || task_id,
         coalesce('available:' || member, 'pool'), CASE WHEN member IS NULL THEN 2 ELSE 66 END,
         CASE WHEN member IS NULL THEN 'reward_remainder' ELSE 'audit_reward' END, task_id::text,
         at + interval '1 hour'
    FROM drawn, unnest(committee[1:3] || ARRAY[NULL]) member
   WHERE $1
), posted AS (
  INSERT INTO ledger_entries (key, from_account, to_account, amount, reason, reference, created_at)
  SELECT key, source, target, amount, reason, reference, at FROM said ORDER BY n, step
  RETURNING from_account, to_account, amount, reason IN ('settlement', 'audit_reward', 'reward_remainder') AS counts
), side AS (
  SELECT to_account AS account, amount, CASE WHEN counts THEN amount ELSE 0 END AS earned, 0 AS spent FROM posted
  UNION ALL
  SELECT from_account, -amount, 0, CASE WHEN counts THEN amount ELSE 0 END FROM posted
)
UPDATE accounts a
   SET balance = a.balance + moved.amount, earned = a.earned + moved.earned, spent = a.spent + moved.spent
  FROM (SELECT account, sum(amount) AS amount, sum(earned) AS earned, sum(spent) AS spent FROM side GROUP BY account) moved
 WHERE a.account = moved.account

-- name: observations
-- What settling showed, and where $1, what judging did.
INSERT INTO reputation_observations (agent_id, task_id, dimension, observed, before, after, reason, created_at)
SELECT a.id, d.task_id, seen.dimension, seen.observed, 500000, 500000, seen.reason, d.at
  FROM drawn d
  JOIN agents a ON a.did = d.worker,
       LATERAL (VALUES ('t', 1000000, 'took 10 ms, 90000 ms agreed', true),
                       ('i', 159017, '2000 atomic units were paid', true), ('r', 1000000, 'finalized', false),
                       ('q', 900000, 'median score of the verdicts', false),
                       ('v', 900000, 'median confidence of the verdicts', false))
         AS seen (dimension, observed, reason, settled)
 WHERE seen.settled OR $1
 ORDER BY d.n

-- name: reputations
INSERT INTO agent_reputation (agent_id)
SELECT id FROM agents WHERE did IN (SELECT worker FROM drawn) ON CONFLICT DO NOTHING

-- name: clients
-- Who had a receipt of whom judged.
INSERT INTO reputation_clients (agent_id, client_did)
SELECT DISTINCT a.id, d.client FROM drawn d JOIN agents a ON a.did = d.worker WHERE $1 ON CONFLICT DO NOTHING

-- name: count_observations
UPDATE agent_reputation p
   SET observations = ARRAY[o.q, o.t, o.r, 0, o.v, o.i, 0, 0],
       clients = (SELECT count(*) FROM reputation_clients c WHERE c.agent_id = p.agent_id)
  FROM (SELECT agent_id, count(*) FILTER (WHERE dimension = 'q') AS q, count(*) FILTER (WHERE dimension = 't') AS t,
               count(*) FILTER (WHERE dimension = 'r') AS r, count(*) FILTER (WHERE dimension = 'v') AS v,
               count(*) FILTER (WHERE dimension = 'i') AS i
          FROM reputation_observations GROUP BY agent_id) o
 WHERE o.agent_id = p.agent_id

-- name: agents
-- Agents that registered through nobody: $1 their DIDs.
INSERT INTO agents (did, public_key, ttl, created_at, last_seen_at, expires_at)
SELECT did, encode(sha256(did::bytea), 'hex'), 2592000000, now() - interval '1 day', now() - interval '1 hour',
       now() + interval '30 days'
  FROM unnest($1::text[]) did

-- name: end_windows
-- As if an hour had passed since what is decided was settled.
UPDATE task_receipts SET window_ends_at = now() - interval '1 second' WHERE judged_at IS NULL AND status = 'finalized'

-- name: unlist
-- Triggers are off here, so the seats of what was loaded are to be listed from the beginning.
WITH emptied AS (DELETE FROM receipt_seats)
UPDATE seat_listing SET listed_until = '-infinity'
