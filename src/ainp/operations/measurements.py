"""How the broker is, by its database."""

from ainp.store import measurements
from ainp.store.db import Session
from ainp.store.measurements import Measured


async def measure(db: Session) -> None:
    """Write down what takes long to find out."""
    await measurements.measure(db)


async def read(db: Session) -> list[Measured]:
    """What was written down, and what is quickly asked."""
    return await measurements.read(db)
