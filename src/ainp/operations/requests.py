"""What is kept of requests themselves."""

from ainp.store import idempotency
from ainp.store.db import Session


async def forget_keys(db: Session) -> int:
    """Drop a batch of idempotency keys that are older than a day; how many."""
    return await idempotency.forget(db)
