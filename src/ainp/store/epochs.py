"""Committee epochs: published lists of candidates."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

from ainp.core.committee import Candidate, Epoch
from ainp.core.reputation import Reputation
from ainp.store.db import Row, Session
from ainp.store.queries import load
from ainp.store.reputation import reputation_of

_SQL = load("epochs")
PAGE = 5000  # agents read at once: rows are ten times as large as what is kept of them
_SLICE = 500  # of them looked at in one go: requests come in between


@dataclass(frozen=True, slots=True)
class EpochMark:
    """Which epoch is the newest, how many agents there were, and when an agent last registered or was seen."""

    id: int
    at: datetime
    population: int
    newest_sign_at: datetime | None
    now: datetime


@dataclass(frozen=True, slots=True)
class StoredEpoch:
    """An epoch as it is kept, with the hash it was published under."""

    id: int
    at: datetime
    epoch: Epoch
    hash: bytes


async def newest(db: Session) -> EpochMark | None:
    """The newest epoch's mark."""
    row = await db.fetchrow(_SQL["newest"])
    if row is None:
        return None
    return EpochMark(row["id"], row["created_at"], row["population"], row["newest_sign_at"], row["now"])


async def get(db: Session, id: int) -> StoredEpoch | None:  # noqa: A002 - the protocol's word
    """One epoch with its list."""
    row = await db.fetchrow(_SQL["get"], id)
    if row is None:
        return None
    epoch = Epoch(tuple(row["members"]), tuple(row["weights"]), tuple(row["registered_at"]), row["population"])
    return StoredEpoch(row["id"], row["created_at"], epoch, row["hash"])


async def candidates(db: Session) -> AsyncIterator[tuple[list[Candidate], datetime]]:
    """
    Every registered agent as it is looked at for a seat, page by page, and the time when the first page was read.

    Trust has decayed until then.
    """
    after, began = "", None
    while rows := await db.fetch(_SQL["candidates"], after, PAGE):
        began = began or rows[0]["now"]
        untried = Reputation().audited_trust_lower_bound(began)
        found: list[Candidate] = []
        for first in range(0, len(rows), _SLICE):
            found += [_candidate(row, began, untried) for row in rows[first : first + _SLICE]]
            await asyncio.sleep(0)
        yield found, began
        if len(rows) < PAGE:
            return
        after = rows[-1]["did"]


def _candidate(row: Row, now: datetime, untried: int) -> Candidate:
    """Read a row; most agents of a large network have no record, and *untried* is the trust in all of those."""
    trust, clients = untried, 0
    if row["reputation_of"] is not None:
        reputation = reputation_of(row)
        trust, clients = reputation.audited_trust_lower_bound(now), reputation.clients
    return Candidate(
        row["did"], row["created_at"], row["last_seen_at"], row["expires_at"], trust, clients, row["stake"]
    )


async def insert(db: Session, epoch: Epoch) -> tuple[int, datetime]:
    """Store an epoch; its number, and when it was made."""
    row = await db.fetchrow(
        _SQL["insert"],
        epoch.hash,
        epoch.population,
        list(epoch.members),
        list(epoch.weights),
        list(epoch.registered_at),
    )
    assert row is not None
    return row["id"], row["created_at"]


async def touch(db: Session, epoch: Epoch) -> int | None:
    """Say that the newest list is still right, if it is *epoch*; its number."""
    return await db.fetchval(_SQL["touch"], epoch.hash, epoch.population)  # type: ignore[no-any-return]


async def prune(db: Session) -> None:
    """Drop lists that no receipt names and nobody uses."""
    await db.execute(_SQL["prune"])
