# ruff: noqa: ANN401 - it stands in for the driver's connection, which has no types
"""A database whose connection is killed by the server at a chosen statement."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg

from ainp.store.db import Database


@dataclass
class Death:
    """The statement (counted from 0) at which the connection dies, and whether the statement was still carried out."""

    statement: int
    after: bool
    happened: bool = False


class Fragile(Database):
    """*inner*, but for one statement."""

    def __init__(self, inner: Database, death: Death) -> None:
        self._inner = inner
        self._death = death

    @asynccontextmanager
    async def _acquired(self) -> AsyncIterator[Any]:
        async with self._inner._acquired() as connection:
            yield _Dying(connection, self._death, self._inner)


class _Dying:
    """A connection that counts its statements."""

    def __init__(self, connection: Any, death: Death, other: Database) -> None:
        self._connection = connection
        self._death = death
        self._other = other

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    async def fetch(self, *call: Any, **options: Any) -> Any:
        return await self._counted(self._connection.fetch, *call, **options)

    async def fetchrow(self, *call: Any, **options: Any) -> Any:
        return await self._counted(self._connection.fetchrow, *call, **options)

    async def fetchval(self, *call: Any, **options: Any) -> Any:
        return await self._counted(self._connection.fetchval, *call, **options)

    async def execute(self, *call: Any, **options: Any) -> Any:
        return await self._counted(self._connection.execute, *call, **options)

    async def _counted(self, run: Callable[..., Awaitable[Any]], *call: Any, **options: Any) -> Any:
        dies, self._death.statement = self._death.statement == 0, self._death.statement - 1
        if dies and not self._death.after:
            await self._die()
        result = await run(*call, **options)
        if dies:
            await self._die()
            raise asyncpg.ConnectionDoesNotExistError("the answer got lost")
        return result

    async def _die(self) -> None:
        self._death.happened = True
        await self._other.execute("SELECT pg_terminate_backend($1, 5000)", self._connection.get_server_pid())
