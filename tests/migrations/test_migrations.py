"""The migrations of this release: up, down, up; with psql; and what they add up to."""

import asyncio
import shutil
import subprocess
from importlib.resources import as_file, files

import asyncpg
import pytest

from ainp.store import migrate
from ainp.store.migrate import State
from support.migrating import catalog, connected, not_applied, states
from support.schema import SCHEMA, dump

NUMBERS = [one.number for one in migrate.packaged()]
BY_HAND = [one.name for one in migrate.packaged() if 17 <= one.number <= 21]

# The columns that the production deployment checklist expects after 021; more are fine.
EXPECTED = {
    "task_receipts": "id, intent_id, negotiation_id, agent_did, client_did, intent_type, inputs_ref, outputs_ref, "
    "metrics, payment_request_id, amount_atomic, status, committee, k, m, finalized_at, created_at",
    "task_attestations": "id, task_id, by_did, type, score, confidence, evidence_ref, signature, created_at",
    "agent_reputation": "agent_id, q, t, r, s, v, i, e, updated_at",
    "agent_stakes": "agent_id, amount_locked, slashed_total, locked_until, created_at, updated_at",
}


def test_the_files_carry_the_names_that_the_checklist_applies() -> None:
    assert BY_HAND == [
        "017_add_task_receipts",
        "018_add_task_attestations",
        "019_add_agent_reputation",
        "020_update_task_receipts_status",
        "021_add_agent_stakes",
    ]


async def test_up_down_up_ends_where_it_began(empty_database_url: str) -> None:
    async with connected(empty_database_url) as db:
        await migrate.up(db)
        once = await asyncio.to_thread(dump, empty_database_url)
        gone = await migrate.down(db, to=0)
        left = await catalog(db)
        await migrate.up(db)
        twice = await asyncio.to_thread(dump, empty_database_url)

    assert [int(name[:3]) for name in gone] == NUMBERS[::-1]
    assert left == set()
    assert twice == once


async def test_the_migrations_add_up_to_schema_sql(empty_database_url: str) -> None:
    async with connected(empty_database_url) as db:
        await migrate.up(db)
    found = await asyncio.to_thread(dump, empty_database_url)

    assert found == SCHEMA.read_text("utf-8"), "run `make schema`"


async def test_schema_sql_alone_makes_the_same_schema(empty_database_url: str) -> None:
    schema = SCHEMA.read_text("utf-8")
    async with connected(empty_database_url) as db:
        await db.execute(schema)
        alone = await asyncio.to_thread(dump, empty_database_url)
        seen = set((await states(db)).values())
        await migrate.up(db)
        adopted = await asyncio.to_thread(dump, empty_database_url)

        assert alone == schema
        assert seen == {State.UNRECORDED}
        assert adopted == schema
        assert await not_applied(db) == {}


@pytest.mark.parametrize("number", [0, *NUMBERS])
async def test_every_stop_on_the_way_up_and_down_leads_on(empty_database_url: str, number: int) -> None:
    async with connected(empty_database_url) as db:
        await migrate.up(db, to=number)
        going_up = await catalog(db)
        reached = await not_applied(db)
        await migrate.up(db)
        whole = await catalog(db)
        await migrate.down(db, to=number)
        coming_down = await catalog(db)
        back = await not_applied(db)
        await migrate.up(db)

        assert set(reached) == {one for one in NUMBERS if one > number}
        assert back == reached
        assert coming_down == going_up
        assert await catalog(db) == whole
        assert await not_applied(db) == {}


async def test_every_migration_says_all_that_it_provides(empty_database_url: str) -> None:
    """What it kept to itself would not be missed after a rollback by hand."""
    async with connected(empty_database_url) as db:
        before: set[str] = set()
        for one in migrate.packaged():
            await migrate.up(db, to=one.number)
            after = await catalog(db)
            new_tables = {what.removeprefix("table ") for what in after - before if what.startswith("table ")}
            unsaid = {
                what
                for what in after - before - set(one.provides)
                if not (what.startswith("column ") and what.split()[1].split(".")[0] in new_tables)
            }
            before = after

            assert unsaid == set(), one.name


async def test_every_file_can_be_run_twice(empty_database_url: str) -> None:
    async with connected(empty_database_url) as db:
        for one in migrate.packaged():
            await db.execute(one.up)
            await db.execute(one.up)
        whole = await catalog(db)
        for one in reversed(migrate.packaged()):
            await db.execute(one.down)
            await db.execute(one.down)

        assert whole
        assert await catalog(db) == set()


async def test_the_runner_adopts_what_psql_applied(empty_database_url: str) -> None:
    async with connected(empty_database_url) as db:
        await migrate.up(db, to=16)
        for name in BY_HAND:
            await _psql(db, empty_database_url, name)
        seen = await states(db)
        await migrate.up(db)
        found = await asyncio.to_thread(dump, empty_database_url)

        assert {seen[number] for number in range(17, 22)} == {State.UNRECORDED}
        assert found == SCHEMA.read_text("utf-8")
        assert await not_applied(db) == {}


async def _psql(db: asyncpg.Connection, url: str, name: str) -> None:
    psql = shutil.which("psql")
    with as_file(files("ainp.store") / "migrations" / f"{name}.sql") as path:
        if psql is None:
            await db.execute(path.read_text("utf-8"))
            return
        command = [psql, url, "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", f"--file={path}"]
        done = await asyncio.to_thread(subprocess.run, command, check=False, capture_output=True, text=True)

    assert (done.returncode, done.stdout) == (0, ""), done.stderr


async def test_two_brokers_that_start_at_once_migrate_once(empty_database_url: str) -> None:
    async with connected(empty_database_url) as one, connected(empty_database_url) as other:
        done = await asyncio.gather(migrate.up(one), migrate.up(other))

        assert sorted(len(names) for names in done) == [0, len(NUMBERS)]
        assert await not_applied(one) == {}


@pytest.mark.parametrize("table", EXPECTED)
async def test_the_tables_have_the_columns_that_the_checklist_expects(empty_database_url: str, table: str) -> None:
    async with connected(empty_database_url) as db:
        await migrate.up(db, to=21)
        rows = await db.fetch("SELECT column_name FROM information_schema.columns WHERE table_name = $1", table)

    assert set(EXPECTED[table].split(", ")) <= {row[0] for row in rows}


async def test_the_indexes_that_the_checklist_adds_are_there_already(empty_database_url: str) -> None:
    async with connected(empty_database_url) as db:
        await migrate.up(db)
        await db.execute(INDEXES)
        rows = await db.fetch("SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'")
    indexes = {row[0]: row[1].split(" USING ")[1] for row in rows}

    assert indexes["idx_task_receipts_status"] == "btree (status, created_at DESC)"
    assert indexes["idx_task_receipts_committee"] == "gin (committee)"
    assert indexes["idx_agent_reputation_did"] == "btree (agent_id)"
    assert indexes["idx_task_attestations_task_id"].startswith("btree (task_id")
    assert indexes["idx_task_attestations_created"].startswith("btree (created_at")
    assert indexes["idx_agent_stakes_updated"].startswith("btree (updated_at")


# Word for word from the checklist, "Additional indexes for production".
INDEXES = """
-- Fast receipt status lookups
CREATE INDEX IF NOT EXISTS idx_task_receipts_status
  ON task_receipts(status, created_at DESC);

-- Fast committee member lookups
CREATE INDEX IF NOT EXISTS idx_task_receipts_committee
  ON task_receipts USING GIN(committee);

-- Fast reputation lookups by agent DID
CREATE INDEX IF NOT EXISTS idx_agent_reputation_did
  ON agent_reputation(agent_id);
"""
