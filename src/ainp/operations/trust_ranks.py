"""How far agents are trusted, for rankings."""

from ainp.store import trust_ranks as store
from ainp.store.db import Session

_DECAYED = 1000  # agents at once whose trust has only decayed


async def refresh(db: Session) -> int:
    """Bring up to date by which trust agents are ranked; how many were looked at."""
    async with db.transaction() as tx:
        now = await tx.clock()
        moved = await store.moved(tx, limit=_DECAYED)
        await store.rank(tx, [(agent, known.trust_lower_bound(now)) for agent, known in moved])
    return len(moved)
