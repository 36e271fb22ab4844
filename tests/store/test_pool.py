"""The pool lends places in the order of asking, and lends nothing that is not as good as new."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import asyncpg
import pytest

from ainp.core.errors import DatabaseUnavailable
from ainp.store import pool as pools
from ainp.store.db import Database
from ainp.store.pool import Place, Pool


@pytest.fixture
async def pool(empty_database_url: str) -> AsyncIterator[Pool]:
    pool = Pool(lambda: asyncpg.connect(empty_database_url), size=2)
    await pool.open()
    yield pool
    await pool.close()


async def queued(pool: Pool, count: int) -> list[asyncio.Task[Place]]:
    tasks = [asyncio.create_task(pool.acquire()) for _ in range(count)]
    await asyncio.sleep(0)
    return tasks


async def pid(place: Place) -> int:
    found: int = await place.fetchval("SELECT pg_backend_pid()")
    return found


async def test_the_connection_used_last_is_lent_first(pool: Pool) -> None:
    one, two = await pool.acquire(), await pool.acquire()
    pool.release(one)
    pool.release(two)

    assert await pool.acquire() is two
    assert await pool.acquire() is one
    pool.release(one)
    pool.release(two)


async def test_who_waits_is_served_in_order(pool: Pool) -> None:
    lent = [await pool.acquire(), await pool.acquire()]
    first, second, third = await queued(pool, 3)
    assert (pool.in_use, pool.waiting) == (2, 3)

    pool.release(lent[0])
    pool.release(lent[1])

    assert [await first, await second] == lent
    assert not third.done()
    pool.release(lent[1])
    assert await third is lent[1]
    pool.release(lent[0])
    pool.release(lent[1])
    assert (pool.in_use, pool.waiting) == (0, 0)


async def test_who_stops_waiting_takes_no_place_with_it(pool: Pool) -> None:
    lent = [await pool.acquire(), await pool.acquire()]
    gone, too_late, served = await queued(pool, 3)

    gone.cancel()
    await asyncio.sleep(0)
    pool.release(lent[0])
    too_late.cancel()  # the place is its own already

    assert await asyncio.wait_for(served, 5) is lent[0]
    assert gone.cancelled()
    assert too_late.cancelled()
    pool.release(lent[0])
    pool.release(lent[1])
    assert (pool.in_use, pool.waiting) == (0, 0)


async def test_who_waits_too_long_is_told_that_all_were_busy(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "_PATIENCE_S", 0.05)
    lent = [await pool.acquire(), await pool.acquire()]

    with pytest.raises(DatabaseUnavailable, match="busy"):
        await pool.acquire()

    assert pool.waiting == 0
    for place in lent:
        pool.release(place)


async def test_a_transaction_that_was_not_ended_is_not_the_next_ones(pool: Pool) -> None:
    place = await pool.acquire()
    before = await pid(place)
    await place.execute("BEGIN")
    pool.release(place)

    again = await pool.acquire()

    assert await pid(again) != before
    pool.release(again)


async def test_a_statement_that_was_interrupted_is_not_the_next_ones(pool: Pool) -> None:
    place = await pool.acquire()
    sleeping = asyncio.create_task(place.execute("SELECT pg_sleep(60)"))
    await asyncio.sleep(0.05)
    sleeping.cancel()
    await asyncio.gather(sleeping, return_exceptions=True)
    pool.release(place)

    again = await pool.acquire()

    assert await again.fetchval("SELECT 1") == 1
    # It was called off, not only forgotten.
    while await again.fetchval("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)'"):  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.01)
    pool.release(again)


async def test_a_connection_that_is_lost_takes_those_with_it_that_are_as_old(pool: Pool) -> None:
    lent, other = await pool.acquire(), await pool.acquire()
    old = {await pid(lent), await pid(other)}
    pool.release(other)

    with pytest.raises(asyncpg.PostgresError):
        await lent.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    lent.connection.terminate()
    pool.release(lent)

    assert other.connection is None
    both = [await pool.acquire(), await pool.acquire()]
    assert not old & {await pid(both[0]), await pid(both[1])}
    for place in both:
        pool.release(place)


async def test_where_nobody_answers_the_place_is_free_for_the_next_attempt(empty_database_url: str) -> None:
    there = False

    async def connect() -> asyncpg.Connection:
        if not there:
            raise ConnectionRefusedError
        return await asyncpg.connect(empty_database_url)

    pool = Pool(connect, size=1)
    first, second = await queued(pool, 2)
    refused = await asyncio.gather(first, second, return_exceptions=True)
    there = True

    place = await pool.acquire()

    assert [type(error) for error in refused] == [ConnectionRefusedError] * 2
    assert await place.fetchval("SELECT 1") == 1
    pool.release(place)
    await pool.close()


async def test_what_nobody_uses_is_closed(empty_database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "_IDLE_S", 0)
    monkeypatch.setattr(pools, "_LOOK_AROUND_S", 0.01)
    pool = Pool(lambda: asyncpg.connect(empty_database_url), size=2)
    await pool.open()
    place = await pool.acquire()
    pool.release(place)

    while place.connection is not None:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.01)

    again = await pool.acquire()
    assert await again.fetchval("SELECT 1") == 1
    pool.release(again)
    await pool.close()


async def test_some_are_connected_before_anybody_asks_and_stay(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pools, "_IDLE_S", 0)
    monkeypatch.setattr(pools, "_LOOK_AROUND_S", 0.01)
    made: list[asyncpg.Connection] = []

    async def connect() -> asyncpg.Connection:
        if len(made) == 1:
            made.append(None)
            raise OSError("nobody answers, once")
        made.append(await asyncpg.connect(empty_database_url))
        return made[-1]

    pool = Pool(connect, size=4, ready=3)
    await pool.open()
    while len(made) < 4:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)

    places = [await pool.acquire() for _ in range(3)]
    assert len(made) == 4
    for place in places:
        pool.release(place)
    await pool.close()


async def test_a_server_that_stands_still_is_given_up(empty_database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "_UNANSWERED_S", 0.1)
    monkeypatch.setattr(pools, "_LOOK_AROUND_S", 0.02)
    database = Database(empty_database_url, size=2)
    await database.open()
    stopped = await database.fetchval("SELECT pg_backend_pid()")

    os.kill(stopped, signal.SIGSTOP)
    try:
        with pytest.raises(DatabaseUnavailable):
            await asyncio.wait_for(database.fetchval("SELECT 1"), 10)
        assert await database.fetchval("SELECT 1") == 1
    finally:
        os.kill(stopped, signal.SIGCONT)
    await database.close()


async def test_a_statement_that_takes_too_long_is_ended_by_the_server(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ainp.store.db.STATEMENT_S", 1)
    database = Database(empty_database_url, size=1)
    await database.open()

    with pytest.raises(DatabaseUnavailable):
        await database.execute("SELECT pg_sleep(60)")

    assert await database.fetchval("SELECT 1") == 1
    await database.close()


async def test_closing_waits_for_what_is_lent(pool: Pool) -> None:
    lent = await pool.acquire()
    closing = asyncio.create_task(pool.close())
    await asyncio.sleep(0.01)

    with pytest.raises(DatabaseUnavailable):
        await pool.acquire()
    assert await lent.fetchval("SELECT 1") == 1
    assert not closing.done()
    pool.release(lent)
    await asyncio.wait_for(closing, 5)


async def test_closing_that_is_interrupted_disconnects_what_is_lent(pool: Pool) -> None:
    lent = await pool.acquire()
    closing = asyncio.create_task(pool.close())
    await asyncio.sleep(0.01)

    closing.cancel()
    await asyncio.gather(closing, return_exceptions=True)

    assert lent.connection.is_closed()
    pool.release(lent)
