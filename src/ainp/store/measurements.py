"""What is measured now and then, and read by whoever is scraped."""

from dataclasses import dataclass

from ainp.store.db import Session
from ainp.store.queries import load

_SQL = load("measurements")


@dataclass(frozen=True, slots=True)
class Measured:
    """A metric's value, and its label if it has one."""

    metric: str
    label: str
    value: float


async def measure(db: Session) -> None:
    """Add up and count what takes long."""
    await db.execute(_SQL["measure"])


async def job_succeeded(db: Session, job: str) -> None:
    """Write down that a run of *job* succeeded just now."""
    await db.execute(_SQL["job_succeeded"], job)


async def read(db: Session) -> list[Measured]:
    """Everything that was measured, and how far publishing is behind."""
    return [Measured(*row) for row in await db.fetch(_SQL["read"])]
