"""A database that has been in use for a while: enough rows that a plan which reads a whole table shows."""

import asyncpg

from ainp.store.queries import load

ROWS = 20_000
MESSAGES = 5_000
AGENTS = 500
BUSY = "did:key:zbusy"  # has a part in half of everything: one agent's history is a big table, too

_CLIENT = f"CASE n % 4 WHEN 0 THEN '{BUSY}' ELSE 'did:key:z' || n % {AGENTS} END"
_WORKER = f"CASE n % 4 WHEN 2 THEN '{BUSY}' ELSE 'did:key:z' || (n + 1) % {AGENTS} END"

_FILL = f"""
INSERT INTO agents (did, public_key, ttl, created_at, last_seen_at, expires_at)
SELECT CASE n WHEN 0 THEN '{BUSY}' ELSE 'did:key:z' || n END, 'key', 3600000, now() - n * interval '1 minute',
       now() - n * interval '1 minute', now() + interval '1 hour'
  FROM generate_series(0, {ROWS - 1}) n;

INSERT INTO negotiations (id, intent_id, initiator_did, responder_did, state, created_at, expires_at, settle_by,
                          reserved_atomic, task_id)
SELECT md5('negotiation' || n)::uuid, 'intent ' || n, {_CLIENT}, {_WORKER},
       CASE WHEN n % 50 = 0 THEN 'proposed' WHEN n % 50 = 1 THEN 'accepted' ELSE 'settled' END,
       now() - n * interval '1 second', now() + (1000 - n % 1010) * interval '1 second',
       now() + (1000 - n % 1010) * interval '1 second', 1000,
       CASE WHEN n % 50 > 1 THEN md5('task' || n)::uuid END
  FROM generate_series(0, {ROWS - 1}) n;

INSERT INTO task_receipts (id, negotiation_id, agent_did, client_did, status, committee, epoch_id, decidable, judged_at,
                           window_ends_at, created_at, finalized_at)
SELECT md5('task' || n)::uuid, md5('negotiation' || n)::uuid, {_WORKER}, {_CLIENT},
       CASE WHEN n % 100 = 0 THEN 'pending' WHEN n % 10 = 0 THEN 'failed' ELSE 'finalized' END,
       (SELECT jsonb_agg('did:key:z' || (n + seat * 7) % {AGENTS}) FROM generate_series(2, 6) seat),
       CASE WHEN n % 1000 = 0 THEN NULL ELSE 1 END, n % 400 = 0, CASE WHEN n % 100 > 0 THEN now() END,
       now() + (500 - n % 1010) * interval '1 second', now() - n * interval '1 second',
       CASE WHEN n % 10 > 0 THEN now() - n * interval '1 minute' END
  FROM generate_series(0, {ROWS - 1}) n;

INSERT INTO usefulness_proofs (id, agent_did, work_type, metrics, trace_id, receipt_id, usefulness_score, created_at)
SELECT gen_random_uuid(), {_WORKER}, 'compute', '{{}}', n, md5('task' || n)::uuid, n % 100,
       now() - n * interval '1 minute'
  FROM generate_series(0, {ROWS - 1}) n;
INSERT INTO usefulness_totals (agent_did, proofs, last_proof_at)
SELECT agent_did, count(*), max(created_at) FROM usefulness_proofs GROUP BY agent_did;
INSERT INTO reward_hours (hour, total, from_pool, recipients)
SELECT date_trunc('hour', now()) - n * interval '1 hour', 0, 0, 0 FROM generate_series(1, {ROWS}) n;

INSERT INTO task_attestations (task_id, by_did, type, created_at)
SELECT md5('task' || n)::uuid, 'did:key:z' || (n + seat * 7) % {AGENTS}, 'AUDIT_PASS', now() - n * interval '1 second'
  FROM generate_series(0, {ROWS - 1}) n, generate_series(2, 4) seat;

INSERT INTO ledger_entries (key, from_account, to_account, amount, reason)
SELECT 'welcome:' || did, 'mint', 'available:' || did, 1000000, 'welcome_grant' FROM agents;
INSERT INTO ledger_entries (key, from_account, to_account, amount, reason)
SELECT 'reserve:' || n, 'available:' || {_CLIENT}, 'reserved:' || {_CLIENT}, 1, 'reserve'
  FROM generate_series(0, {ROWS - 1}) n;

UPDATE agents SET usefulness_proofs = 1, usefulness_score_cached = 50 WHERE did LIKE '%7';

INSERT INTO agent_reputation (agent_id) SELECT id FROM agents;
INSERT INTO reputation_observations (agent_id, task_id, dimension, observed, before, after, reason)
SELECT a.id, gen_random_uuid(), 'q', 1, 1, 1, 'seen'
  FROM generate_series(0, {ROWS - 1}) n JOIN agents a ON a.did = {_WORKER};

INSERT INTO idempotency_keys (actor, method, path, key, body_hash, created_at)
SELECT 'did:key:z' || n, 'POST', '/api/negotiations', 'key', '', now() - n * interval '5 seconds'
  FROM generate_series(0, {ROWS - 1}) n;

INSERT INTO committee_epochs (hash, population, members, weights, registered_at, created_at)
SELECT sha256('hash'), 0, '{{}}', '{{}}', '{{}}', now() - n * interval '1 minute' FROM generate_series(0, 999) n;

INSERT INTO payment_requests (id, owner_did, amount_atomic, method, status, provider, provider_id, expires_at,
                              created_at)
SELECT gen_random_uuid(), {_CLIENT}, 1000, 'coinbase',
       CASE WHEN n % 50 = 0 THEN 'pending' WHEN n % 50 = 1 THEN 'created' ELSE 'paid' END, 'coinbase', 'charge ' || n,
       now() + (1000 - n % 1010) * interval '1 second', now() - n * interval '1 minute'
  FROM generate_series(0, {ROWS - 1}) n;
INSERT INTO payment_receipts (request_id, provider, tx_ref, amount_atomic, confirmed_at)
SELECT id, provider, provider_id, amount_atomic, created_at FROM payment_requests WHERE status = 'paid';

INSERT INTO agent_stakes (agent_id, amount_locked, withdrawing, withdrawal, locked_until)
SELECT id, 1000, CASE WHEN n % 10 = 0 THEN 10 ELSE 0 END, CASE WHEN n % 10 = 0 THEN gen_random_uuid() END,
       CASE WHEN n % 10 = 0 THEN now() + (1000 - n % 1010) * interval '1 second' END
  FROM (SELECT id, row_number() OVER (ORDER BY did) AS n FROM agents) a;

INSERT INTO audit_log (event_type, agent_did, ip_address, "timestamp")
SELECT CASE WHEN n % 3 = 0 THEN 'forbidden' ELSE 'replay' END, {_CLIENT}, '192.0.2.1', now() - n * interval '1 minute'
  FROM generate_series(0, {ROWS - 1}) n;

INSERT INTO outbox (event, recipients, body)
SELECT 'receipt.opened', ARRAY[{_WORKER}, {_CLIENT}], '{{}}' FROM generate_series(0, {ROWS - 1}) n;

INSERT INTO messages (id, envelope_id, from_did, to_dids, msg_type, envelope, notice, priority, kept, conversation_id,
                      body_text, created_at, received_at, expires_at)
SELECT md5('message' || n)::uuid, 'envelope ' || n, {_CLIENT}, ARRAY[{_WORKER}], 'INTENT', '{{}}', '{{"n":1}}',
       n % 10 / 10.0, n % 2 = 0, 'conversation ' || n % 1000, 'text', now() - n * interval '1 second',
       now() - n * interval '1 second', now() + (1000 - n % 1010) * interval '1 second'
  FROM generate_series(0, {MESSAGES - 1}) n;

INSERT INTO message_queue (message_id, to_did, from_did, priority, queued_at, expires_at)
SELECT id, to_dids[1], from_did, priority, received_at, expires_at FROM messages;

INSERT INTO mailbox (owner_did, message_id, conversation_id, received, created_at, read_at)
SELECT DISTINCT ON (m.id, own.did) own.did, m.id, m.conversation_id, own.received, m.created_at,
       CASE WHEN m.priority < 0.8 OR NOT own.received THEN now() END
  FROM messages m, LATERAL (VALUES (m.to_dids[1], true), (m.from_did, false)) own (did, received)
 WHERE m.kept
 ORDER BY m.id, own.did, own.received DESC;

INSERT INTO mailbox_labels (owner_did, message_id, label, created_at)
SELECT owner_did, message_id, CASE WHEN left(message_id::text, 2) = '00' THEN 'rare' ELSE 'common' END, created_at
  FROM mailbox;

INSERT INTO contacts (owner_did, peer_did, message_count, last_seen_at)
SELECT CASE n % 2 WHEN 0 THEN '{BUSY}' ELSE 'did:key:z' || n END, 'did:key:zpeer' || n, n % 3,
       now() - n * interval '1 minute'
  FROM generate_series(0, {MESSAGES - 1}) n;

INSERT INTO mail_marks (key, until)
SELECT sha256(('mark' || n)::bytea), now() + (1000 - n % 1010) * interval '1 second'
  FROM generate_series(0, {MESSAGES - 1}) n;

INSERT INTO greylist (from_did, to_did, first_seen_at)
SELECT {_CLIENT}, 'did:key:zpeer' || n, now() - n * interval '5 minutes' FROM generate_series(0, {MESSAGES - 1}) n;

INSERT INTO broker_nodes (id, until) SELECT md5('node' || n)::uuid, now() FROM generate_series(1, 4) n;
INSERT INTO presence (did, node, visit)
SELECT 'did:key:z' || n, md5('node' || 1 + n % 4)::uuid, n FROM generate_series(0, {MESSAGES - 1}) n;
"""  # noqa: S608 - constants of this file


async def fill(connection: asyncpg.Connection) -> None:
    """Fill every table that grows, and let the planner look at them."""
    await connection.execute(_FILL)
    for _ in range(ROWS // 400 - 1):  # the last batch waits
        await connection.execute(load("events")["publish"], 400)
    seats = load("seats")
    until, before = await connection.fetchrow(seats["mark"])
    await connection.fetchval(seats["extend"], until, before, ROWS)
    await connection.execute("VACUUM ANALYZE")
