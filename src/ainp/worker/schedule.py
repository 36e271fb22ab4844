"""
Jobs: each on its own times, each tick run by one node.

A tick is taken in the database (`job_runs`), so it is run once however many brokers there are; an advisory lock keeps
two ticks of one job from running side by side. A failed tick is logged, kept, and followed by the next.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from time import monotonic

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


async def run_forever(database: Database, scheduled: Sequence[Job]) -> None:
    """Run every job at its times until cancelled; what runs then is finished by its transaction or not at all."""
    async with asyncio.TaskGroup() as group:
        for job in scheduled:
            group.create_task(_follow(database, job), name=job.name)


async def tick(database: Database, job: Job, at: datetime) -> bool:
    """Run one tick of *job* unless another node has taken it; whether it was run here."""
    async with database.connection() as connection:
        return await _take(Transaction(connection), job, at)


async def _take(own: Transaction, job: Job, at: datetime) -> bool:
    if not await jobs.lock(own, job.name):
        return False
    claimed = await jobs.claim(own, job.name, at)
    if claimed:
        error = await _run(job)
        await jobs.finish(own, job.name, at, error=error)
        if error is None:
            with suppress(SchemaBehind):  # a job is run, whether that can be told or not
                await measurements.job_succeeded(own, job.name)
    await jobs.unlock(own, job.name)
    return claimed


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


async def _follow(database: Database, job: Job) -> None:
    for outcome in JOB_RUNS.labels["outcome"]:
        JOB_RUNS.of(job.name, outcome)  # shown before the first: a rise from nothing would not be seen
    JOB_INTERVAL.of(job.name).set(interval_s(job.cron, datetime.now(UTC)))
    while True:
        now = datetime.now(UTC)
        at = next_time(job.cron, now)
        await asyncio.sleep((at - now).total_seconds())
        try:
            await tick(database, job, at)
        except SchemaBehind as error:
            logger().warning(f"{job.name} is waiting for migrations", error=error.message)
        except Exception as error:  # noqa: BLE001 - the database may be gone; the next tick tries again
            logger().error(job.failed, error=str(error) or type(error).__name__, exc_info=_bug(error))


def _bug(error: Exception) -> Exception | None:
    """Refusals and a database that is gone are no bugs: their traces say nothing."""
    return None if isinstance(error, BrokerError) else error
