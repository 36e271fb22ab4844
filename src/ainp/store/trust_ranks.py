"""The trust by which agents are ranked: kept beside them, so that a search need not work it out."""

from collections.abc import Sequence
from uuid import UUID

from ainp.core.reputation import Reputation
from ainp.store.db import Session
from ainp.store.queries import load
from ainp.store.reputation import reputation_of

_SQL = load("trust_ranks")


async def moved(db: Session, *, limit: int) -> list[tuple[UUID, Reputation]]:
    """Reputations that moved since agents were ranked by trust, or that have decayed for a day."""
    marks = await db.fetchrow(_SQL["marks"])
    done = 0 if marks is None else marks["done"]
    return [(row["id"], reputation_of(row)) for row in await db.fetch(_SQL["moved"], done, limit)]


async def rank(db: Session, ranks: Sequence[tuple[UUID, int]]) -> None:
    """Write the trust that agents are ranked by, and up to where this was done."""
    await db.execute(_SQL["rank"], [id_ for id_, _ in ranks], [rank for _, rank in ranks])
    await db.execute(_SQL["mark"])
