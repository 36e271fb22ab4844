"""First answers, kept for a day under the key that the client chose."""

from dataclasses import dataclass

from ainp.store.db import Session
from ainp.store.queries import load

_SQL = load("idempotency")


@dataclass(frozen=True, slots=True)
class Scope:
    """What a key belongs to: the same key of another agent, or on another route, is another key."""

    actor: str
    method: str
    path: str
    key: str


@dataclass(frozen=True, slots=True)
class FirstAnswer:
    """What the first request got."""

    body_hash: bytes
    status: int
    response: bytes


async def claim(db: Session, scope: Scope, *, body_hash: bytes) -> FirstAnswer | None:
    """Take a key in this transaction, or return the answer it was used for."""
    mine = (scope.actor, scope.method, scope.path, scope.key)
    if await db.fetchval(_SQL["claim"], *mine, body_hash) is not None:
        return None
    row = await db.fetchrow(_SQL["get"], *mine)
    assert row is not None
    return FirstAnswer(row["body_hash"], row["status"], row["response"])


async def used(db: Session, scope: Scope) -> bool:
    """Whether a key has an answer."""
    mine = (scope.actor, scope.method, scope.path, scope.key)
    return await db.fetchval(_SQL["used"], *mine) is not None


async def keep(db: Session, scope: Scope, *, status: int, response: bytes) -> None:
    """Keep the answer with what it did."""
    await db.execute(_SQL["keep"], scope.actor, scope.method, scope.path, scope.key, status, response)


async def forget(db: Session) -> int:
    """Drop a batch of keys that are older than a day; how many."""
    tag = await db.execute(_SQL["forget"])
    return int(tag.rsplit(" ", 1)[-1])
