"""Events on their way from the outbox to their receivers, and where receivers find them again."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import timedelta
from functools import partial

import msgspec
from msgspec import Raw, Struct

from ainp.core.errors import BrokerError
from ainp.core.events import Head, Page, Told
from ainp.store.db import Database, Session, Transaction, translated
from ainp.store.queries import load

_SQL = load("events")
_CHANNEL = "ainp_events"
_LOOK_EVERY_S = 2.0  # a notice may get lost; this is how late an event is then
_RECONNECT_S = 0.5
Wakes = Callable[[Callable[[int], None]], AbstractContextManager[None]]  # as long as it is open, tells of positions


async def append(db: Session, name: str, did: str, body: str) -> None:
    """Tell one agent what is no fact of a table: *body* is JSON, and reaches its receiver as it was written."""
    await db.execute(_SQL["append"], name, did, body)


async def waiting(db: Session) -> bool:
    """Whether something is to be published."""
    return await db.fetchval(_SQL["waiting"]) is not None


async def publish(db: Session, *, batch: int) -> tuple[int, bool]:
    """Number a batch and make it readable; how many there were, and whether any was a message between agents."""
    row = await db.fetchrow(_SQL["publish"], batch)
    return (0, False) if row is None else (row["count"], row["messages"])


async def forget(db: Session, *, older_than: timedelta, batch: int) -> int:
    """Drop a batch of old events; how many there were."""
    count: int = await db.fetchval(_SQL["forget"], older_than, batch)
    return count


class PublishedEvents:
    """What is published, on PostgreSQL: a `Source` for `adapters/events`."""

    def __init__(self, database: Database, beside: Wakes | None = None) -> None:
        self._database = database
        self._beside = beside

    async def heads(self) -> AsyncGenerator[Head, None]:
        """The position of the last event: at once, whenever it has moved, and every few seconds; for ever."""
        while True:
            moved: asyncio.Queue[Head | None] = asyncio.Queue()
            with (
                suppress(BrokerError),  # the database is gone, or behind; it will be back
                nullcontext() if self._beside is None else self._beside(partial(_note, moved)),
            ):
                async with self._database.dedicated() as connection:
                    connection.add_termination_listener(lambda *_, moved=moved: moved.put_nowait(None))
                    await translated(connection.add_listener, _CHANNEL, _Listener(moved))
                    head = await _head(Transaction(connection))
                    while True:
                        yield head
                        said = await _newest(moved, head.position)
                        head = await _head(Transaction(connection)) if said is None else said
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


class _Carried(Struct, array_like=True):
    """An event in a notice."""

    position: int
    recipients: list[str]
    numbers: list[int]
    body: Raw  # as it was written


_events = msgspec.json.Decoder(list[_Carried])


def _heard(notice: str) -> Head:
    position, _, carried = notice.partition(" ")
    try:
        found = _events.decode(carried) if carried else ()
    except msgspec.DecodeError:  # half a character, say, which PostgreSQL takes: it is read instead
        found = ()
    told = [Told(each.position, each.recipients, each.numbers, bytes(each.body).decode()) for each in found]
    return Head(int(position), told)


class _Listener:
    """
    Hands on what PostgreSQL says.

    Positions only grow, in the order of commits. One that does not is of tables that were made anew: then the head is
    looked up, as what was said before could hide what comes now until its positions are as high.
    """

    def __init__(self, moved: "asyncio.Queue[Head | None]") -> None:
        self._moved = moved
        self._last = 0

    def __call__(self, *said: object) -> None:
        head = _heard(str(said[-1]))
        self._moved.put_nowait(head if head.position > self._last else None)
        self._last = head.position


def _note(moved: "asyncio.Queue[Head | None]", position: int) -> None:
    moved.put_nowait(Head(position))


async def _head(db: Session) -> Head:
    return Head(await db.fetchval(_SQL["head"]))


async def _newest(moved: "asyncio.Queue[Head | None]", head: int) -> Head | None:
    """The furthest of the notices that go beyond *head*; None if there is none for a while, then it is looked up."""
    try:
        async with asyncio.timeout(_LOOK_EVERY_S):
            while True:
                said = [await moved.get()]
                while not moved.empty():
                    said.append(moved.get_nowait())
                notices = [notice for notice in said if notice is not None]
                if len(notices) < len(said):
                    return None  # the connection was lost
                furthest = max(notice.position for notice in notices)
                if furthest > head:  # the same is said by PostgreSQL and by the bus
                    return Head(furthest, [event for notice in notices for event in notice.told])
    except TimeoutError:
        return None
