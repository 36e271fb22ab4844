"""
A signed request counts once: the nonce is a row, written in the transaction of what the request does.

Where calls share a statement, so do their nonces: they are a part of it in front of its own. A nonce that was used
undoes the statement, and the others are run again without it.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

from ainp.store.db import Database, Session
from ainp.store.nonces import Nonce, claim, give_back
from ainp.store.together import Together

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class Once:
    """The database, for one signed request: the first thing that it writes uses the nonce."""

    def __init__(self, db: Database, nonce: Nonce) -> None:
        self._db = db
        self._nonce = nonce
        self._used = False
        self.fetch, self.fetchrow, self.fetchval = db.fetch, db.fetchrow, db.fetchval
        self.execute, self.clock = db.execute, db.clock

    async def together(self, statement: Together[_Item, _Result], item: _Item) -> _Result:
        """Run *statement* for *item*; one that writes uses the nonce with it."""
        if self._used or not statement.writes:
            return await self._db.together(statement, item)
        result = await self._db.together(statement, item, nonce=self._nonce)
        self._used = True
        return result

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Session]:
        """Open a transaction that uses the nonce."""
        async with self._db.transaction() as tx:
            if not self._used:
                await claim(tx, self._nonce)
            yield tx
        self._used = True

    async def give_back(self) -> None:
        """Let the nonce be used again: what it was used for was refused for now, and nothing was written."""
        if self._used:
            await give_back(self._db, self._nonce)

    async def close(self) -> None:
        """Use the nonce now if nothing was written: what was refused, or had been done, was answered too."""
        if not self._used:
            await claim(self._db, self._nonce)
            self._used = True
