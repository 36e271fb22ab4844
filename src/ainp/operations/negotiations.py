"""Two agents negotiate: each function is one move, in one transaction."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from ainp.core import ledger
from ainp.core.canonical import canonical
from ainp.core.committee import SEED_BYTES
from ainp.core.did import AgentDid
from ainp.core.errors import (
    AgentNotFound,
    Forbidden,
    InsufficientCredits,
    InvalidRequest,
    InvalidState,
    NotFound,
    TooManyOpen,
)
from ainp.core.events import Event, negotiation_event
from ainp.core.ids import NegotiationId, uuid7
from ainp.core.limits import MAX_OPEN_PER_PAIR, MAX_PROPOSAL_BYTES
from ainp.core.negotiation import (
    OPEN_STATES,
    Claim,
    Delivery,
    Negotiation,
    NegotiationState,
    Opening,
)
from ainp.core.negotiation import (
    initiate as open_negotiation,
)
from ainp.core.terms import Proposal
from ainp.operations.retry import until_fresh
from ainp.store import ledger as accounts
from ainp.store import negotiations
from ainp.store.db import Session

EXPIRY_BATCH = 100
_Read = TypeVar("_Read")


async def initiate(
    db: Session,
    opening: Opening,
    *,
    min_fee_bp: int,
    max_open: int = MAX_OPEN_PER_PAIR,
    chosen: NegotiationId | None = None,
) -> Negotiation:
    """
    Open a negotiation and tell the responder; its id may have been *chosen* by who opens it.

    It takes one of *max_open* places of these two, by chance: mostly it is free, and nothing is counted.
    """
    now = await db.clock()
    id_ = chosen or NegotiationId(uuid7(now, secrets.token_bytes(10)))
    negotiation = open_negotiation(opening, id=id_, now=now, min_fee_bp=min_fee_bp)
    event = negotiation_event(negotiation, "proposed", by=opening.initiator, now=now)
    place: int | None = 1 + secrets.randbelow(max_open)
    while place is not None:
        if await negotiations.insert(db, negotiation, place=place, events=[event]):
            return negotiation
        if chosen is not None and await negotiations.get(db, chosen) is not None:
            raise InvalidState(f"there is a negotiation with the id {chosen} already")
        place = await negotiations.free_place(db, negotiation, most=max_open)
    raise TooManyOpen(
        f"{opening.initiator} has {max_open} open negotiations with {opening.responder}, the most; end one of them",
        limit=max_open,
    )


async def get(db: Session, id: NegotiationId, *, by: AgentDid | None) -> Negotiation:  # noqa: A002 - the protocol's word
    """A negotiation, for its parties; *by* is None where nobody has to say who they are."""
    negotiation, _ = _found(await negotiations.get(db, id), id)
    if by is not None and by not in (negotiation.initiator, negotiation.responder):
        raise Forbidden(f"{by} is not a participant in this negotiation")
    return negotiation


async def list_of_agent(
    db: Session, did: AgentDid, *, state: str | None, below: tuple[datetime, UUID], limit: int
) -> list[Negotiation]:
    """
    An agent's negotiations, newest first, older than the cursor *below*.

    *state* is one of the states, or `active` for those that are open. A page may be shorter than *limit*, but never
    empty while there is one.
    """
    return await negotiations.list_of_agent(db, did, states=_states(state), below=below, limit=limit)


async def propose(
    db: Session,
    id: NegotiationId,  # noqa: A002
    proposal: Proposal,
    *,
    by: AgentDid,
    min_fee_bp: int,
    signature: str | None = None,
) -> Negotiation:
    """Answer the other party's proposal."""

    def move(n: Negotiation, now: datetime) -> Negotiation:
        return n.propose(proposal, by=by, now=now, min_fee_bp=min_fee_bp, signature=signature)

    return await _move(db, id, move, by=by)


async def reject(db: Session, id: NegotiationId, *, by: AgentDid, reason: str | None) -> Negotiation:  # noqa: A002
    """End it without an agreement."""

    def move(n: Negotiation, now: datetime) -> Negotiation:
        return n.reject(by=by, now=now, reason=reason)

    return await _move(db, id, move, by=by)


async def cancel(db: Session, id: NegotiationId, *, by: AgentDid, reason: str | None) -> Negotiation:  # noqa: A002
    """Withdraw; a reservation goes back to the client."""

    def move(n: Negotiation, now: datetime) -> Negotiation:
        return n.cancel(by=by, now=now, reason=reason)

    return await _move(db, id, move, by=by)


async def expire(db: Session, id: NegotiationId, *, by: AgentDid) -> Negotiation:  # noqa: A002
    """End it because its time is over, as a party that does not wait for the job."""

    def move(n: Negotiation, now: datetime) -> Negotiation:
        if by not in (n.initiator, n.responder):
            raise Forbidden(f"{by} is not a participant in this negotiation")
        return n.expire(now=now)

    return await _move(db, id, move, by=by)


async def deliver(db: Session, id: NegotiationId, delivery: Delivery, *, by: AgentDid) -> Negotiation:  # noqa: A002
    """Record that the work was handed over."""
    if len(canonical({"outputs_ref": delivery.outputs_ref, "metrics": delivery.metrics})) > MAX_PROPOSAL_BYTES:
        raise InvalidRequest(f"delivery: expected at most {MAX_PROPOSAL_BYTES} bytes of canonical JSON")

    def move(n: Negotiation, now: datetime) -> Negotiation:
        return n.deliver(delivery, by=by, now=now)

    return await _move(db, id, move, by=by, event="delivered")


async def accept(db: Session, id: NegotiationId, *, by: AgentDid, claim: Claim) -> Negotiation:  # noqa: A002
    """Agree to the other party's latest proposal and reserve its price, both or neither."""
    seed = secrets.token_bytes(SEED_BYTES)

    async def attempt(db: Session) -> Negotiation:
        read, now = _found(await negotiations.get_to_accept(db, id), id)
        accepted = read.negotiation.accept(by=by, now=now, claim=claim, seed=seed)
        if not read.responder_registered:
            raise AgentNotFound(f"Agent not found: {accepted.responder}, the responder", did=accepted.responder)
        if read.available < accepted.reserved:
            raise InsufficientCredits(needed=accepted.reserved, have=read.available, of=accepted.initiator)
        entries = ledger.reserve(accepted.initiator, accepted.reserved, accepted.id)
        await _save(db, accepted, entries, by=by, now=now)
        return accepted

    return await until_fresh(db, attempt)


@dataclass(frozen=True, slots=True)
class Expiry:
    """What a pass over stale negotiations did."""

    expired: int
    released: int


async def expire_due(db: Session) -> Expiry:
    """End a batch of negotiations whose time is over; reservations go back, both parties are told."""
    async with db.transaction() as tx:
        due, now = await negotiations.due(tx, limit=EXPIRY_BATCH)
        released: list[ledger.Entry] = []
        for negotiation in due:
            assert now is not None
            expired = negotiation.expire(now=now)
            await _save(tx, expired, (), by=None, now=now)
            released += ledger.release(expired.initiator, expired.reserved, expired.id)
        # At once, as accounts are taken in order within a statement: one by one would wait for a settlement crosswise.
        if released:
            await accounts.post(tx, released)
    return Expiry(len(due), len(released))


async def _move(
    db: Session,
    id: NegotiationId,  # noqa: A002
    move: Callable[[Negotiation, datetime], Negotiation],
    *,
    by: AgentDid,
    event: str | None = None,
) -> Negotiation:
    async def attempt(db: Session) -> Negotiation:
        negotiation, now = _found(await negotiations.get(db, id), id)
        moved = move(negotiation, now)
        closed = moved.state not in OPEN_STATES and moved.state is not NegotiationState.ACCEPTED
        entries = ledger.release(moved.initiator, moved.reserved, moved.id) if closed else ()
        await _save(db, moved, entries, by=by, now=now, event=event)
        return moved

    return await until_fresh(db, attempt)


async def _save(
    db: Session,
    negotiation: Negotiation,
    entries: Sequence[ledger.Entry],
    *,
    by: AgentDid | None,
    now: datetime,
    event: str | None = None,
) -> None:
    told: Event = negotiation_event(negotiation, event or negotiation.state, by=by, now=now)
    await negotiations.save(db, negotiation, entries=entries, events=[told])


def _found(read: tuple[_Read, datetime] | None, id: NegotiationId) -> tuple[_Read, datetime]:  # noqa: A002
    if read is None:
        raise NotFound(f"Negotiation not found: {id}")
    return read


def _states(state: str | None) -> list[NegotiationState] | None:
    if state is None:
        return None
    if state == "active":
        return sorted(OPEN_STATES)
    try:
        return [NegotiationState(state)]
    except ValueError:
        expected = ", ".join(["active", *NegotiationState])
        raise InvalidRequest(f"state: found {state[:40]!r}, expected one of {expected}", field="state") from None
