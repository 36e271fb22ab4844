"""The mission's rollback, run with plain SQL on a broker with data: it runs, it shows, and `up` restores."""

import asyncio
import json
import uuid

import asyncpg
import pytest

from ainp.store import migrate
from ainp.store.migrate import State
from support.migrating import ROLLBACK, connected, not_applied, roll_back_by_hand
from support.schema import SCHEMA, dump

COMMITTEE = ["did:key:z1", "did:key:z2", "did:key:z3", "did:key:z4"]


async def test_the_whole_rollback_runs_without_cascade_shows_and_is_restored(empty_database_url: str) -> None:
    async with connected(empty_database_url) as db:
        await migrate.up(db)
        await roll_back_by_hand(db, ROLLBACK)
        lost = await not_applied(db)
        again = await migrate.up(db)
        restored = await asyncio.to_thread(dump, empty_database_url)

        assert set(range(17, 22)) <= set(lost)
        assert set(lost.values()) == {State.ROLLED_BACK}
        assert [int(name[:3]) for name in again] == sorted(lost)
        assert restored == SCHEMA.read_text("utf-8")
        assert await not_applied(db) == {}


@pytest.mark.parametrize("depth", range(1, 6), ids=["021", "020", "019", "018", "017"])
async def test_a_rollback_that_stops_on_the_way_shows_and_is_restored(empty_database_url: str, depth: int) -> None:
    async with connected(empty_database_url) as db:
        await migrate.up(db)
        rolled_back = list(ROLLBACK)[:depth]
        await roll_back_by_hand(db, rolled_back)
        lost = await not_applied(db)
        await migrate.up(db)
        restored = await asyncio.to_thread(dump, empty_database_url)

        assert set(rolled_back) <= set(lost)
        assert set(range(1, 22)) & set(lost) == set(rolled_back)
        assert _unordered(restored) == _unordered(SCHEMA.read_text("utf-8"))
        assert await not_applied(db) == {}


def _unordered(schema: str) -> list[str]:
    """Columns that were added again stand at the end of their table."""
    return sorted(line.strip().rstrip(",") for line in schema.splitlines())


async def test_021_is_missed_with_what_was_added_to_it(empty_database_url: str) -> None:
    async with connected(empty_database_url) as db:
        await migrate.up(db)
        await roll_back_by_hand(db, [21])
        lost, added = await migrate.missing(db)

    assert (lost.number, lost.state) == (21, State.ROLLED_BACK)
    assert lost.missing == ("table agent_stakes", "index idx_agent_stakes_updated")
    assert (added.number, added.state) == (28, State.ROLLED_BACK)


async def test_the_runner_goes_down_after_the_rollback_by_hand(empty_database_url: str) -> None:
    async with connected(empty_database_url) as db:
        await migrate.up(db)
        await roll_back_by_hand(db, ROLLBACK)
        await migrate.down(db, to=16)

        assert set(await not_applied(db)) == {one.number for one in migrate.packaged() if one.number > 16}
        assert set((await not_applied(db)).values()) == {State.PENDING}

        await migrate.up(db)
        restored = await asyncio.to_thread(dump, empty_database_url)

        assert restored == SCHEMA.read_text("utf-8")


@pytest.mark.parametrize("number", [0, 16, 17, 18, 19, 20, 21])
async def test_the_rollback_runs_at_every_height(empty_database_url: str, number: int) -> None:
    """`IF EXISTS` covers a missing table for DROP TABLE only, so 020 asks for task_receipts to be there."""
    async with connected(empty_database_url) as db:
        await migrate.up(db, to=number)
        await roll_back_by_hand(db, [one for one in ROLLBACK if one != 20 or number >= 17])
        await migrate.up(db)

        assert await not_applied(db) == {}


async def test_agents_money_and_negotiations_outlive_the_receipts(empty_database_url: str) -> None:
    async with connected(empty_database_url) as db:
        await migrate.up(db)
        await _a_settled_task(db)
        before = await _what_must_stay(db)
        await roll_back_by_hand(db, ROLLBACK)
        without = await _what_must_stay(db)
        await migrate.up(db)
        after = await _what_must_stay(db)
        await _a_settled_task(db)

        assert len(before["agents"]) == 2
        assert sum(row["amount"] for row in before["ledger_entries"]) == 3000
        assert without == before
        assert after == before
        assert await db.fetchval("SELECT count(*) FROM task_receipts") == 1


async def test_a_receipt_outlives_the_rollback_of_its_status(empty_database_url: str) -> None:
    """Its own statement says the committee and quorum; that it was judged stands in later columns."""
    async with connected(empty_database_url) as db:
        await migrate.up(db)
        open_task, final_task = await _a_settled_task(db), await _a_settled_task(db)
        await db.execute(
            "UPDATE task_receipts SET status = 'finalized', finalized_at = now(), judged_at = now() WHERE id = $1",
            final_task,
        )
        before = await _statuses(db)
        await roll_back_by_hand(db, [21, 20])
        await migrate.up(db)

        assert before[open_task][:4] == ("pending", COMMITTEE, 2, 4)
        assert before[final_task][0] == "finalized"
        assert await _statuses(db) == before


async def _what_must_stay(db: asyncpg.Connection) -> dict[str, list[asyncpg.Record]]:
    tables = ("agents", "capabilities", "accounts", "ledger_entries", "ledger_pending", "negotiations")
    return {table: await db.fetch(f"SELECT * FROM {table} ORDER BY {table}::text") for table in tables}  # noqa: S608 - our own names


async def _statuses(db: asyncpg.Connection) -> dict[uuid.UUID, tuple[object, ...]]:
    rows = await db.fetch("SELECT id, status, committee, k, m, finalized_at FROM task_receipts")
    return {row["id"]: (row["status"], json.loads(row["committee"]), *row[3:]) for row in rows}


async def _a_settled_task(db: asyncpg.Connection) -> uuid.UUID:
    """Write two agents, their money, a settled negotiation and its receipt, as rows."""
    task, negotiation = uuid.uuid4(), uuid.uuid4()
    client, agent = f"did:key:zclient{task.hex}", f"did:key:zagent{task.hex}"
    statement = {"task_id": str(task), "agent_did": agent, "committee": COMMITTEE, "k": 2, "m": 4}
    await db.executemany("INSERT INTO agents (did, public_key) VALUES ($1, 'key')", [(client,), (agent,)])
    await db.executemany(
        "INSERT INTO ledger_entries (key, from_account, to_account, amount, reason) VALUES ($1, $2, $3, $4, $5)",
        [
            (f"welcome:{client}", "mint", f"available:{client}", 2000, "welcome_grant"),
            (f"settle:{task}", f"available:{client}", f"available:{agent}", 1000, "earn"),
        ],
    )
    await db.execute(
        "INSERT INTO negotiations (id, intent_id, initiator_did, responder_did, state, expires_at, task_id) "
        "VALUES ($1, 'intent', $2, $3, 'settled', now(), $4)",
        *(negotiation, client, agent, task),
    )
    await db.execute(
        "INSERT INTO task_receipts (id, negotiation_id, agent_did, client_did, committee, k, m, statement, "
        "statement_hash) VALUES ($1, $2, $3, $4, $5, 2, 4, $6, sha256($6))",
        *(task, negotiation, agent, client, json.dumps(COMMITTEE), json.dumps(statement).encode()),
    )
    await db.execute(
        "INSERT INTO task_attestations (task_id, by_did, type, score) VALUES ($1, $2, 'ACCEPTED', 0.9)",
        *(task, client),
    )
    await db.execute("INSERT INTO agent_reputation (agent_id) SELECT id FROM agents WHERE did = $1", agent)
    await db.execute("INSERT INTO agent_stakes (agent_id) SELECT id FROM agents WHERE did = $1", agent)
    return task


async def test_stakes_and_reputations_outlive_their_tables(empty_database_url: str) -> None:
    """What is staked stands in the ledger; a withdrawal has to be asked for again, and a slash is no observation."""
    async with connected(empty_database_url) as db:
        await migrate.up(db)
        agent = await db.fetchval("INSERT INTO agents (did, public_key) VALUES ('did:key:z1', 'key') RETURNING id")
        await db.executemany(
            "INSERT INTO ledger_entries (key, from_account, to_account, amount, reason) VALUES ($1, $2, $3, $4, $5)",
            [
                ("welcome", "mint", "available:did:key:z1", 2000, "welcome_grant"),
                ("stake", "available:did:key:z1", "staked:did:key:z1", 1000, "stake"),
                ("slash", "staked:did:key:z1", "pool", 300, "slash"),
            ],
        )
        await db.execute("INSERT INTO agent_stakes (agent_id) VALUES ($1)", agent)
        await db.execute("INSERT INTO agent_reputation (agent_id) VALUES ($1)", agent)
        await db.executemany(
            "INSERT INTO reputation_observations (agent_id, task_id, dimension, observed, before, after, reason)"
            " VALUES ($1, gen_random_uuid(), 'q', 1, 500000, $2, $3)",
            [(agent, 400_000, "seen"), (agent, 360_000, "slashed")],
        )
        await roll_back_by_hand(db, ROLLBACK)
        await migrate.up(db)
        stake = await db.fetchrow("SELECT amount_locked, slashed_total, withdrawing FROM agent_stakes")
        reputation = await db.fetchrow("SELECT q, observations[1] AS n FROM agent_reputation")

    assert tuple(stake) == (700, 300, 0)
    assert (float(reputation["q"]), reputation["n"]) == (0.36, 1)
