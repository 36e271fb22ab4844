"""How far events were handed on to a message bus."""

from ainp.core.events import Told
from ainp.store.db import Session
from ainp.store.queries import load

_SQL = load("handed_on")


async def begin(db: Session, bus: str) -> int:
    """The position of the last event that the bus has; of a new one, that of the last event there is."""
    position: int = await db.fetchval(_SQL["begin"], bus)
    return position


async def following(db: Session, after: int, limit: int) -> list[tuple[str, Told]]:
    """The next events in order, each with its name."""
    rows = await db.fetch(_SQL["following"], after, limit)
    return [(row["event"], Told(row["position"], row["recipients"], row["numbers"], row["body"])) for row in rows]


async def advance(db: Session, bus: str, position: int) -> None:
    """Remember that the bus has everything up to here."""
    await db.execute(_SQL["advance"], bus, position)


async def behind_s(db: Session, bus: str) -> float | None:
    """For how long the oldest event that the bus lacks has waited; None if it was never used."""
    seconds: float | None = await db.fetchval(_SQL["behind"], bus)
    return seconds
