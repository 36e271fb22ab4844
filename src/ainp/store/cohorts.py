"""Cohorts: agents that are apart, what they were lent, and whether it is back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ainp.core.committee import Epoch
from ainp.core.did import AgentDid
from ainp.core.ids import NegotiationId
from ainp.store.db import Session
from ainp.store.queries import load

_SQL = load("cohorts")


@dataclass(frozen=True, slots=True)
class Lent:
    """What a cohort was lent, and what has come back; None while it is open."""

    lent: int
    returned: int | None


async def begin(db: Session, *, lent: int, lifetime: timedelta) -> tuple[int, datetime]:
    """Open a cohort: its number, and the time."""
    row = await db.fetchrow(_SQL["open"], lent, lifetime)
    assert row is not None
    return row["id"], row["now"]


async def publish(db: Session, number: int, epoch: Epoch) -> None:
    """Store its list of candidates."""
    lists = list(epoch.members), list(epoch.weights), list(epoch.registered_at)
    await db.execute(_SQL["publish"], number, epoch.hash, epoch.population, *lists)


async def enroll(db: Session, number: int, keys: Sequence[tuple[AgentDid, str]], *, lifetime: timedelta) -> None:
    """Register its agents, each with its public key."""
    dids, public = [did for did, _ in keys], [key for _, key in keys]
    await db.execute(_SQL["enroll"], number, dids, public, lifetime)


async def overdue(db: Session, *, limit: int) -> list[int]:
    """Cohorts that should have been closed."""
    return [row["id"] for row in await db.fetch(_SQL["overdue"], limit)]


async def lock(db: Session, number: int) -> bool:
    """Hold an open cohort for this transaction; False if it is closed."""
    return await db.fetchval(_SQL["lock"], number) is not None


async def unsettled(db: Session, number: int) -> list[tuple[NegotiationId, AgentDid]]:
    """Its negotiations that are not ended, with their responders."""
    return [(row["id"], row["responder_did"]) for row in await db.fetch(_SQL["unsettled"], number)]


async def held(db: Session, number: int) -> dict[str, int]:
    """What its agents have, by account."""
    return {row["account"]: row["balance"] for row in await db.fetch(_SQL["held"], number)}


async def paid(db: Session, number: int) -> dict[str, int]:
    """What it has paid to fees and pool."""
    return {row["account"]: row["amount"] for row in await db.fetch(_SQL["paid"], number)}


async def close(db: Session, number: int, *, returned: int) -> None:
    """Write down what came back, and let its agents expire."""
    await db.execute(_SQL["close"], number, returned)


async def state(db: Session, number: int) -> Lent | None:
    """What it was lent and gave back."""
    row = await db.fetchrow(_SQL["state"], number)
    return None if row is None else Lent(row["lent_atomic"], row["returned_atomic"] if row["closed"] else None)
