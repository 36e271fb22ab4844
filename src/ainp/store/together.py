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
from typing import Any, Generic, NamedTuple, TypeVar

from ainp.core.errors import DatabaseUnavailable, SchemaBehind
from ainp.store.nonces import Nonce, Runs, WithNonces
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
    never run at the same moment. One that *writes* is a single statement, which can use nonces with what it does.
    """

    run: Callable[[Any, Sequence[_Item]], Awaitable[Sequence[_Result]]]
    apart: Callable[[_Item], Iterable[Hashable]] | None = None
    writes: bool = False


class _Waiting(NamedTuple, Generic[_Item, _Result]):
    """One who waits."""

    item: _Item
    nonce: Nonce | None
    future: "asyncio.Future[_Result]"


class Gathering(Generic[_Item, _Result]):
    """Those who wait for one statement of one database."""

    def __init__(self, db: Runs, statement: Together[_Item, _Result]) -> None:
        self._db = db
        self._statement = statement
        self._waiting: deque[_Waiting[_Item, _Result]] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._busy: set[Hashable] = set()  # the keys of those who are being run
        self._overdue: asyncio.TimerHandle | None = None

    async def join(self, item: _Item, nonce: Nonce | None = None) -> _Result:
        """Have *item* run with whoever else is here."""
        future: asyncio.Future[_Result] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(item, nonce, future))
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
        keys = {key for one in taken for key in self._keys(one.item)}
        self._busy |= keys
        try:
            await self._answer(taken)
        except Exception as error:  # noqa: BLE001 - a bug; whoever waits is told
            _refuse(taken, error)
        finally:
            self._busy -= keys

    async def _answer(self, taken: Sequence[_Waiting[_Item, _Result]]) -> None:
        GATHERED.of().count(len(taken))
        try:
            results = await self._run_for(taken)
        except (DatabaseUnavailable, SchemaBehind, asyncio.CancelledError) as error:
            _refuse(taken, error)
        except Exception as error:  # noqa: BLE001 - it is one item's own; the others must not suffer for it
            if len(taken) == 1:
                _refuse(taken, error)
            else:
                await self._one_by_one(taken)
        else:
            for one, result in zip(taken, results, strict=True):
                if not one.future.done():
                    one.future.set_result(result)

    async def _one_by_one(self, taken: Sequence[_Waiting[_Item, _Result]]) -> None:
        for one in taken:
            if one.future.done():  # nobody waits for it any more
                continue
            try:
                (result,) = await self._run_for([one])
            except BaseException as error:  # noqa: BLE001 - whoever asked is told
                _refuse([one], error)
            else:
                if not one.future.done():
                    one.future.set_result(result)

    async def _run_for(self, taken: Sequence[_Waiting[_Item, _Result]]) -> Sequence[_Result]:
        nonces = [one.nonce for one in taken if one.nonce is not None]
        db = WithNonces(self._db, nonces) if nonces else self._db
        return await self._statement.run(db, [one.item for one in taken])

    def _keys(self, item: _Item) -> tuple[Hashable, ...]:
        return () if self._statement.apart is None else tuple(self._statement.apart(item))

    def _take(self) -> list[_Waiting[_Item, _Result]]:
        """Choose who goes now: the first ones, as far as they keep apart."""
        taken: list[_Waiting[_Item, _Result]] = []
        later: list[_Waiting[_Item, _Result]] = []
        used = set(self._busy)  # who would only wait for a row that a lane has locked waits here, and holds up nobody
        while self._waiting and len(taken) < _MOST:
            one = self._waiting.popleft()
            if one.future.done():
                continue
            keys = self._keys(one.item)
            (later if used.intersection(keys) else taken).append(one)
            used.update(keys)
        self._waiting.extendleft(reversed(later))
        return taken


def _refuse(taken: Iterable[_Waiting[_Item, _Result]], error: BaseException) -> None:
    for one in taken:
        if one.future.done():
            continue
        if isinstance(error, asyncio.CancelledError):
            one.future.cancel()
        else:
            one.future.set_exception(error)
