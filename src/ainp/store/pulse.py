"""
Whether the database answers: asked once at a time, however many want to know, and not waited for.

A statement may take half a minute until it is given up; who asks for the health of the broker is told in seconds. And
where a database says nothing, one question waits in the pool, not one for each who asks.
"""

import asyncio
from typing import Any, Protocol

from ainp.core.errors import DatabaseUnavailable
from ainp.store.queries import load

_PING = load("pulse")["ping"]
PATIENCE_S = 3.0  # less than what a probe waits, as a rule; more than any burst takes


class Asks(Protocol):
    """A database, as far as it is needed here."""

    async def fetchval(self, sql: str, *args: object) -> Any:  # noqa: ANN401 - a column's value
        """The first row's first column."""
        ...


class Pulse:
    """The last question to one database."""

    def __init__(self, db: Asks) -> None:
        self._db = db
        self._asking: asyncio.Task[Any] | None = None

    async def feel(self) -> None:
        """Return once the database has answered, or raise DatabaseUnavailable."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._db.fetchval(_PING), name="pulse")
            self._asking.add_done_callback(_heard)
        asking = self._asking
        done, _ = await asyncio.wait({asking}, timeout=PATIENCE_S)
        if not done:
            raise DatabaseUnavailable(f"PostgreSQL has not answered for {PATIENCE_S:.0f} s")
        asking.result()


def _heard(asked: "asyncio.Task[Any]") -> None:
    """Take note of an error that nobody waited for."""
    if not asked.cancelled():
        asked.exception()
