"""
Read, decide, write; and again if somebody wrote in between.

The first turn takes no lock: hardly ever do two write the same row. Who was overtaken waits in a queue for that row,
so that a hundred settlements of one worker are a hundred turns and not thousands.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from ainp.core.errors import Unavailable
from ainp.store import turns
from ainp.store.db import Session, Stale, Transaction

_T = TypeVar("_T")

# In the queue one is overtaken only by those who come for the first time, and no more than a pool's worth do at once.
MAX_TURNS = 60


async def until_fresh(db: Session, attempt: Callable[[Session], Awaitable[_T]]) -> _T:
    """Repeat *attempt*, which reads, decides and writes, until what it read is still true when it writes."""
    overtaken = None
    for _ in range(MAX_TURNS):
        try:
            if overtaken is None and not isinstance(db, Transaction):
                return await attempt(db)
            # In the caller's transaction a failed write is undone alone.
            async with db.transaction() as inner:
                if overtaken is not None:
                    await turns.take(inner, overtaken)
                return await attempt(inner)
        except Stale as stale:
            overtaken = stale.row
    raise Unavailable("too many write this at once", retry_after_s=1)
