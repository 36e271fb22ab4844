"""Ticks: each is run by one node, a failed one is logged and kept, and the schedule goes on."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from ainp.core.errors import Unavailable
from ainp.store import jobs
from ainp.store.db import Database
from ainp.worker.schedule import Job, next_time, run_forever, tick
from support.races import wait_until
from support.said import what_is_logged

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
async def nodes(database_url: str) -> AsyncIterator[tuple[Database, Database]]:
    nodes = Database(database_url, size=5), Database(database_url, size=5)
    for node in nodes:
        await node.open()
    yield nodes
    for node in nodes:
        await node.close()


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


async def test_a_tick_is_run_once_by_two_nodes(nodes: tuple[Database, Database]) -> None:
    ran: list[int] = []
    job = counting(ran)

    for minute in range(5):
        at = AT + timedelta(minutes=minute)
        done = await asyncio.gather(*(tick(node, job, at) for node in nodes * 4))
        assert sum(done) == 1

    assert len(ran) == 5


async def test_a_tick_that_another_node_ran_a_while_ago_is_not_run_again(nodes: tuple[Database, Database]) -> None:
    ran: list[int] = []
    await tick(nodes[0], counting(ran), AT)

    assert await tick(nodes[1], counting(ran), AT) is False
    assert await tick(nodes[1], counting(ran), AT - timedelta(minutes=1)) is False
    assert await tick(nodes[1], counting(ran), AT + timedelta(minutes=1)) is True


async def test_two_ticks_of_a_job_never_run_side_by_side(nodes: tuple[Database, Database]) -> None:
    started, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        started.set()
        await go_on.wait()

    running = asyncio.create_task(tick(nodes[0], a_job(slow), AT))
    await started.wait()

    assert await tick(nodes[1], a_job(slow), AT + timedelta(minutes=1)) is False

    go_on.set()
    assert await running is True
    assert await tick(nodes[1], a_job(slow), AT + timedelta(minutes=2)) is True


async def test_a_node_whose_clock_was_ahead_does_not_stop_the_job(nodes: tuple[Database, Database]) -> None:
    ran: list[int] = []
    await tick(nodes[0], counting(ran), datetime.now(UTC) + timedelta(days=400))

    assert await tick(nodes[1], counting(ran), datetime.now(UTC)) is True
    assert await tick(nodes[0], counting(ran), datetime.now(UTC) + timedelta(minutes=1)) is True


async def test_a_failed_tick_is_logged_and_kept_and_the_next_one_runs(nodes: tuple[Database, Database]) -> None:
    async def failing() -> None:
        raise Unavailable("no luck")

    with what_is_logged() as said:
        assert await tick(nodes[0], a_job(failing), AT) is True

    assert said.facts("[counting] Job error")["error"] == "no luck"
    (run,) = await jobs.runs(nodes[0])
    assert (run.job, run.tick, run.error) == ("counting", AT, "Unavailable: no luck")
    assert run.finished_at is not None
    assert await tick(nodes[1], a_job(failing), AT + timedelta(minutes=1)) is True


async def test_a_node_that_dies_in_a_tick_holds_nobody_up(nodes: tuple[Database, Database]) -> None:
    started = asyncio.Event()

    async def endless() -> None:
        started.set()
        await asyncio.sleep(60)

    dying = asyncio.create_task(tick(nodes[0], a_job(endless), AT))
    await started.wait()
    await nodes[1].execute(
        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
    )
    ran: list[int] = []
    for _ in range(100):
        if await tick(nodes[1], counting(ran), AT + timedelta(minutes=1)):
            break
        await asyncio.sleep(0.01)

    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    assert ran == [1]


async def test_a_cancelled_tick_lets_go_of_its_lock(nodes: tuple[Database, Database]) -> None:
    async def endless() -> None:
        await asyncio.sleep(60)

    for delay in (0.0, 0.001, 0.002, 0.003, 0.005, 0.05):
        running = asyncio.create_task(tick(nodes[0], a_job(endless), AT))
        await asyncio.sleep(delay)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

        async with asyncio.timeout(5):
            while await nodes[1].fetchval("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"):  # noqa: ASYNC110
                await asyncio.sleep(0.01)


async def test_a_failing_job_does_not_end_the_schedule(nodes: tuple[Database, Database]) -> None:
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
        schedule = asyncio.create_task(run_forever(nodes[0], every_second))
        await wait_until(lambda: ran.count("failing") >= 2 and ran.count("working") >= 2)
        schedule.cancel()
        await asyncio.gather(schedule, return_exceptions=True)

    assert said.messages.count("[PoU Finalizer] Job error") >= 2
    assert "[working] Job error" not in said.messages


async def test_a_database_that_comes_back_finds_the_schedule_running(nodes: tuple[Database, Database]) -> None:
    ran: list[int] = []
    job = Job("counting", "* * * * * *", counting(ran).run, "[counting] Job error")
    with what_is_logged():
        schedule = asyncio.create_task(run_forever(nodes[0], [job]))
        await wait_until(lambda: ran)
        await nodes[1].execute("ALTER TABLE job_runs RENAME TO job_runs_away")
        await asyncio.sleep(1.1)
        seen = len(ran)
        await nodes[1].execute("ALTER TABLE job_runs_away RENAME TO job_runs")
        await wait_until(lambda: len(ran) > seen)
        schedule.cancel()
        await asyncio.gather(schedule, return_exceptions=True)
