"""What is kept of requests themselves."""

from ainp.store import idempotency, nonces
from ainp.store.db import Session


async def forget_keys(db: Session) -> int:
    """Drop a batch of idempotency keys that are older than a day; how many."""
    return await idempotency.forget(db)


async def forget_nonces(db: Session) -> int:
    """Drop a batch of nonces whose signatures no clock takes any more; how many."""
    return await nonces.forget(db)
