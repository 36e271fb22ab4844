"""The hours whose rewards were paid, and who may be rewarded for one."""

from dataclasses import dataclass
from datetime import datetime

from ainp.core.usefulness import WINDOW
from ainp.store.db import Session
from ainp.store.queries import load

_SQL = load("rewards")


@dataclass(frozen=True, slots=True)
class Useful:
    """An agent that was useful: its score in hundredths, and the fees its receipts have paid; None: not asked."""

    agent: str
    score: int
    fees: int | None


@dataclass(frozen=True, slots=True)
class Paid:
    """What an hour has cost, how much of it was the pool's, and how many agents got it."""

    total: int
    from_pool: int
    recipients: int


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


async def paid(db: Session, hour: datetime) -> Paid | None:
    """What an hour has cost, if it was paid."""
    row = await db.fetchrow(_SQL["paid"], hour)
    return None if row is None else Paid(row["total"], row["from_pool"], row["recipients"])


async def one_at_a_time(db: Session) -> None:
    """Let nobody else pay until the transaction ends."""
    await db.execute(_SQL["one_at_a_time"])


async def pool(db: Session) -> int:
    """What the pool has."""
    return int(await db.fetchval(_SQL["pool"]) or 0)


async def under_way(db: Session, before: datetime) -> bool:
    """Whether somebody still writes what began before that."""
    return bool(await db.fetchval(_SQL["under_way"], before))


async def useful(db: Session, hour: datetime, *, least_score: int, by_receipts: bool) -> list[Useful]:
    """Who may be rewarded for the hour that begins at *hour*, by DID; *by_receipts*: for finalized work alone."""
    if by_receipts:
        rows = await db.fetch(_SQL["by_receipts"], hour, least_score)
        return [Useful(row["did"], row["score"], row["fees"]) for row in rows]
    return [Useful(row["did"], row["score"], None) for row in await db.fetch(_SQL["by_score"], least_score)]


async def means(db: Session) -> dict[str, int]:
    """The score that each agent would have if proofs were added up now, in hundredths."""
    return {row["did"]: row["score"] for row in await db.fetch(_SQL["means"], WINDOW)}
