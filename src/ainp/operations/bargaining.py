"""Negotiating by envelope: the move and the message that says it are one transaction."""

from dataclasses import dataclass

from ainp.core.bargain import Bargain, Phase
from ainp.core.delivery import Sent
from ainp.core.did import AgentDid
from ainp.core.envelope import Envelope
from ainp.core.errors import InvalidEnvelope
from ainp.core.ids import NegotiationId
from ainp.core.negotiation import Claim, Negotiation, Opening
from ainp.operations import messages, negotiations
from ainp.operations.messages import MessagePolicy
from ainp.store.db import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class BargainPolicy:
    """What moves are asked for; *named* if an acceptance has to say what it accepts."""

    min_fee_bp: int
    max_open: int
    named: bool


@dataclass(frozen=True, slots=True)
class Bargained:
    """A negotiation after the move, and the message on its way to the other party."""

    negotiation: Negotiation
    event: str
    sent: Sent


async def bargain(
    db: Session, envelope: Envelope, said: Bargain, *, rules: BargainPolicy, policy: MessagePolicy
) -> Bargained:
    """Make the move that a NEGOTIATE envelope says, and hand the envelope to the other party; both or neither."""
    async with db.transaction() as tx:
        moved, event = await _move(tx, envelope, said, rules)
        other = moved.other(envelope.sender)
        if envelope.recipient is not None and envelope.recipient != other:
            raise InvalidEnvelope(f"to_did: found {envelope.recipient}, the other party is {other}", field="to_did")
        return Bargained(moved, event, await messages.send(tx, envelope, policy=policy, to=(other,)))


async def _move(db: Session, envelope: Envelope, said: Bargain, rules: BargainPolicy) -> tuple[Negotiation, str]:
    by, reason = envelope.sender, said.reason
    if said.phase is Phase.OFFER:
        return await _offer(db, envelope, said, rules), "initiated"
    assert said.id is not None
    if said.phase is Phase.COUNTER:
        fee, signature = rules.min_fee_bp, said.terms_signature
        moved = await negotiations.propose(db, said.id, said.proposal, by=by, min_fee_bp=fee, signature=signature)
        return moved, "proposed"
    if said.phase is Phase.ACCEPT:
        return await _accept(db, said.id, said, by=by, rules=rules), "accepted"
    if said.phase is Phase.TIMEOUT:
        return await negotiations.expire(db, said.id, by=by), "expired"
    return await negotiations.reject(db, said.id, by=by, reason=reason or said.phase.lower()), "rejected"


async def _offer(db: Session, envelope: Envelope, said: Bargain, rules: BargainPolicy) -> Negotiation:
    if envelope.recipient is None:
        raise InvalidEnvelope("to_did: found none, expected the agent that is offered to", field="to_did")
    opening = Opening(
        intent_id=said.intent_id,
        initiator=envelope.sender,
        responder=envelope.recipient,
        proposal=said.proposal,
        max_rounds=said.max_rounds,
        ttl=said.ttl,
        signature=said.terms_signature,
    )
    fee, most = rules.min_fee_bp, rules.max_open
    return await negotiations.initiate(db, opening, min_fee_bp=fee, max_open=most, chosen=said.id)


async def _accept(
    db: Session,
    id: NegotiationId,  # noqa: A002 - the protocol's word
    said: Bargain,
    *,
    by: AgentDid,
    rules: BargainPolicy,
) -> Negotiation:
    read = await negotiations.get(db, id, by=by)
    claim = Claim(said.terms_hash, said.round_accepted(read.current.number), said.terms_signature)
    if rules.named:
        claim.check_named()
    return await negotiations.accept(db, id, by=by, claim=claim)
