"""
The database: a pool, transactions, and what its errors mean.

A statement run on the pool is its own transaction. Whoever needs several opens one, and passes it on in the place of
the pool: functions take a `Session` and don't know which it is.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any, Protocol, TypeVar

import asyncpg
import msgspec

from ainp.core.errors import DatabaseUnavailable, InvalidRequest, SchemaBehind, Unavailable

Row = Any  # asyncpg.Record: columns by name
_T = TypeVar("_T")

_CONNECT_TIMEOUT_S = 5
_COMMAND_TIMEOUT_S = 30  # no statement of a request runs longer; a stuck one frees its connection
_ACQUIRE_TIMEOUT_S = 10  # longer than any burst; then the caller is told to come back
_IDLE_S = 300

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
)
_NOT_MIGRATED = (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError, asyncpg.UndefinedFunctionError)


class Stale(Unavailable):
    """What was read is not what is stored any more: read again, decide again; *row* names what was written."""

    def __init__(self, row: object = None) -> None:
        super().__init__("somebody else wrote this at the same time; try again", retry_after_s=1)
        self.row = None if row is None else str(row)


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

    def transaction(self) -> AbstractAsyncContextManager["Session"]:
        """Open a transaction, or a savepoint in one."""
        ...


class Transaction:
    """One open transaction; inside, `transaction()` is a savepoint."""

    def __init__(self, connection: Any) -> None:  # noqa: ANN401 - asyncpg has no types
        self._connection = connection

    async def fetch(self, sql: str, *args: object) -> list[Row]:
        """All rows."""
        return await translated(self._connection.fetch, sql, *args)

    async def fetchrow(self, sql: str, *args: object) -> Row | None:
        """The first row."""
        return await translated(self._connection.fetchrow, sql, *args)

    async def fetchval(self, sql: str, *args: object) -> Any:  # noqa: ANN401 - a column's value
        """The first row's first column."""
        return await translated(self._connection.fetchval, sql, *args)

    async def execute(self, sql: str, *args: object) -> str:
        """The command tag."""
        return await translated(self._connection.execute, sql, *args)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator["Session"]:
        """Open a savepoint."""
        savepoint = self._connection.transaction()
        await translated(savepoint.start)
        try:
            yield self
        except BaseException:
            # A connection that is lost can't be rolled back; what happened first is what the caller is told.
            with suppress(*_GONE):
                await savepoint.rollback()
            raise
        await translated(savepoint.commit)


class Database:
    """A pool of connections to one PostgreSQL; connects when first used, and again after the server was gone."""

    def __init__(self, url: str, *, size: int = 20) -> None:
        self._url = url
        self._size = size
        self._pool: Any = None

    async def open(self) -> None:
        """Connect once, so that a wrong URL is noticed at start."""
        self._pool = asyncpg.create_pool(
            self._url,
            min_size=1,
            max_size=self._size,
            max_inactive_connection_lifetime=_IDLE_S,
            timeout=_CONNECT_TIMEOUT_S,
            command_timeout=_COMMAND_TIMEOUT_S,
            init=_prepare,
            reset=_leave_alone,
            server_settings={"application_name": "ainp", "timezone": "UTC"},
        )
        await translated(self._pool.__aenter__)

    async def close(self) -> None:
        """Let running statements end, then disconnect."""
        if self._pool is not None:
            await self._pool.close()

    async def fetch(self, sql: str, *args: object) -> list[Row]:
        """All rows."""
        async with self._acquired() as connection:
            return await translated(connection.fetch, sql, *args)

    async def fetchrow(self, sql: str, *args: object) -> Row | None:
        """The first row."""
        async with self._acquired() as connection:
            return await translated(connection.fetchrow, sql, *args)

    async def fetchval(self, sql: str, *args: object) -> Any:  # noqa: ANN401 - a column's value
        """The first row's first column."""
        async with self._acquired() as connection:
            return await translated(connection.fetchval, sql, *args)

    async def execute(self, sql: str, *args: object) -> str:
        """The command tag."""
        async with self._acquired() as connection:
            return await translated(connection.execute, sql, *args)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Session]:
        """Open a transaction; what raises inside leaves nothing behind."""
        async with self._acquired() as connection, Transaction(connection).transaction() as session:
            yield session

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Any]:
        """Borrow a connection for what needs one of its own, such as a session's advisory lock."""
        async with self._acquired() as connection:
            try:
                yield connection
            except BaseException:
                # Interrupted at any point: what the session holds goes with it, not back into the pool.
                with suppress(asyncpg.InterfaceError):
                    connection.terminate()
                raise

    @asynccontextmanager
    async def _acquired(self) -> AsyncIterator[Any]:
        if self._pool is None:
            raise DatabaseUnavailable("the database is not open")
        connection = await translated(self._pool.acquire, timeout=_ACQUIRE_TIMEOUT_S)
        try:
            yield connection
        finally:
            # The driver's reset is off: a transaction that could not be ended must not be the next borrower's.
            with suppress(asyncpg.InterfaceError):  # it was lost, and is the pool's no more
                if connection.is_in_transaction():
                    connection.terminate()
            await self._pool.release(connection)


async def translated(call: Callable[..., Awaitable[_T]], *args: object, **options: object) -> _T:
    """Do it; a server that is gone and a schema that is behind become refusals a client understands."""
    try:
        # Called here: a connection that was lost while nobody used it refuses before there is anything to await.
        return await call(*args, **options)
    except asyncpg.TransactionRollbackError as error:
        raise Stale from error  # a deadlock that PostgreSQL broke
    except asyncpg.NumericValueOutOfRangeError as error:
        raise InvalidRequest("an amount is too large for its account") from error
    except _NOT_MIGRATED as error:
        raise SchemaBehind(f"migrations are missing: {error}") from error
    except _GONE as error:
        raise DatabaseUnavailable("PostgreSQL does not answer") from error


async def _prepare(connection: Any) -> None:  # noqa: ANN401 - asyncpg has no types
    for kind in ("json", "jsonb"):
        await connection.set_type_codec(
            kind,
            schema="pg_catalog",
            encoder=lambda value: msgspec.json.encode(value).decode(),
            decoder=msgspec.json.decode,
        )


async def _leave_alone(connection: object) -> None:
    """Skip the driver's reset: nothing here changes a session, and it would cost a round trip."""
