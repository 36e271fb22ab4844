"""Who is connected where: rows of processes and of agents, believed as long as their process says that it is there."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from ainp.core.did import AgentDid
from ainp.store.db import Session
from ainp.store.queries import load
from ainp.store.together import Together

_SQL = load("presence")


@dataclass(frozen=True, slots=True)
class Visit:
    """An agent's connections to one process, from the first to the last; *number* tells this time from another."""

    node: UUID
    did: AgentDid
    number: int
    lasts: timedelta


async def enter(db: Session, visit: Visit) -> None:
    """Note that an agent is connected."""
    await db.together(_ENTER, visit)


async def leave(db: Session, node: UUID, gone: Sequence[tuple[AgentDid, int]]) -> None:
    """Note that agents have gone, each by the number of its visit."""
    await db.execute(_SQL["leave"], node, [did for did, _ in gone], [number for _, number in gone])


async def alive(db: Session, node: UUID, *, lasts: timedelta) -> tuple[int, bool]:
    """Say that a process is there; how many agents are noted as connected to it, and whether it was believed so far."""
    row = await db.fetchrow(_SQL["alive"], node, lasts)
    assert row is not None
    return row["count"], row["believed"]


async def forget(db: Session) -> None:
    """Drop processes that are gone, and who was connected to them."""
    await db.execute(_SQL["forget"])


async def gone(db: Session, node: UUID) -> None:
    """Drop a process that ends."""
    await db.execute(_SQL["gone"], node)


async def _enter(db: Session, visits: Sequence[Visit]) -> list[None]:
    first = visits[0]  # one process has one node
    rows = [{"did": visit.did, "visit": visit.number} for visit in visits]
    await db.execute(_SQL["enter"], first.node, rows, first.lasts)
    return [None] * len(visits)


_ENTER = Together(_enter, apart=lambda visit: [visit.did])
