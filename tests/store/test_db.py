"""Connections, transactions, and what is said when the server is not there."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from ainp.core.errors import DatabaseUnavailable, SchemaBehind
from ainp.store.db import Database, Session, Stale

KILL_OTHERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url, size=2)
    await database.open()
    await database.execute("CREATE TABLE notes (text text)")
    yield database
    await database.close()


async def notes(database: Database) -> list[str]:
    return [row["text"] for row in await database.fetch("SELECT text FROM notes ORDER BY text")]


async def test_what_raises_inside_leaves_nothing_behind(database: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        await note_and_fail(database)

    assert await notes(database) == []


async def test_a_savepoint_is_undone_alone(database: Database) -> None:
    async with database.transaction() as tx:
        await tx.execute("INSERT INTO notes VALUES ('kept')")
        with pytest.raises(ZeroDivisionError):
            await note_and_fail(tx)

    assert await notes(database) == ["kept"]


@pytest.mark.parametrize("statements", [0, 1], ids=["commit", "statement"])
async def test_a_connection_that_is_lost_is_said_to_be_lost(database: Database, statements: int) -> None:
    with pytest.raises(DatabaseUnavailable):
        await note_and_lose_the_connection(database, statements)

    assert await notes(database) == []


async def note_and_fail(db: Session) -> None:
    async with db.transaction() as tx:
        await tx.execute("INSERT INTO notes VALUES ('lost')")
        raise ZeroDivisionError


async def note_and_lose_the_connection(database: Database, statements: int) -> None:
    async with database.transaction() as tx, tx.transaction() as inner:
        await inner.execute("INSERT INTO notes VALUES ('lost')")
        await database.execute(KILL_OTHERS)
        for _ in range(statements):
            await inner.execute("INSERT INTO notes VALUES ('lost too')")


async def test_a_cancelled_transaction_is_not_the_next_ones(database: Database) -> None:
    async def interrupted() -> None:
        async with database.transaction() as tx:
            await tx.execute("INSERT INTO notes VALUES ('lost')")
            await tx.fetchval("SELECT pg_sleep(10)")

    for _ in range(4):
        task = asyncio.create_task(interrupted())
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.sleep(0)
        task.cancel()  # once more, while it rolls back
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.wait_for(database.execute("INSERT INTO notes VALUES ('kept')"), timeout=5)

    assert await notes(database) == ["kept"] * 4


async def test_a_deadlock_is_somebody_elses_write(database: Database) -> None:
    await database.execute("INSERT INTO notes VALUES ('a'), ('b')")
    first_locked, second_locked = asyncio.Event(), asyncio.Event()

    async def cross(mine: str, other: str, locked: asyncio.Event, others: asyncio.Event) -> None:
        async with database.transaction() as tx:
            await tx.execute("SELECT FROM notes WHERE text = $1 FOR UPDATE", mine)
            locked.set()
            await others.wait()
            await tx.execute("SELECT FROM notes WHERE text = $1 FOR UPDATE", other)

    done = await asyncio.gather(
        cross("a", "b", first_locked, second_locked),
        cross("b", "a", second_locked, first_locked),
        return_exceptions=True,
    )

    assert set(map(type, done)) == {type(None), Stale}


async def test_a_table_that_is_missing_is_a_migration_that_is_missing(database: Database) -> None:
    with pytest.raises(SchemaBehind):
        await database.fetch("SELECT * FROM no_such_table")


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    database = Database("postgresql:///postgres?host=/nowhere")

    with pytest.raises(DatabaseUnavailable):
        await database.open()


async def test_who_waits_too_long_for_a_connection_is_told_to_come_back(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ainp.store.pool._PATIENCE_S", 0.1)
    async with database.transaction() as one, database.transaction() as two:
        await one.execute("SELECT 1")
        await two.execute("SELECT 1")

        with pytest.raises(DatabaseUnavailable):
            await database.execute("SELECT 1")


async def test_while_one_asks_for_the_time_others_go_on_with_what_was_said(database: Database) -> None:
    said = await database.clock()
    await asyncio.sleep(1.1)  # it is asked once a second
    async with database.connection(), database.connection():  # all there are
        asking = asyncio.create_task(database.clock())
        await asyncio.sleep(0)
        meanwhile = await database.clock()
        asked = not asking.done()

    assert asked
    assert said < meanwhile < await asking
