"""Registered agents and their capabilities."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from ainp.core.agent import Capability
from ainp.core.did import AgentDid
from ainp.core.ledger import Entry
from ainp.store.db import Session
from ainp.store.posting import entry_rows
from ainp.store.queries import load

_SQL = load("agents")


@dataclass(frozen=True, slots=True)
class RegisteredAgent:
    """An agent as it is stored; times from the database's clock."""

    id: UUID
    did: AgentDid
    public_key: str
    capabilities: tuple[Capability, ...]
    created_at: datetime
    expires_at: datetime | None
    usefulness_score: float
    usefulness_updated_at: datetime | None


@dataclass(frozen=True, slots=True)
class Registered:
    """A registration as it was written; *granted* if the welcome grant had been booked before."""

    id: UUID
    expires_at: datetime
    granted: bool


async def register(db: Session, did: AgentDid, *, public_key: str, ttl_ms: int, grant_key: str) -> Registered:
    """Upsert an agent and hold its row in this transaction."""
    row = await db.fetchrow(_SQL["register"], did, public_key, ttl_ms, grant_key)
    assert row is not None
    return Registered(row["id"], row["expires_at"], row["granted"])


async def describe(db: Session, agent_id: UUID, capabilities: Sequence[Capability]) -> None:
    """Give an agent exactly these capabilities, after `register`."""
    await db.execute(_SQL["describe"], agent_id, *described(capabilities))


def described(capabilities: Sequence[Capability]) -> tuple[Sequence[str | int | None], ...]:
    """Capabilities column by column: descriptions, tags, versions, evidence, latencies, costs."""
    return (
        [c.description for c in capabilities],
        [msgspec.json.encode(c.tags).decode() for c in capabilities],
        [c.version for c in capabilities],
        [c.evidence for c in capabilities],
        [c.latency_ms for c in capabilities],
        [c.cost for c in capabilities],
    )


def capability_of(said: Mapping[str, Any]) -> Capability:
    """A capability as statements read one."""
    return Capability(
        said["description"], tuple(said["tags"]), said["version"], said["evidence"], said["latency_ms"], said["cost"]
    )


async def grant(db: Session, entries: Sequence[Entry], *, cap: int) -> None:
    """Book a welcome grant unless it was booked before or the hour's *cap* is reached, after `register`."""
    await db.execute(_SQL["grant"], entry_rows(entries), cap)


async def get(db: Session, did: AgentDid) -> RegisteredAgent | None:
    """An agent that is registered and has not expired."""
    row = await db.fetchrow(_SQL["get"], did)
    if row is None:
        return None
    return RegisteredAgent(
        id=row["id"],
        did=row["did"],
        public_key=row["public_key"],
        capabilities=tuple(capability_of(said) for said in row["capabilities"]),
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        usefulness_score=float(row["usefulness_score_cached"]),
        usefulness_updated_at=row["usefulness_last_updated"],
    )


async def exists(db: Session, did: AgentDid) -> bool:
    """Whether *did* was ever registered."""
    return bool(await db.fetchval(_SQL["exists"], did))


async def seen(db: Session, dids: Collection[AgentDid]) -> None:
    """Note that these agents are alive."""
    await db.execute(_SQL["seen"], sorted(dids))
