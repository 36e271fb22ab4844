"""Turns: where many write the same row, they queue instead of overtaking each other again and again."""

from ainp.store.db import Session
from ainp.store.queries import load

_SQL = load("turns")


async def take(db: Session, what: str) -> None:
    """Wait for one's turn at *what*, first come, first served; it ends with the transaction."""
    await db.execute(_SQL["take"], what)
