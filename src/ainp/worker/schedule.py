"""
Jobs: each on its own times, each tick run by one node.

A tick is taken in the database (`job_runs`), so it is run once however many brokers there are; an advisory lock keeps
two ticks of one job from running side by side. A process holds all its locks on one connection beside the pool: jobs
that each kept a connection while they waited for another would wait for each other. A failed tick is logged, kept, and
followed by the next.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from time import monotonic
from typing import Any, Self

from croniter import croniter

from ainp.core.errors import BrokerError, SchemaBehind
from ainp.store import jobs, measurements
from ainp.store.db import Database, Transaction
from ainp.telemetry import logger
from ainp.telemetry.metrics import JOB_DURATION, JOB_INTERVAL, JOB_RUNS

_AHEAD = 8  # runs that are looked at for the longest time between two: a cron may leave out nights


@dataclass(frozen=True, slots=True)
class Job:
    """Something that is done whenever *cron* says (five fields, UTC; six with seconds in front)."""

    name: str
    cron: str
    run: Callable[[], Awaitable[None]]
    failed: str  # the log line of a failed run, word for word


def next_time(cron: str, after: datetime) -> datetime:
    """When *cron* comes next."""
    at: datetime = croniter(cron, after, second_at_beginning=True).get_next(datetime)
    return at


def interval_s(cron: str, after: datetime) -> float:
    """The longest time that passes between the next runs."""
    times = [next_time(cron, after)]
    for _ in range(_AHEAD):
        times.append(next_time(cron, times[-1]))
    return max((later - earlier).total_seconds() for earlier, later in pairwise(times))


class Ticks:
    """
    The ticks that one process runs, taken on a connection of their own for as long as it is entered.

    With that connection its locks are lost, and another node may go on; the next tick makes another one.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._opened = AsyncExitStack()
        self._connection: Any = None
        self._asking = asyncio.Lock()
        self._running: set[str] = set()

    async def __aenter__(self) -> Self:
        """Connect when it is first needed: the database may be gone now and back then."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Let go of every lock."""
        await self._opened.aclose()

    async def run(self, job: Job, at: datetime) -> bool:
        """Run one tick of *job* unless another node has taken it; whether it was run here."""
        if job.name in self._running:  # a session may take its own lock again
            return False
        self._running.add(job.name)
        try:
            claimed = await self._take(job, at)
            if claimed:
                await self._end(job, at, error=await _run(job))
            return claimed
        finally:
            self._running.discard(job.name)

    async def _take(self, job: Job, at: datetime) -> bool:
        async with self._own() as own:
            if not await jobs.lock(own, job.name):
                return False
            claimed = await jobs.claim(own, job.name, at)
            if not claimed:
                await jobs.unlock(own, job.name)
            return claimed

    async def _end(self, job: Job, at: datetime, *, error: str | None) -> None:
        async with self._own() as own:
            await jobs.finish(own, job.name, at, error=error)
            if error is None:
                with suppress(SchemaBehind):  # a job is run, whether that can be told or not
                    await measurements.job_succeeded(own, job.name)
            await jobs.unlock(own, job.name)

    @asynccontextmanager
    async def _own(self) -> AsyncIterator[Transaction]:
        async with self._asking:
            if self._connection is None or self._connection.is_closed():
                await self._opened.aclose()
                self._connection = await self._opened.enter_async_context(self._database.dedicated())
            try:
                yield Transaction(self._connection)
            except BaseException:
                self._connection.terminate()  # nobody knows which locks it holds
                raise


async def run_forever(database: Database, scheduled: Sequence[Job]) -> None:
    """Run every job at its times until cancelled; what runs then is finished by its transaction or not at all."""
    async with Ticks(database) as ticks, asyncio.TaskGroup() as group:
        for job in scheduled:
            group.create_task(_follow(ticks, job), name=job.name)


async def _run(job: Job) -> str | None:
    began = monotonic()
    JOB_INTERVAL.of(job.name).set(interval_s(job.cron, datetime.now(UTC)))
    try:
        await job.run()
    except Exception as error:  # noqa: BLE001 - one failed run must not end the schedule
        logger().error(job.failed, error=str(error) or type(error).__name__, exc_info=_bug(error))
        JOB_RUNS.of(job.name, "failed").count()
        return f"{type(error).__name__}: {error}"[:500]
    finally:
        JOB_DURATION.of(job.name).count(monotonic() - began)
    JOB_RUNS.of(job.name, "succeeded").count()
    return None


async def _follow(ticks: Ticks, job: Job) -> None:
    for outcome in JOB_RUNS.labels["outcome"]:
        JOB_RUNS.of(job.name, outcome)  # shown before the first: a rise from nothing would not be seen
    JOB_INTERVAL.of(job.name).set(interval_s(job.cron, datetime.now(UTC)))
    while True:
        now = datetime.now(UTC)
        at = next_time(job.cron, now)
        await asyncio.sleep((at - now).total_seconds())
        try:
            await ticks.run(job, at)
        except SchemaBehind as error:
            logger().warning(f"{job.name} is waiting for migrations", error=error.message)
        except Exception as error:  # noqa: BLE001 - the database may be gone; the next tick tries again
            logger().error(job.failed, error=str(error) or type(error).__name__, exc_info=_bug(error))


def _bug(error: Exception) -> Exception | None:
    """Refusals and a database that is gone are no bugs: their traces say nothing."""
    return None if isinstance(error, BrokerError) else error
