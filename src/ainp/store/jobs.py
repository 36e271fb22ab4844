"""Which tick of which job was run."""

from dataclasses import dataclass
from datetime import datetime

from ainp.store.db import Session
from ainp.store.queries import load

_SQL = load("jobs")


@dataclass(frozen=True, slots=True)
class JobRun:
    """The last tick of a job that some node took."""

    job: str
    tick: datetime
    started_at: datetime
    finished_at: datetime | None
    error: str | None


async def lock(db: Session, job: str) -> bool:
    """Become the one that runs *job*, as long as this connection lives."""
    return bool(await db.fetchval(_SQL["lock"], job))


async def unlock(db: Session, job: str) -> None:
    """Let somebody else run *job*."""
    await db.execute(_SQL["unlock"], job)


async def claim(db: Session, job: str, tick: datetime) -> bool:
    """Take a tick; False if somebody has taken it."""
    return await db.fetchval(_SQL["claim"], job, tick) is not None


async def finish(db: Session, job: str, tick: datetime, *, error: str | None) -> None:
    """Say how a tick ended."""
    await db.execute(_SQL["finish"], job, tick, error)


async def runs(db: Session) -> list[JobRun]:
    """Every job's last tick."""
    return [JobRun(*row) for row in await db.fetch(_SQL["runs"])]
