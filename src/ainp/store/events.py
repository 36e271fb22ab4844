"""Events on their way from the outbox to their receivers, and where receivers find them again."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from datetime import timedelta

from ainp.core.errors import BrokerError
from ainp.core.events import Page, Told
from ainp.store.db import Database, Session, Transaction, translated
from ainp.store.queries import load

_SQL = load("events")
_CHANNEL = "ainp_events"
_LOOK_EVERY_S = 2.0  # a notice may get lost; this is how late an event is then
_RECONNECT_S = 0.5


async def waiting(db: Session) -> bool:
    """Whether something is to be published."""
    return await db.fetchval(_SQL["waiting"]) is not None


async def publish(db: Session, *, batch: int) -> int:
    """Number a batch and make it readable; how many there were."""
    return await db.fetchval(_SQL["publish"], batch) or 0


async def forget(db: Session, *, older_than: timedelta, batch: int) -> int:
    """Drop a batch of old events; how many there were."""
    count: int = await db.fetchval(_SQL["forget"], older_than, batch)
    return count


class PublishedEvents:
    """What is published, on PostgreSQL: a `Source` for `adapters/events`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def heads(self) -> AsyncGenerator[int, None]:
        """The position of the last event: at once, whenever it has moved, and every few seconds; for ever."""
        while True:
            with suppress(BrokerError):  # the database is gone, or behind; it will be back
                async with self._database.dedicated() as connection:
                    moved: asyncio.Queue[str] = asyncio.Queue()
                    connection.add_termination_listener(lambda *_, moved=moved: moved.put_nowait(""))
                    await translated(
                        connection.add_listener, _CHANNEL, lambda *said, moved=moved: moved.put_nowait(said[-1])
                    )
                    said = ""
                    while True:
                        yield int(said) if said else await _head(Transaction(connection))
                        said = await _newest(moved)
            await asyncio.sleep(_RECONNECT_S)

    async def between(self, after: int, upto: int, dids: Sequence[str] | None) -> list[Told]:
        """What was published in these positions; of *dids* alone, unless it is None."""
        rows = await self._database.fetch(_SQL["between"], after, upto, dids)
        return [Told(*row) for row in rows]

    async def page(self, did: str, after: int, limit: int) -> Page:
        """A receiver's next events after a number."""
        rows = await self._database.fetch(_SQL["page"], did, after, limit)
        found = [(row["number"], row["body"]) for row in rows if row["number"] is not None]
        return Page(found, rows[0]["last"] if rows else 0)

    async def last_number(self, did: str) -> int:
        """The number of a receiver's last event, 0 before the first."""
        number: int = await self._database.fetchval(_SQL["last_number"], did)
        return number


async def _head(db: Session) -> int:
    head: int = await db.fetchval(_SQL["head"])
    return head


async def _newest(moved: "asyncio.Queue[str]") -> str:
    """The last of the notices that are there; nothing if there is none for a while, then it is looked up."""
    try:
        async with asyncio.timeout(_LOOK_EVERY_S):
            said = await moved.get()
    except TimeoutError:
        return ""
    while not moved.empty():
        said = moved.get_nowait()
    return said
