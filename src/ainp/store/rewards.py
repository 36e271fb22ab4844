"""The hours whose rewards were paid, and who may be rewarded for one."""

from dataclasses import dataclass
from datetime import datetime

from ainp.store.db import Session
from ainp.store.queries import load

_SQL = load("rewards")


@dataclass(frozen=True, slots=True)
class Useful:
    """An agent that was useful: its score in hundredths, and the fees its receipts have paid; None: not asked."""

    agent: str
    score: int
    fees: int | None


async def claim(db: Session, hour: datetime) -> bool:
    """Take an hour in this transaction; False if it was paid."""
    return await db.fetchval(_SQL["claim"], hour) is not None


async def close(db: Session, hour: datetime, *, total: int, from_pool: int, recipients: int) -> None:
    """Write down what an hour cost."""
    await db.execute(_SQL["close"], hour, total, from_pool, recipients)


async def last_paid(db: Session) -> datetime | None:
    """The last hour that was paid."""
    hour: datetime | None = await db.fetchval(_SQL["last_paid"])
    return hour


async def paid(db: Session, hour: datetime) -> bool:
    """Whether an hour was paid."""
    return bool(await db.fetchval(_SQL["paid"], hour))


async def pool(db: Session) -> int:
    """What the pool has, held until the transaction ends."""
    return int(await db.fetchval(_SQL["pool"]) or 0)


async def useful(db: Session, hour: datetime, *, least_score: int, by_receipts: bool) -> list[Useful]:
    """Who may be rewarded for the hour that begins at *hour*, by DID; *by_receipts*: for finalized work alone."""
    if by_receipts:
        rows = await db.fetch(_SQL["by_receipts"], hour, least_score)
        return [Useful(row["did"], row["score"], row["fees"]) for row in rows]
    return [Useful(row["did"], row["score"], None) for row in await db.fetch(_SQL["by_score"], hour, least_score)]
