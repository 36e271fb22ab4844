"""What the server is set up for."""

from ainp.store.db import Session
from ainp.store.queries import load

_SQL = load("capacity")


async def connections(db: Session) -> int:
    """How many connections ordinary users get, together."""
    return int(await db.fetchval(_SQL["connections"]))
