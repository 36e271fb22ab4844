"""The audit trail: written in batches, read in pages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from ainp.core.trail import Record, Trace
from ainp.store.db import Session
from ainp.store.queries import load

_SQL = load("audit")


@dataclass(frozen=True, slots=True)
class Kept:
    """A record as it is kept."""

    id: UUID
    at: datetime
    trace: Trace
    agent_did: str | None
    address: str | None
    details: Mapping[str, Any]


async def insert(db: Session, records: Sequence[Record]) -> None:
    """Write what happened."""
    rows = [
        {
            "event_type": record.trace,
            "agent_did": record.agent_did,
            "ip_address": record.address,
            "details": record.details,
        }
        for record in records
    ]
    await db.execute(_SQL["insert"], rows)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which records are asked for."""

    below: tuple[datetime, UUID]
    since: datetime
    agent_did: str | None = None
    trace: Trace | None = None


async def page(db: Session, wanted: Wanted, *, limit: int) -> list[Kept]:
    """Records, newest first."""
    statement, filters = _by(wanted)
    rows = await db.fetch(_SQL[statement], *wanted.below, wanted.since, limit, *filters)
    return [
        Kept(row["id"], row["timestamp"], Trace(row["event_type"]), row["agent_did"], row["address"], row["details"])
        for row in rows
    ]


async def forget(db: Session, *, older_than: timedelta, batch: int) -> int:
    """Drop a batch of old records; how many."""
    tag = await db.execute(_SQL["forget"], older_than, batch)
    return int(tag.rsplit(" ", 1)[-1])


def _by(wanted: Wanted) -> tuple[str, tuple[str, ...]]:
    match wanted.agent_did, wanted.trace:
        case None, None:
            return "list_all", ()
        case did, None:
            assert did is not None
            return "list_by_agent", (did,)
        case None, trace:
            assert trace is not None
            return "list_by_event", (trace,)
        case did, trace:
            assert did is not None
            assert trace is not None
            return "list_by_agent_and_event", (did, trace)
