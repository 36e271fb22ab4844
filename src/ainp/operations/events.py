"""What is kept of events that were told."""

from datetime import timedelta

from ainp.store import events
from ainp.store.db import Session

FORGET_BATCH = 1_000


async def forget_old(db: Session, *, older_than: timedelta) -> int:
    """Drop a batch of events that nobody may resume from any more; how many."""
    return await events.forget(db, older_than=older_than, batch=FORGET_BATCH)
