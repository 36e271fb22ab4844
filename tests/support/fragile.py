# ruff: noqa: ANN401 - it stands in for the driver's connection, which has no types
"""A database whose connection is killed by the server at a chosen statement."""

from collections.abc import Awaitable, Callable
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
        super().__init__(inner._url)
        self._inner = inner
        self._death = death

    async def _borrow(self) -> Any:
        return _Dying(await self._inner._borrow(), self._death, self._inner)

    def _give_back(self, place: Any) -> None:
        self._inner._give_back(place.place)


class _Dying:
    """A connection that counts its statements."""

    def __init__(self, place: Any, death: Death, other: Database) -> None:
        self.place = place
        self._death = death
        self._other = other

    def __getattr__(self, name: str) -> Any:
        return getattr(self.place, name)

    async def fetch(self, *call: Any, **options: Any) -> Any:
        return await self._counted(self.place.fetch, *call, **options)

    async def fetchrow(self, *call: Any, **options: Any) -> Any:
        return await self._counted(self.place.fetchrow, *call, **options)

    async def fetchval(self, *call: Any, **options: Any) -> Any:
        return await self._counted(self.place.fetchval, *call, **options)

    async def execute(self, *call: Any, **options: Any) -> Any:
        return await self._counted(self.place.execute, *call, **options)

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
        await self._other.execute("SELECT pg_terminate_backend($1, 5000)", self.place.connection.get_server_pid())
