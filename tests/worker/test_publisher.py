"""Publishing: every event once, every receiver's numbers without a gap, whoever leads and whatever dies."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from ainp.store import events, migrate
from ainp.store.db import Database
from ainp.worker import upkeep
from ainp.worker.publisher import publish_forever
from support.api import an_api
from support.builders import agents
from support.clock import let_pass
from support.listening import published, tell
from support.migrating import connected
from support.races import wait_until
from support.said import what_is_logged

RECEIVERS = agents(9, "receiver")
_INSERT = "INSERT INTO outbox (event, recipients, body) VALUES ('test', $1, $2)"
_LEADER = (
    "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND classid::int8 = hashtext('ainp.job')::int8 & 4294967295"
)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url, size=12)
    await database.open()
    yield database
    await database.close()


@asynccontextmanager
async def publishing(*databases: Database) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(publish_forever(database)) for database in databases]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def write(database: Database, writer: int, count: int) -> None:
    """Events to some of the receivers, each in a transaction of its own."""
    for number in range(count):
        some = [did for place, did in enumerate(RECEIVERS) if (number + writer) % (place + 1) == 0]
        await database.execute(_INSERT, some, {"writer": writer, "number": number})


async def until_all_is_published(database: Database) -> None:
    async with asyncio.timeout(30):
        while await events.waiting(database):  # noqa: ASYNC110 - the database tells nobody
            await asyncio.sleep(0.02)


async def told(database: Database, did: str) -> list[tuple[int, int, int]]:
    """A receiver's events in the order of their numbers: number, writer, the writer's count."""
    rows = await database.fetch(
        "SELECT n.number, body ->> 'writer' AS writer, body ->> 'number' AS count"
        "  FROM events, unnest(recipients, numbers) AS n (did, number) WHERE n.did = $1 ORDER BY n.number",
        did,
    )
    return [(row["number"], int(row["writer"]), int(row["count"])) for row in rows]


async def check(database: Database, *, writers: int, count: int) -> None:
    """All that was written was told once, numbered from 1 without a gap, each writer's events in their order."""
    positions = await database.fetch("SELECT position FROM events ORDER BY position")
    assert [row["position"] for row in positions] == list(range(1, writers * count + 1))
    for place, did in enumerate(RECEIVERS):
        rows = await told(database, did)
        assert [number for number, _, _ in rows] == list(range(1, len(rows) + 1))
        for writer in range(writers):
            mine = [n for _, by, n in rows if by == writer]
            assert mine == [number for number in range(count) if (number + writer) % (place + 1) == 0]
        pages = [await events.PublishedEvents(database).page(did, after, 50) for after in range(0, len(rows), 50)]
        read = [number for page in pages for number, body in page.rows if body is not None]
        assert read == [number for number, _, _ in rows]


async def test_numbers_have_no_gap_while_many_write(database: Database) -> None:
    async with publishing(database):
        await asyncio.gather(*(write(database, writer, 60) for writer in range(8)))
        await until_all_is_published(database)

    await check(database, writers=8, count=60)


async def test_a_leader_that_dies_is_followed_and_nothing_is_told_twice(database: Database, database_url: str) -> None:
    others = [Database(database_url, size=2) for _ in range(2)]
    leaders: set[int] = set()

    async def kill() -> None:
        while True:
            for row in await database.fetch(_LEADER):
                leaders.add(row["pid"])
                await database.execute("SELECT pg_terminate_backend($1)", row["pid"])
            await asyncio.sleep(0.3)

    async with publishing(database, *others):
        killing = asyncio.create_task(kill())
        await asyncio.gather(*(write(database, writer, 150) for writer in range(4)))
        while len(leaders) < 3:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.02)
        killing.cancel()
        await asyncio.gather(killing, return_exceptions=True)
        await until_all_is_published(database)

    await check(database, writers=4, count=150)


async def test_one_of_two_leads(database: Database, database_url: str) -> None:
    with what_is_logged() as said:
        async with publishing(database, Database(database_url, size=2)):
            await write(database, 0, 20)
            await until_all_is_published(database)
            assert len(await database.fetch(_LEADER)) == 1

    assert said.messages == ["Event publisher leads"]


async def test_a_batch_of_two_publishers_at_once_is_numbered_once(database: Database) -> None:
    await write(database, 0, 200)

    await asyncio.gather(*(events.publish(database, batch=7) for _ in range(60)))

    while (await events.publish(database, batch=1000))[0]:
        pass
    await check(database, writers=1, count=200)


async def test_what_is_written_while_nobody_publishes_waits(database: Database) -> None:
    await write(database, 0, 3)
    async with publishing(database):
        await until_all_is_published(database)

    await check(database, writers=1, count=3)


async def test_a_schema_that_is_behind_is_said_once_and_waited_for(empty_database_url: str) -> None:
    with what_is_logged() as said:
        async with publishing(Database(empty_database_url)):
            await asyncio.sleep(1.2)  # twice it looks
            async with connected(empty_database_url) as connection:
                await migrate.up(connection)
            await wait_until(lambda: "Event publisher leads" in said.messages)

    assert said.messages == ["Event publisher stopped, trying again", "Event publisher leads"]


async def test_old_events_are_forgotten_and_numbers_go_on(database_url: str) -> None:
    async with an_api(database_url) as api:
        db, (did, other) = api.broker.database, RECEIVERS[:2]
        async with publishing(db):
            await tell(api, did, *"abc")
            await tell(api, other, "x")
            await published(api, did, 3)
            await let_pass(db, timedelta(days=7, minutes=1))
            await tell(api, did, "d", "e")
            await published(api, did, 5)

            await upkeep.forget_events(api.broker)

            kept = await db.fetch("SELECT event FROM events ORDER BY position")
            assert [row["event"] for row in kept] == ["test.d", "test.e"]
            assert await db.fetchval("SELECT count(*) FROM deliveries WHERE first <= 3") == 0
            assert await db.fetchval("SELECT last FROM receivers WHERE did = $1", other) == 1
            await tell(api, did, "f")
            await published(api, did, 6)

        page = await events.PublishedEvents(db).page(did, 0, 10)
        assert ([number for number, _ in page.rows], page.last) == ([4, 5, 6], 6)


async def test_forgetting_works_off_many_batches(database: Database) -> None:
    await database.execute(
        "INSERT INTO outbox (event, recipients, body) SELECT 'test', $1, '{}' FROM generate_series(1, 2500)",
        list(RECEIVERS),
    )
    while (await events.publish(database, batch=300))[0]:
        pass
    await let_pass(database, timedelta(days=1))

    dropped = [await events.forget(database, older_than=timedelta(hours=1), batch=1000) for _ in range(4)]

    assert dropped == [1000, 1000, 500, 0]
    left: Sequence[str] = ["events", "deliveries"]
    assert Counter({t: await database.fetchval(f"SELECT count(*) FROM {t}") for t in left}).total() == 0  # noqa: S608
    assert await database.fetchval("SELECT min(last) FROM receivers") == 2500
