"""Stakes: read, held, and written with the entries and events that go with them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from ainp.core.did import AgentDid
from ainp.core.events import Event
from ainp.core.ledger import Entry
from ainp.core.stake import Stake
from ainp.store.db import Row, Session
from ainp.store.posting import entry_rows, event_rows
from ainp.store.queries import load

_SQL = load("stakes")


@dataclass(frozen=True, slots=True)
class Staked:
    """An agent's stake, at *now*."""

    did: AgentDid
    agent_id: UUID
    stake: Stake
    now: datetime


async def lock(db: Session, did: AgentDid) -> Staked | None:
    """Hold an agent's stake for this transaction; None for an unknown agent."""
    await db.execute(_SQL["begin"], did)
    row = await db.fetchrow(_SQL["lock"], did)
    return None if row is None else _staked(row)


async def available(db: Session, did: AgentDid) -> int:
    """What an agent can spend, which stays so until this transaction ends."""
    return int(await db.fetchval(_SQL["available"], did) or 0)


async def due(db: Session, *, limit: int) -> list[Staked]:
    """Hold stakes with a withdrawal that is to be paid."""
    return [_staked(row) for row in await db.fetch(_SQL["due"], limit)]


async def save(
    db: Session,
    stakes: Sequence[tuple[UUID, Stake]],
    *,
    entries: Sequence[Entry] = (),
    events: Sequence[Event] = (),
) -> None:
    """Write stakes that are held, and what goes with them."""
    rows = [
        {
            "agent_id": agent_id,
            "locked": stake.locked,
            "withdrawing": stake.withdrawing,
            "locked_until": stake.locked_until,
            "withdrawal": stake.withdrawal,
            "slashed": stake.slashed,
        }
        for agent_id, stake in stakes
    ]
    await db.execute(_SQL["save"], rows, entry_rows(entries), event_rows(events))


async def get(db: Session, did: AgentDid) -> Staked | None:
    """An agent's stake, or None for an unknown agent."""
    row = await db.fetchrow(_SQL["get"], did)
    return None if row is None else _staked(row)


async def page(db: Session, *, above: str, limit: int) -> list[Staked]:
    """Those who have staked or were slashed, by DID."""
    return [_staked(row) for row in await db.fetch(_SQL["page"], above, limit)]


def _staked(row: Row) -> Staked:
    stake = Stake(
        locked=row["amount_locked"],
        withdrawing=row["withdrawing"],
        locked_until=row["locked_until"],
        withdrawal=row["withdrawal"],
        slashed=row["slashed_total"],
    )
    return Staked(row["did"], row["agent_id"], stake, row["now"])
