"""Committee epochs: published lists of candidates."""

from dataclasses import dataclass
from datetime import datetime

from ainp.core.committee import Candidate, Epoch
from ainp.store.db import Session
from ainp.store.queries import load
from ainp.store.reputation import reputation_of

_SQL = load("epochs")


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


async def candidates(db: Session) -> tuple[list[Candidate], datetime | None]:
    """Every registered agent as it is looked at for a seat, and the time; trust has decayed until then."""
    rows = await db.fetch(_SQL["candidates"])
    found = []
    for row in rows:
        reputation = reputation_of(row)
        found.append(
            Candidate(
                did=row["did"],
                registered_at=row["created_at"],
                last_seen_at=row["last_seen_at"],
                expires_at=row["expires_at"],
                trust=reputation.audited_trust_lower_bound(row["now"]),
                clients=reputation.clients,
                stake=row["stake"],
            )
        )
    return found, rows[0]["now"] if rows else None


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


async def touch(db: Session, id: int, *, population: int) -> None:  # noqa: A002 - the protocol's word
    """Say that the newest list is still right."""
    await db.execute(_SQL["touch"], id, population)


async def prune(db: Session) -> None:
    """Drop lists that no receipt names and nobody uses."""
    await db.execute(_SQL["prune"])
