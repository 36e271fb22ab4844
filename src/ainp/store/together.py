"""
Calls that come at the same moment, run as one statement.

What a statement costs PostgreSQL is mostly its start, its end and its commit; ten rows in one cost little more than
one. So a statement that is busy lets those who come meanwhile gather, and takes them all the next time. Nobody waits
for company: where there is none, a call is run at once and alone.

Each call is still all or nothing. Statements that are given several write each of them only if what it was decided on
is still true; if one breaks a rule of the database and all are undone with it, each is run again, alone.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ainp.core.errors import DatabaseUnavailable, SchemaBehind
from ainp.telemetry.metrics import GATHERED

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

_MOST = 64  # in one statement: more would make the first of them wait
_LANES = 4  # of one statement at the same time
_PATIENCE_S = 0.01  # a statement that takes longer waits for a lock, perhaps: others go past it in a lane of their own


@dataclass(frozen=True, eq=False)
class Together(Generic[_Item, _Result]):
    """
    A statement that takes many.

    *run* gives one result for each item, in order. Items that share a key of *apart* write the same row, and are
    never run at the same moment.
    """

    run: Callable[[Any, Sequence[_Item]], Awaitable[Sequence[_Result]]]
    apart: Callable[[_Item], Iterable[Hashable]] | None = None


class Gathering(Generic[_Item, _Result]):
    """Those who wait for one statement of one database."""

    def __init__(self, db: object, statement: Together[_Item, _Result]) -> None:
        self._db = db
        self._statement = statement
        self._waiting: deque[tuple[_Item, asyncio.Future[_Result]]] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._busy: set[Hashable] = set()  # the keys of those who are being run
        self._overdue: asyncio.TimerHandle | None = None

    async def join(self, item: _Item) -> _Result:
        """Have *item* run with whoever else is here."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[_Result] = loop.create_future()
        self._waiting.append((item, future))
        self._go_on()
        return await future

    def _go_on(self) -> None:
        """See to it that whoever waits is taken: at once, or past a statement that takes long."""
        if not self._running:
            self._start()
        elif self._overdue is None:
            self._overdue = asyncio.get_running_loop().call_later(_PATIENCE_S, self._open_lane)

    def _start(self) -> None:
        # The task begins after everybody who is ready now has come.
        task = asyncio.get_running_loop().create_task(self._run())
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _open_lane(self) -> None:
        self._overdue = None
        if self._waiting and len(self._running) < _LANES:
            self._start()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if self._waiting:  # also beside one that is stuck: it may have opened no lane for them, or a full one
            self._go_on()

    async def _run(self) -> None:
        taken = self._take()
        if not taken:
            return
        keys = {key for item, _ in taken for key in self._keys(item)}
        self._busy |= keys
        try:
            await self._answer(taken)
        except Exception as error:  # noqa: BLE001 - a bug; whoever waits is told
            _refuse(taken, error)
        finally:
            self._busy -= keys

    async def _answer(self, taken: Sequence[tuple[_Item, asyncio.Future[_Result]]]) -> None:
        items = [item for item, _ in taken]
        GATHERED.of().count(len(items))
        try:
            results = await self._statement.run(self._db, items)
        except (DatabaseUnavailable, SchemaBehind, asyncio.CancelledError) as error:
            _refuse(taken, error)
        except Exception as error:  # noqa: BLE001 - it is one item's own; the others must not suffer for it
            if len(taken) == 1:
                _refuse(taken, error)
            else:
                await self._one_by_one(taken)
        else:
            for (_, future), result in zip(taken, results, strict=True):
                if not future.done():
                    future.set_result(result)

    async def _one_by_one(self, taken: Sequence[tuple[_Item, asyncio.Future[_Result]]]) -> None:
        for item, future in taken:
            if future.done():  # nobody waits for it any more
                continue
            try:
                (result,) = await self._statement.run(self._db, [item])
            except BaseException as error:  # noqa: BLE001 - whoever asked is told
                _refuse([(item, future)], error)
            else:
                if not future.done():
                    future.set_result(result)

    def _keys(self, item: _Item) -> tuple[Hashable, ...]:
        return () if self._statement.apart is None else tuple(self._statement.apart(item))

    def _take(self) -> list[tuple[_Item, asyncio.Future[_Result]]]:
        """Choose who goes now: the first ones, as far as they keep apart."""
        taken: list[tuple[_Item, asyncio.Future[_Result]]] = []
        later: list[tuple[_Item, asyncio.Future[_Result]]] = []
        used = set(self._busy)  # who would only wait for a row that a lane has locked waits here, and holds up nobody
        while self._waiting and len(taken) < _MOST:
            item, future = self._waiting.popleft()
            keys = self._keys(item)
            if future.done():
                continue
            (later if used.intersection(keys) else taken).append((item, future))
            used.update(keys)
        self._waiting.extendleft(reversed(later))
        return taken


def _refuse(taken: Iterable[tuple[_Item, asyncio.Future[_Result]]], error: BaseException) -> None:
    for _, future in taken:
        if future.done():
            continue
        if isinstance(error, asyncio.CancelledError):
            future.cancel()
        else:
            future.set_exception(error)
