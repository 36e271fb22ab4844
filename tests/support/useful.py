"""Useful agents by the thousand: registered, paid for their work, with proofs of it, each in one statement."""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from ainp.core.audit import Finding
from ainp.store import fsck
from ainp.store.db import Database, Session

_REGISTER = """
WITH registered AS (
  INSERT INTO agents (did, public_key, ttl, expires_at)
  SELECT did, 'key', 86400000, now() + interval '1 day' FROM unnest($1::text[]) AS did
  RETURNING did
)
INSERT INTO ledger_entries (key, from_account, to_account, amount, reason, reference)
SELECT 'welcome:' || did, 'mint', 'available:' || did, $2::bigint, 'welcome_grant', did FROM registered
"""
_TRADE = """
WITH traded AS (
  INSERT INTO task_receipts (agent_did, client_did, status, amount_atomic, distribution, finalized_at)
  SELECT worker, client, $4, $3::bigint,
         jsonb_build_object('agent', ($3 / 10 * 7)::text, 'broker', ($3 / 10)::text, 'pool', ($3 / 10)::text,
                            'reward', ($3 / 10)::text),
         CASE WHEN $4 = 'finalized' THEN $5::timestamptz END
    FROM unnest($1::text[], $2::text[]) AS pair (client, worker)
  RETURNING id, agent_did, client_did
), paid AS (
  INSERT INTO ledger_entries (key, from_account, to_account, amount, reason, reference)
  SELECT 'settle:' || t.id || ':' || part.name, 'available:' || t.client_did, part.target, $3 / 10 * part.tenths,
         'settlement', t.id
    FROM traded t
   CROSS JOIN LATERAL (VALUES ('agent', 'available:' || t.agent_did, 7), ('broker', 'fees', 1), ('pool', 'pool', 1),
                              ('validator', 'reward:' || t.id, 1)) AS part (name, target, tenths)
   WHERE $3 > 0
)
SELECT id, agent_did FROM traded
"""
_PROVE = """
WITH proven AS (
  INSERT INTO usefulness_proofs (id, agent_did, work_type, trace_id, receipt_id, usefulness_score)
  SELECT gen_random_uuid(), agent, 'compute', gen_random_uuid(), receipt, $3::numeric / 100
    FROM unnest($1::text[], $2::uuid[]) AS said (agent, receipt)
  RETURNING agent_did, created_at
)
INSERT INTO usefulness_totals AS t (agent_did, proofs, last_proof_at)
SELECT agent_did, count(*), max(created_at) FROM proven GROUP BY agent_did
ON CONFLICT (agent_did) DO UPDATE SET proofs = t.proofs + excluded.proofs,
                                      last_proof_at = greatest(t.last_proof_at, excluded.last_proof_at)
"""
_HELD = """
SELECT account, sum(amount)::bigint AS amount
  FROM (SELECT account, balance AS amount FROM accounts UNION ALL SELECT account, amount FROM ledger_pending) part
 GROUP BY account
"""


def wait_out_the_hour() -> None:
    """Begin well before the end of an hour: a test that goes over it would have one more to pay."""
    now = datetime.now(UTC)
    left = timedelta(hours=1) - timedelta(minutes=now.minute, seconds=now.second, microseconds=now.microsecond)
    if left < timedelta(seconds=20):
        time.sleep(left.total_seconds() + 2)


async def register(db: Session, dids: Sequence[str], *, credits_each: int = 1_000_000) -> None:
    """Register agents, each with as much to begin with."""
    await db.execute(_REGISTER, list(dids), credits_each)


async def prove(db: Session, dids: Sequence[str], *, score: int = 10_000) -> None:
    """A proof of each that says so itself."""
    await db.execute(_PROVE, list(dids), [None] * len(dids), score)


async def trade(
    db: Session,
    pairs: Sequence[tuple[str, str]],
    *,
    at: datetime,
    price: int = 1000,
    score: int = 10_000,
    status: str = "finalized",
) -> None:
    """
    Settle work of (client, worker) at *price*, a multiple of ten, finalize its receipt at *at* and prove it.

    A tenth each goes to the broker and the pool: a fifth of the price are fees.
    """
    clients, workers = [client for client, _ in pairs], [worker for _, worker in pairs]
    rows = await db.fetch(_TRADE, clients, workers, price, status, at)
    await db.execute(_PROVE, [row["agent_did"] for row in rows], [row["id"] for row in rows], score)


async def held(db: Session) -> Mapping[str, int]:
    """What every account holds."""
    return {row["account"]: row["amount"] for row in await db.fetch(_HELD)}


async def wrong_money(db: Database) -> list[Finding]:
    """What `ainp fsck` says of accounts, rewards and proofs."""
    async with db.connection() as place, fsck.snapshot(place.connection) as seen:
        return [
            finding
            for statement in (*fsck.ACCOUNTS, *fsck.USEFULNESS)
            async for page in seen.wrong(statement)
            for finding in page
        ]
