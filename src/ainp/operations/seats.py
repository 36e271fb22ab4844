"""Listing who sits on which receipt."""

from ainp.store import seats as store
from ainp.store.db import Session
from ainp.store.seats import Mark

BATCH = 2000  # receipts at once


async def mark(db: Session) -> Mark:
    """Up to where seats can be listed now."""
    return await store.mark(db)


async def list_on(db: Session, mark: Mark) -> int | None:
    """List the seats of a batch of receipts; of how many, or None while somebody before *mark* still writes."""
    async with db.transaction() as tx:
        # A statement sees what was committed when it began: receipts are not read before the lock is had.
        return await store.extend(tx, mark, limit=BATCH) if await store.hold(tx) else None
