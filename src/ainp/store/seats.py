"""Who sits on which receipt: listed behind the settlements, for pages of a member's receipts."""

from dataclasses import dataclass
from datetime import datetime

from ainp.store.db import Session
from ainp.store.queries import load

_SQL = load("seats")


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment up to which all receipts are there once every transaction *before* a number has ended."""

    until: datetime
    before: str


async def mark(db: Session) -> Mark:
    """Up to where seats can be listed now."""
    row = await db.fetchrow(_SQL["mark"])
    assert row is not None
    return Mark(row["until"], row["before"])


async def hold(db: Session) -> bool:
    """Be the only one who lists seats until this transaction ends; False if somebody else is."""
    return await db.fetchval(_SQL["hold"]) is not None


async def extend(db: Session, mark: Mark, *, limit: int) -> int | None:
    """List the seats of about *limit* receipts more; of how many, or None while somebody before *mark* still writes."""
    found: int | None = await db.fetchval(_SQL["extend"], mark.until, mark.before, limit)
    return found
