"""What a doctor asks of the database."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from ainp.core.checkup import Traffic
from ainp.store.db import Session
from ainp.store.queries import load

_SQL = load("doctor")


@dataclass(frozen=True, slots=True)
class Server:
    """The server, as this connection sees it."""

    version: int
    now: datetime
    encrypted: bool
    valid_until: datetime | None


async def server(db: Session) -> Server:
    """Version, clock, and how one is connected."""
    row = await db.fetchrow(_SQL["server"])
    assert row is not None
    return Server(*row)


async def traffic(db: Session, *, begun_after: UUID) -> Traffic:
    """The last hour in numbers."""
    row = await db.fetchrow(_SQL["traffic"], begun_after)
    assert row is not None
    return Traffic(**{name: int(value) for name, value in row.items()})


async def standing(db: Session) -> dict[str, float]:
    """What alerts watch; what is not known is left out."""
    row = await db.fetchrow(_SQL["standing"])
    assert row is not None
    return {name: float(value) for name, value in row.items() if value is not None}
