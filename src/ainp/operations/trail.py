"""What is kept of refusals and of what administrators did."""

from datetime import timedelta

from ainp.core.errors import Unavailable
from ainp.core.trail import Refusals
from ainp.store import audit
from ainp.store.audit import Kept, Wanted
from ainp.store.db import Session

FORGET_BATCH = 1_000


async def flush(db: Session, refusals: Refusals) -> int:
    """Write the refusals that wait; those that can't be written are counted, and told of later: how many they are."""
    records = refusals.take()
    if not records:
        return 0
    try:
        await audit.insert(db, records)
    except Unavailable:
        return refusals.lost(records)
    except BaseException:
        refusals.lost(records)
        raise
    return 0


async def page(db: Session, wanted: Wanted, *, limit: int) -> list[Kept]:
    """Records, newest first."""
    return await audit.page(db, wanted, limit=limit)


async def forget_old(db: Session, *, older_than: timedelta) -> int:
    """Drop a batch of records that are kept no longer; how many."""
    return await audit.forget(db, older_than=older_than, batch=FORGET_BATCH)
