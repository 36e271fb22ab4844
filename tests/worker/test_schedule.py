"""Ticks: each is run by one node, a failed one is logged and kept, and the schedule goes on."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from ainp.core.errors import Unavailable
from ainp.store import jobs
from ainp.store.db import Database
from ainp.worker.schedule import Job, Ticks, next_time, run_forever
from support.races import wait_until
from support.said import what_is_logged

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
async def both(database_url: str) -> AsyncIterator[tuple[Database, Database]]:
    pair = Database(database_url, size=1), Database(database_url, size=1)
    for database in pair:
        await database.open()
    yield pair
    for database in pair:
        await database.close()


@pytest.fixture
async def nodes(both: tuple[Database, Database]) -> AsyncIterator[tuple[Ticks, Ticks]]:
    first, second = both
    async with Ticks(first) as one, Ticks(second) as other:
        yield one, other


def a_job(run: Callable[[], Awaitable[None]], *, cron: str = "* * * * *") -> Job:
    return Job("counting", cron, run, "[counting] Job error")


def counting(ran: list[int]) -> Job:
    async def run() -> None:
        ran.append(1)
        await asyncio.sleep(0.02)

    return a_job(run)


@pytest.mark.parametrize(
    ("cron", "seconds"), [("*/1 * * * *", 60), ("*/10 * * * * *", 10), ("30 0 * * * *", 30)], ids=str
)
def test_a_sixth_field_is_seconds_and_stands_in_front(cron: str, seconds: int) -> None:
    assert next_time(cron, AT) == AT + timedelta(seconds=seconds)


async def test_a_tick_is_run_once_by_two_nodes(nodes: tuple[Ticks, Ticks]) -> None:
    ran: list[int] = []
    job = counting(ran)

    for minute in range(5):
        at = AT + timedelta(minutes=minute)
        done = await asyncio.gather(*(node.run(job, at) for node in nodes * 4))
        assert sum(done) == 1

    assert len(ran) == 5


async def test_a_tick_that_another_node_ran_a_while_ago_is_not_run_again(nodes: tuple[Ticks, Ticks]) -> None:
    ran: list[int] = []
    await nodes[0].run(counting(ran), AT)

    assert await nodes[1].run(counting(ran), AT) is False
    assert await nodes[1].run(counting(ran), AT - timedelta(minutes=1)) is False
    assert await nodes[1].run(counting(ran), AT + timedelta(minutes=1)) is True


async def test_two_ticks_of_a_job_never_run_side_by_side(nodes: tuple[Ticks, Ticks]) -> None:
    started, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        started.set()
        await go_on.wait()

    running = asyncio.create_task(nodes[0].run(a_job(slow), AT))
    await started.wait()

    assert await nodes[1].run(a_job(slow), AT + timedelta(minutes=1)) is False

    go_on.set()
    assert await running is True
    assert await nodes[1].run(a_job(slow), AT + timedelta(minutes=2)) is True


async def test_a_node_whose_clock_was_ahead_does_not_stop_the_job(nodes: tuple[Ticks, Ticks]) -> None:
    ran: list[int] = []
    await nodes[0].run(counting(ran), datetime.now(UTC) + timedelta(days=400))

    assert await nodes[1].run(counting(ran), datetime.now(UTC)) is True
    assert await nodes[0].run(counting(ran), datetime.now(UTC) + timedelta(minutes=1)) is True


async def test_a_failed_tick_is_logged_and_kept_and_the_next_one_runs(
    both: tuple[Database, Database], nodes: tuple[Ticks, Ticks]
) -> None:
    async def failing() -> None:
        raise Unavailable("no luck")

    with what_is_logged() as said:
        assert await nodes[0].run(a_job(failing), AT) is True

    assert said.facts("[counting] Job error")["error"] == "no luck"
    (run,) = await jobs.runs(both[0])
    assert (run.job, run.tick, run.error) == ("counting", AT, "Unavailable: no luck")
    assert run.finished_at is not None
    assert await nodes[1].run(a_job(failing), AT + timedelta(minutes=1)) is True


async def test_a_node_that_dies_in_a_tick_holds_nobody_up(
    both: tuple[Database, Database], nodes: tuple[Ticks, Ticks]
) -> None:
    started = asyncio.Event()

    async def endless() -> None:
        started.set()
        await asyncio.sleep(60)

    dying = asyncio.create_task(nodes[0].run(a_job(endless), AT))
    await started.wait()
    await both[1].execute(
        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
    )
    ran: list[int] = []
    for _ in range(100):
        if await nodes[1].run(counting(ran), AT + timedelta(minutes=1)):
            break
        await asyncio.sleep(0.01)

    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    assert ran == [1]


async def test_a_cancelled_schedule_lets_go_of_its_locks(both: tuple[Database, Database]) -> None:
    async def endless() -> None:
        await asyncio.sleep(60)

    async def one_tick() -> None:
        async with Ticks(both[0]) as ticks:
            await ticks.run(a_job(endless), AT)

    for delay in (0.0, 0.001, 0.002, 0.003, 0.005, 0.01, 0.05):
        running = asyncio.create_task(one_tick())
        await asyncio.sleep(delay)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

        async with asyncio.timeout(5):
            while await both[1].fetchval("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"):  # noqa: ASYNC110
                await asyncio.sleep(0.01)


async def test_jobs_that_run_at_once_need_no_more_than_one_connection_of_the_pool(
    both: tuple[Database, Database], nodes: tuple[Ticks, Ticks]
) -> None:
    def a_query(number: int) -> Job:
        async def run() -> None:
            assert await both[0].fetchval("SELECT 1") == 1

        return Job(f"query-{number}", "* * * * *", run, "[query] Job error")

    with what_is_logged() as said:
        assert await asyncio.gather(*(nodes[0].run(a_query(number), AT) for number in range(20))) == [True] * 20
        assert said.messages == []


async def test_a_process_whose_locks_were_lost_runs_the_next_tick(
    both: tuple[Database, Database], nodes: tuple[Ticks, Ticks]
) -> None:
    async def loses_its_lock() -> None:
        await both[1].execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
        )
        await asyncio.sleep(0.05)  # until the connection has heard of it

    ran: list[int] = []
    assert await nodes[0].run(a_job(loses_its_lock), AT) is True
    assert await nodes[0].run(counting(ran), AT + timedelta(minutes=1)) is True

    (run,) = await jobs.runs(both[0])
    assert (run.error, run.finished_at is not None, ran) == (None, True, [1])


async def test_a_failing_job_does_not_end_the_schedule(both: tuple[Database, Database]) -> None:
    ran: list[str] = []

    async def failing() -> None:
        ran.append("failing")
        raise ZeroDivisionError

    async def working() -> None:
        ran.append("working")

    every_second = [
        Job("failing", "* * * * * *", failing, "[PoU Finalizer] Job error"),
        Job("working", "* * * * * *", working, "[working] Job error"),
    ]
    with what_is_logged() as said:
        schedule = asyncio.create_task(run_forever(both[0], every_second))
        await wait_until(lambda: ran.count("failing") >= 2 and ran.count("working") >= 2)
        schedule.cancel()
        await asyncio.gather(schedule, return_exceptions=True)

    assert said.messages.count("[PoU Finalizer] Job error") >= 2
    assert "[working] Job error" not in said.messages


async def test_a_database_that_comes_back_finds_the_schedule_running(both: tuple[Database, Database]) -> None:
    ran: list[int] = []
    job = Job("counting", "* * * * * *", counting(ran).run, "[counting] Job error")
    with what_is_logged():
        schedule = asyncio.create_task(run_forever(both[0], [job]))
        await wait_until(lambda: ran)
        await both[1].execute("ALTER TABLE job_runs RENAME TO job_runs_away")
        await asyncio.sleep(1.1)
        seen = len(ran)
        await both[1].execute("ALTER TABLE job_runs_away RENAME TO job_runs")
        await wait_until(lambda: len(ran) > seen)
        schedule.cancel()
        await asyncio.gather(schedule, return_exceptions=True)
