"""Read, decide, write; and again if somebody wrote in between."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from ainp.core.errors import Unavailable
from ainp.store.db import Database, Session, Stale

_T = TypeVar("_T")

# Of n writers of one row one wins each turn, and no more than a pool's worth write at once.
MAX_TURNS = 60
_PAUSE_S = 0.002


async def until_fresh(db: Session, attempt: Callable[[Session], Awaitable[_T]]) -> _T:
    """Repeat *attempt*, which reads, decides and writes, until what it read is still true when it writes."""
    for turn in range(MAX_TURNS):
        try:
            if isinstance(db, Database):
                return await attempt(db)
            # In the caller's transaction a failed write is undone alone.
            async with db.transaction() as savepoint:
                return await attempt(savepoint)
        except Stale:
            await asyncio.sleep(random.uniform(0, _PAUSE_S * min(turn + 1, 10)))  # noqa: S311 - spreads writers
    raise Unavailable("too many write this at once", retry_after_s=1)
