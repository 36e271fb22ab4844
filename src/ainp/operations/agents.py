"""Agents register, are looked up, and are noticed."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from ainp.core import ledger
from ainp.core.agent import Capability, check_capabilities, clamp_ttl
from ainp.core.did import AgentDid, key_of_did
from ainp.core.errors import AgentNotFound, InvalidDid
from ainp.core.vectors import Sent, Vector
from ainp.operations.discovery import Discovery
from ainp.store import agents
from ainp.store import discovery as vectors
from ainp.store import ledger as accounts
from ainp.store.agents import RegisteredAgent
from ainp.store.db import Session
from ainp.store.discovery import Prepared
from ainp.store.ledger import Balance

NO_KEY = "unresolved"  # a did:web is resolved when it first has to prove something; some did:key can't be decoded


@dataclass(frozen=True, slots=True)
class GrantPolicy:
    """What a new agent gets, and what all new agents of an hour get at most; atomic units."""

    amount: int
    hourly_cap: int


@dataclass(frozen=True, slots=True)
class Registration:
    """What came of a registration."""

    id: UUID
    did: AgentDid
    expires_at: datetime
    balance: Balance | None


@dataclass(frozen=True, slots=True)
class Description:
    """What an agent says that it can do, with the embeddings it sends, and for how long it wants to be registered."""

    capabilities: Sequence[Capability]
    embeddings: Sequence[Sent | None] = ()
    ttl_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Described:
    """The same with the vectors that were made of it."""

    said: Description
    embedded: tuple[Prepared, list[Vector | None]] | None


async def register(
    db: Session, did: AgentDid, said: Description, *, policy: GrantPolicy, discovery: Discovery
) -> Registration:
    """Register *did* or renew it, with exactly these capabilities; the first time, ever, it gets its welcome grant."""
    return await enter(db, did, await described(db, said, discovery), policy=policy)


async def described(db: Session, said: Description, discovery: Discovery) -> Described:
    """Check what an agent says, and have its vectors made: a server may be asked, and take its time."""
    check_capabilities(said.capabilities)
    return Described(said, await discovery.describe(db, said.capabilities, said.embeddings))


async def enter(db: Session, did: AgentDid, known: Described, *, policy: GrantPolicy) -> Registration:
    """Register *did* as it is described."""
    said, embedded = known.said, known.embedded
    grant = ledger.welcome_grant(did, policy.amount)
    async with db.transaction() as tx:
        written = await agents.register(
            tx,
            did,
            public_key=_public_key(did),
            ttl_ms=clamp_ttl(said.ttl_ms) // timedelta(milliseconds=1),
            grant_key=ledger.welcome_key(did),
        )
        if embedded is None:
            await agents.describe(tx, written.id, said.capabilities)
        else:
            await vectors.describe(tx, written.id, said.capabilities, *embedded)
        if grant and not written.granted:
            await agents.grant(tx, grant, cap=policy.hourly_cap)
        held = await accounts.balance(tx, did)
    return Registration(written.id, did, written.expires_at, held)


async def get(db: Session, did: AgentDid) -> RegisteredAgent:
    """An agent that is registered now."""
    agent = await agents.get(db, did)
    if agent is None:
        raise AgentNotFound("Agent not found", did=did)
    return agent


async def seen(db: Session, dids: Collection[AgentDid]) -> None:
    """Note that these agents are alive; a committee is drawn from those who are."""
    await agents.seen(db, dids)


def _public_key(did: AgentDid) -> str:
    try:
        return key_of_did(did).hex()
    except InvalidDid:
        return NO_KEY
