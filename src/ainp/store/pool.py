"""
The pool: places for connections, lent to whoever asks, in the order of asking.

The driver's own pool makes two tasks for each statement, which cost twice what the statement does. Here lending and
giving back make none, and one look around a second replaces a timer a statement.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from time import monotonic
from typing import Any, TypeVar

import asyncpg

from ainp.core.errors import DatabaseUnavailable

_T = TypeVar("_T")

STATEMENT_S = 30  # no statement of a request runs longer: PostgreSQL ends it
_UNANSWERED_S = STATEMENT_S + 5  # and if it does not, the connection is given up
_PATIENCE_S = 10  # longer than any burst; then the caller is told to come back
_IDLE_S = 300
_LOOK_AROUND_S = 1
_GOODBYE_S = 5
_NOT_RUNNING = float("inf")

# After these nobody knows what the connection will say next: who was interrupted, and a server that said goodbye.
_SPOILT = (
    asyncio.CancelledError,
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.InternalClientError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
)


class Place:
    """One of a pool's places: a connection, or the right to make one."""

    __slots__ = ("connection", "generation", "idle_since", "running_since", "spoilt")

    def __init__(self) -> None:
        self.connection: Any = None
        self.generation = 0
        self.idle_since = 0.0
        self.running_since = _NOT_RUNNING
        self.spoilt = False

    async def fetch(self, sql: str, *args: object) -> Any:  # noqa: ANN401 - asyncpg has no types
        """All rows."""
        return await self._running(self.connection.fetch(sql, *args))

    async def fetchrow(self, sql: str, *args: object) -> Any:  # noqa: ANN401
        """The first row."""
        return await self._running(self.connection.fetchrow(sql, *args))

    async def fetchval(self, sql: str, *args: object) -> Any:  # noqa: ANN401
        """The first row's first column."""
        return await self._running(self.connection.fetchval(sql, *args))

    async def execute(self, sql: str, *args: object) -> Any:  # noqa: ANN401
        """The command tag."""
        return await self._running(self.connection.execute(sql, *args))

    def is_in_transaction(self) -> bool:
        """Whether a transaction was begun and not ended."""
        return not self.connection.is_closed() and bool(self.connection.is_in_transaction())

    @property
    def reusable(self) -> bool:
        """Whether the next borrower gets what a new connection would be."""
        return not (self.spoilt or self.connection.is_closed() or self.connection.is_in_transaction())

    async def _running(self, statement: Awaitable[_T]) -> _T:
        self.running_since = monotonic()
        try:
            return await statement
        except _SPOILT:
            self.spoilt = True
            raise
        finally:
            self.running_since = _NOT_RUNNING


class Pool:
    """
    *size* places; the one used last is lent first, so that the others may become idle and be closed.

    *ready* of them are connected before anybody needs them, and stay so: to make a connection takes longer than most
    of what is done with it.
    """

    def __init__(self, connect: Callable[[], Awaitable[Any]], *, size: int, ready: int = 0) -> None:
        self.size = size
        self._ready = min(ready, size)
        self._connect = connect
        self._places = [Place() for _ in range(size)]
        self._free = deque(self._places)  # those with a connection on the right
        self._waiters: deque[asyncio.Future[Place]] = deque()
        self._generation = 0  # of connections: one that is lost takes those with it that were made before
        self._goodbyes: set[asyncio.Task[None]] = set()
        self._look: asyncio.TimerHandle | None = None
        self._ahead: asyncio.Task[None] | None = None  # connects a place that nobody waits for
        self._closed = False

    @property
    def in_use(self) -> int:
        """How many places are lent."""
        return self.size - len(self._free)

    @property
    def waiting(self) -> int:
        """How many borrowers wait for a place."""
        return len(self._waiters)

    async def open(self) -> None:
        """Connect once, so that a wrong address is noticed at start."""
        self.release(await self.acquire())
        self._look = asyncio.get_running_loop().call_later(_LOOK_AROUND_S, self._look_around)

    async def close(self) -> None:
        """Wait for what is lent, then disconnect."""
        self._closed = True
        own: list[Place] = []
        try:
            while len(own) < self.size:
                own.append(await self._next())
                self._part(own[-1])
            await asyncio.gather(*self._goodbyes)
        finally:
            if self._look is not None:
                self._look.cancel()
            if self._ahead is not None:
                self._ahead.cancel()
            for place in self._places:
                if place.connection is not None:  # lent, and the wait for it was interrupted
                    place.connection.terminate()
            for place in own:
                self.release(place)

    async def acquire(self) -> Place:
        """Borrow a place with a connection; whoever does gives it back, whatever happens."""
        if self._closed:
            raise DatabaseUnavailable("the database is closed")
        place = self._free.pop() if self._free else await self._in_time()
        if place.connection is None or place.connection.is_closed():
            await self._fill(place)
        return place

    def release(self, place: Place) -> None:
        """Give a place back; its connection is kept if it is as good as new."""
        if place.connection is not None and (place.generation != self._generation or not place.reusable):
            self._part(place)
        place.idle_since = monotonic()
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(place)
                return
        if place.connection is None:
            self._free.appendleft(place)
        else:
            self._free.append(place)

    async def _in_time(self) -> Place:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                return await self._next()
        except TimeoutError as error:
            raise DatabaseUnavailable(f"all {self.size} connections were busy for {_PATIENCE_S} s") from error

    async def _next(self) -> Place:
        if self._free:
            return self._free.pop()
        waiter: asyncio.Future[Place] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            return await waiter
        except BaseException:
            if waiter.done() and not waiter.cancelled():  # it was given, and nobody is there to take it
                self.release(waiter.result())
            else:
                with suppress(ValueError):
                    self._waiters.remove(waiter)
            raise

    async def _fill(self, place: Place) -> None:
        self._part(place)  # one that was lost while nobody used it
        try:
            generation = self._generation
            place.connection = await self._connect()
            place.generation, place.spoilt = generation, False
        except BaseException:
            self.release(place)
            raise

    def _part(self, place: Place) -> None:
        """Disconnect a place; if its server is gone, those that are free part from theirs as well."""
        connection, place.connection = place.connection, None
        if connection is None:
            return
        if connection.is_closed() and place.generation == self._generation:
            self._generation += 1
            for other in self._free:
                self._part(other)
        if not connection.is_closed():
            goodbye = asyncio.get_running_loop().create_task(_say_goodbye(connection))
            self._goodbyes.add(goodbye)
            goodbye.add_done_callback(self._goodbyes.discard)

    @property
    def _connected(self) -> int:
        return sum(place.connection is not None for place in self._places)

    async def _make_ready(self) -> None:
        while not self._closed and self._connected < self._ready and self._free and self._free[0].connection is None:
            place = self._free.popleft()
            with suppress(Exception):  # whoever needs one is told; and a second later it is tried again
                await self._fill(place)
            if place.connection is None:
                return
            self.release(place)

    def _look_around(self) -> None:
        now = monotonic()
        for place in self._places:
            if now - place.running_since > _UNANSWERED_S:
                place.connection.terminate()  # who waits for it is told that it was lost
        idle = [place for place in self._free if place.connection is not None and now - place.idle_since > _IDLE_S]
        for place in idle[: max(0, self._connected - self._ready)]:
            self._part(place)
            self._free.remove(place)
            self._free.appendleft(place)
        if self._connected < self._ready and (self._ahead is None or self._ahead.done()):
            self._ahead = asyncio.get_running_loop().create_task(self._make_ready())
        self._look = asyncio.get_running_loop().call_later(_LOOK_AROUND_S, self._look_around)


async def _say_goodbye(connection: Any) -> None:  # noqa: ANN401
    """Close; a statement that was interrupted is called off first, which takes a moment."""
    with suppress(Exception):  # closed in one way or another
        await connection.close(timeout=_GOODBYE_S)
