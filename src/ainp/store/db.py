"""
The database: a pool, transactions, and what its errors mean.

A statement run on the pool is its own transaction. Whoever needs several opens one, and passes it on in the place of
the pool: functions take a `Session` and don't know which it is.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from datetime import UTC, datetime
from time import monotonic
from typing import Any, Protocol, TypeVar

import asyncpg
import msgspec

from ainp.core.errors import (
    BrokerError,
    DatabaseUnavailable,
    InvalidRequest,
    SchemaBehind,
    Unavailable,
)
from ainp.store.nonces import Nonce
from ainp.store.pool import STATEMENT_S, Place, Pool
from ainp.store.pulse import Pulse
from ainp.store.queries import load
from ainp.store.together import Gathering, Together

Row = Any  # asyncpg.Record: columns by name
_T = TypeVar("_T")
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

_CONNECT_TIMEOUT_S = 5

_SESSION = {"application_name": "ainp", "timezone": "UTC"}
# A statement is planned once, for any number of rows it is given, and never reads a whole table where an index leads to
# what it wants: a plan that was made while the table was small would be kept while it grows.
PLANS = {"plan_cache_mode": "force_generic_plan", "enable_seqscan": "off", "jit": "off"}
# What a search looks at before it filters, and that it goes on until enough has passed: store/sql/discovery.sql.
_VECTORS = {"hnsw.ef_search": "200", "hnsw.iterative_scan": "relaxed_order"}
# A machine that vanished gives back what it holds after half a minute.
_VANISHED = {"tcp_keepalives_idle": "10", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3"}
_DEDICATED = _VANISHED | {"idle_session_timeout": "30s"}  # and so does a process that was stopped
# PostgreSQL itself ends what is stuck: the driver's timer for each statement costs a third of a round trip. A lock that
# is not to be had for so long is somebody's who forgot it, and those who wait for it are told to come again.
_LIMITS = _VANISHED | {
    "statement_timeout": f"{STATEMENT_S}s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "60s",
}

_GONE = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the server's goodbye was read, the socket is not closed yet
    asyncpg.CannotConnectNowError,
    asyncpg.OperatorInterventionError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InsufficientResourcesError,  # its disk is full, for one
    asyncpg.ReadOnlySQLTransactionError,
)
_NOT_MIGRATED = (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError, asyncpg.UndefinedFunctionError)
_REFUSED = (
    *_GONE,
    *_NOT_MIGRATED,
    asyncpg.LockNotAvailableError,
    asyncpg.TransactionRollbackError,
    asyncpg.NumericValueOutOfRangeError,
)

_UNWRITABLE = {
    asyncpg.DiskFullError: "PostgreSQL has no room to write: its disk is full",
    asyncpg.ReadOnlySQLTransactionError: "PostgreSQL takes no writes: it is a standby, or read-only",
}

_CLOCK, _ARRAYS = (load("db")[name] for name in ("clock", "arrays"))
_CLOCK_S = 1
_CLOCK_MEANWHILE_S = 2  # for those who come while somebody asks

_TRANSACTION = ("BEGIN", "COMMIT", "ROLLBACK")
_SAVEPOINT = ("SAVEPOINT part", "RELEASE part", "ROLLBACK TO part; RELEASE part")


class Stale(Unavailable):
    """What was read is not what is stored any more: read again, decide again; *row* names what was written."""

    def __init__(self, row: object = None) -> None:
        super().__init__("somebody else wrote this at the same time; try again", retry_after_s=1)
        self.row = None if row is None else str(row)


class DatabaseUnwritable(DatabaseUnavailable):
    """PostgreSQL answers, and takes nothing that is written: its disk is full, or it is a standby."""


class Session(Protocol):
    """The pool, or an open transaction."""

    async def fetch(self, sql: str, *args: object) -> list[Row]:
        """All rows."""
        ...

    async def fetchrow(self, sql: str, *args: object) -> Row | None:
        """The first row."""
        ...

    async def fetchval(self, sql: str, *args: object) -> Any:  # noqa: ANN401 - a column's value
        """The first row's first column."""
        ...

    async def execute(self, sql: str, *args: object) -> str:
        """The command tag."""
        ...

    async def clock(self) -> datetime:
        """PostgreSQL's time."""
        ...

    async def together(self, statement: Together[_Item, _Result], item: _Item) -> _Result:
        """Run *statement* for *item*, on the pool with others that come at the same moment."""
        ...

    def transaction(self) -> AbstractAsyncContextManager["Session"]:
        """Open a transaction, or a savepoint in one."""
        ...


class Transaction:
    """One open transaction; inside, `transaction()` is a savepoint."""

    def __init__(self, connection: Any) -> None:  # noqa: ANN401 - a place in the pool, or the driver's connection
        self._connection = connection

    async def fetch(self, sql: str, *args: object) -> list[Row]:
        """All rows."""
        try:
            return await self._connection.fetch(sql, *args)  # type: ignore[no-any-return]
        except _REFUSED as error:
            raise _refusal(error) from error

    async def fetchrow(self, sql: str, *args: object) -> Row | None:
        """The first row."""
        try:
            return await self._connection.fetchrow(sql, *args)
        except _REFUSED as error:
            raise _refusal(error) from error

    async def fetchval(self, sql: str, *args: object) -> Any:  # noqa: ANN401 - a column's value
        """The first row's first column."""
        try:
            return await self._connection.fetchval(sql, *args)
        except _REFUSED as error:
            raise _refusal(error) from error

    async def execute(self, sql: str, *args: object) -> str:
        """The command tag."""
        try:
            return await self._connection.execute(sql, *args)  # type: ignore[no-any-return]
        except _REFUSED as error:
            raise _refusal(error) from error

    async def clock(self) -> datetime:
        """PostgreSQL's time, as it was when the transaction began."""
        return await self.fetchval(_CLOCK)  # type: ignore[no-any-return]

    async def together(self, statement: Together[_Item, _Result], item: _Item) -> _Result:
        """Run *statement* for *item* alone: a transaction is one caller's."""
        (result,) = await statement.run(self, [item])
        return result

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator["Session"]:
        """Open a savepoint, or the transaction itself where there is none."""
        begin, commit, rollback = _SAVEPOINT if self._connection.is_in_transaction() else _TRANSACTION
        await self.execute(begin)
        try:
            yield self
        except BaseException:
            # A connection that is lost can't be rolled back; what happened first is what the caller is told.
            with suppress(*_GONE):
                await self._connection.execute(rollback)
            raise
        await self.execute(commit)


class Database:
    """A pool of connections to one PostgreSQL; connects when first used, and again after the server was gone."""

    def __init__(self, url: str, *, size: int = 20, ready: int = 0) -> None:
        self._url = url
        self._pool: Pool | None = None
        self._size = size
        self._ready = ready
        self._clock: tuple[float, float] | None = None  # how far ahead of ours PostgreSQL's is, and when it was asked
        self._asking = False
        self._gatherings: dict[Together[Any, Any], Gathering[Any, Any]] = {}
        self.pulse = Pulse(self)

    @property
    def pool(self) -> Pool | None:
        """The pool, once the database was opened."""
        return self._pool

    async def open(self) -> None:
        """Connect once, so that a wrong URL is noticed at start."""
        self._pool = Pool(self._connected, size=self._size, ready=self._ready)
        await translated(self._pool.open)

    async def close(self) -> None:
        """Let running statements end, then disconnect."""
        if self._pool is not None:
            await self._pool.close()

    async def fetch(self, sql: str, *args: object) -> list[Row]:
        """All rows."""
        place = await self._borrow()
        try:
            return await place.fetch(sql, *args)  # type: ignore[no-any-return]
        except _REFUSED as error:
            raise _refusal(error) from error
        finally:
            self._give_back(place)

    async def fetchrow(self, sql: str, *args: object) -> Row | None:
        """The first row."""
        place = await self._borrow()
        try:
            return await place.fetchrow(sql, *args)
        except _REFUSED as error:
            raise _refusal(error) from error
        finally:
            self._give_back(place)

    async def fetchval(self, sql: str, *args: object) -> Any:  # noqa: ANN401 - a column's value
        """The first row's first column."""
        place = await self._borrow()
        try:
            return await place.fetchval(sql, *args)
        except _REFUSED as error:
            raise _refusal(error) from error
        finally:
            self._give_back(place)

    async def execute(self, sql: str, *args: object) -> str:
        """The command tag."""
        place = await self._borrow()
        try:
            return await place.execute(sql, *args)  # type: ignore[no-any-return]
        except _REFUSED as error:
            raise _refusal(error) from error
        finally:
            self._give_back(place)

    async def clock(self) -> datetime:
        """PostgreSQL's time: asked once a second, and carried on by this process's own steady clock."""
        here = monotonic()
        if self._clock is None or here - self._clock[1] > (_CLOCK_MEANWHILE_S if self._asking else _CLOCK_S):
            self._asking = True
            try:
                there = await self.fetchval(_CLOCK)
            finally:
                self._asking = False
            here = monotonic()
            self._clock = there.timestamp() - here, here
        return datetime.fromtimestamp(self._clock[0] + here, UTC)

    async def together(
        self, statement: Together[_Item, _Result], item: _Item, *, nonce: Nonce | None = None
    ) -> _Result:
        """Run *statement* for *item*, and for whoever else comes at the same moment, in one transaction."""
        gathering: Gathering[_Item, _Result] | None = self._gatherings.get(statement)
        if gathering is None:
            gathering = self._gatherings[statement] = Gathering(self, statement)
        return await gathering.join(item, nonce)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Session]:
        """Open a transaction; what raises inside leaves nothing behind."""
        place = await self._borrow()
        try:
            async with Transaction(place).transaction() as session:
                yield session
        finally:
            self._give_back(place)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Place]:
        """Borrow a connection for what needs one of its own, such as a session's advisory lock."""
        place = await self._borrow()
        try:
            yield place
        except BaseException:
            place.spoilt = True  # interrupted at any point: what the session holds is not the next borrower's
            raise
        finally:
            self._give_back(place)

    @asynccontextmanager
    async def dedicated(self) -> AsyncIterator[Any]:
        """Open a connection beside the pool, for what lasts: a lock, a channel that is listened to."""
        connection = await translated(
            asyncpg.connect,
            self._url,
            timeout=_CONNECT_TIMEOUT_S,
            command_timeout=STATEMENT_S,
            server_settings=_SESSION | PLANS | _DEDICATED,
        )
        try:
            yield connection
        finally:
            connection.terminate()

    async def _borrow(self) -> Place:
        if self._pool is None:
            raise DatabaseUnavailable("the database is not open")
        try:
            return await self._pool.acquire()
        except _REFUSED as error:
            raise _refusal(error) from error

    def _give_back(self, place: Place) -> None:
        assert self._pool is not None
        self._pool.release(place)

    async def _connected(self) -> Any:  # noqa: ANN401 - asyncpg has no types
        async with asyncio.timeout(_CONNECT_TIMEOUT_S):
            connection = await asyncpg.connect(self._url, server_settings=_SESSION | PLANS | _VECTORS | _LIMITS)
            try:
                await _prepare(connection)
                if self._ready:  # not for whoever has one question
                    await connection.fetchrow(_ARRAYS)
            except BaseException:
                connection.terminate()
                raise
        return connection


async def translated(call: Callable[..., Awaitable[_T]], *args: object, **options: object) -> _T:
    """Do it; a server that is gone and a schema that is behind become refusals a client understands."""
    try:
        return await call(*args, **options)
    except _REFUSED as error:
        raise _refusal(error) from error


def _refusal(error: BaseException) -> BrokerError:
    if isinstance(error, asyncpg.TransactionRollbackError):
        return Stale()  # a deadlock that PostgreSQL broke
    if isinstance(error, asyncpg.LockNotAvailableError):
        return Unavailable("somebody else is writing this and does not come to an end; try again", retry_after_s=1)
    if isinstance(error, asyncpg.NumericValueOutOfRangeError):
        return InvalidRequest("an amount is too large for its account")
    if isinstance(error, _NOT_MIGRATED):
        return SchemaBehind(f"migrations are missing: {error}")
    unwritable = next((why for kind, why in _UNWRITABLE.items() if isinstance(error, kind)), None)
    return DatabaseUnavailable("PostgreSQL does not answer") if unwritable is None else DatabaseUnwritable(unwritable)


async def _prepare(connection: Any) -> None:  # noqa: ANN401 - asyncpg has no types
    for kind in ("json", "jsonb"):
        await connection.set_type_codec(
            kind,
            schema="pg_catalog",
            encoder=lambda value: msgspec.json.encode(value).decode(),
            decoder=msgspec.json.decode,
        )
