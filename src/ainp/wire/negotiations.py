"""Bodies of the negotiation routes."""

from collections.abc import Mapping
from typing import Annotated

from msgspec import Meta, Struct

from ainp.core.canonical import digest
from ainp.core.ids import spelled
from ainp.core.limits import MAX_SIGNATURE_LENGTH, MAX_URI_LENGTH
from ainp.core.moments import unix_ms
from ainp.core.negotiation import DEFAULT_ROUNDS, Negotiation, NegotiationState, Round
from ainp.wire.receipts import ReceiptReply
from ainp.wire.values import Did, IntentId, Proposal, Text, iso, iso_or_none

TermsSignature = Annotated[
    str,
    Meta(
        max_length=MAX_SIGNATURE_LENGTH,
        description="base64 of the actor's Ed25519 signature over the 32 bytes of terms_hash",
    ),
]


class InitiateBody(Struct):
    """An opening offer."""

    intent_id: IntentId
    responder_did: Did
    initial_proposal: Proposal
    initiator_did: Did | None = None
    max_rounds: Annotated[int, Meta(description="1 to 20")] = DEFAULT_ROUNDS
    ttl_minutes: Annotated[float, Meta(description="more than 0, at most 7 days; fractions are fine")] = 60
    terms_signature: TermsSignature | None = None


class ProposeBody(Struct):
    """An answer to the other party's proposal."""

    proposal: Proposal
    proposer_did: Did | None = None
    terms_signature: TermsSignature | None = None


class AcceptBody(Struct):
    """Agreement to the other party's latest proposal, named by its hash or its round."""

    acceptor_did: Did | None = None
    terms_hash: Annotated[str, Meta(max_length=64)] | None = None
    round_number: int | None = None
    terms_signature: TermsSignature | None = None


class RejectBody(Struct):
    """The end of a negotiation without agreement."""

    rejector_did: Did | None = None
    reason: Text | None = None


class CancelBody(Struct):
    """A withdrawal."""

    canceller_did: Did | None = None
    reason: Text | None = None


class DeliverBody(Struct):
    """What was handed over."""

    deliverer_did: Did | None = None
    outputs_ref: Annotated[str, Meta(max_length=MAX_URI_LENGTH)] | None = None
    metrics: dict[str, object] | None = None


class SettleBody(Struct):
    """A settlement; who is paid stands in the accepted terms, a validator named here is not."""

    settler_did: Did | None = None
    validator_did: Did | None = None
    usefulness_proof_id: Annotated[str, Meta(max_length=64)] | None = None


class RoundReply(Struct, omit_defaults=True):
    """One turn; the time in Unix milliseconds."""

    round_number: int
    proposer_did: str
    proposal: Mapping[str, object]
    timestamp: int
    terms_hash: str | None = None
    convergence_delta: float | None = None
    signature: str | None = None
    countersignature: str | None = None


class DeliveryReply(Struct):
    """What the responder says it has handed over."""

    outputs_ref: str | None
    metrics: Mapping[str, object] | None


class NegotiationReply(Struct):
    """A negotiation as both parties see it."""

    id: str
    intent_id: str
    initiator_did: str
    responder_did: str
    state: str
    rounds: list[RoundReply]
    convergence_score: float
    current_proposal: Mapping[str, object]
    final_proposal: Mapping[str, object] | None
    terms_hash: str
    incentive_split: dict[str, float]
    max_rounds: int
    created_at: str
    updated_at: str
    expires_at: str
    reserved_atomic: str
    accepted_at: str | None
    settle_by: str | None
    delivered_at: str | None
    delivery: DeliveryReply | None
    closed_at: str | None
    closed_by: str | None
    close_reason: str | None
    committee_seed_commitment: str | None
    task_id: str | None


class SettledReply(Struct, omit_defaults=True):
    """A settled negotiation, its receipt and who was paid."""

    success: bool
    message: str
    negotiation_id: str
    state: str
    task_id: str
    task_receipt_id: str
    receipt: ReceiptReply
    distribution: Mapping[str, str]
    validator_did: str | None
    note: str = ""
    idempotent: bool = False


def negotiation_reply(n: Negotiation) -> NegotiationReply:
    """Show a negotiation."""
    final = n.current.proposal if n.accepted_at is not None else None
    return NegotiationReply(
        id=spelled(n.id),
        intent_id=n.intent_id,
        initiator_did=n.initiator,
        responder_did=n.responder,
        state=n.state,
        rounds=[*(_round(r) for r in n.rounds), *_rejection(n)],
        convergence_score=round(n.convergence, 2),
        current_proposal=n.current.proposal if final is None else _with_reservation(n),
        final_proposal=final,
        terms_hash=n.current.terms_hash,
        incentive_split={name: share / 10_000 for name, share in n.terms.split.as_mapping().items()},
        max_rounds=n.max_rounds,
        created_at=iso(n.created_at),
        updated_at=iso(n.updated_at),
        expires_at=iso(n.expires_at),
        reserved_atomic=str(n.reserved),
        accepted_at=iso_or_none(n.accepted_at),
        settle_by=iso_or_none(n.settle_by),
        delivered_at=iso_or_none(n.delivered_at),
        delivery=None if n.delivery is None else DeliveryReply(n.delivery.outputs_ref, n.delivery.metrics),
        closed_at=iso_or_none(n.closed_at),
        closed_by=n.closed_by,
        close_reason=n.close_reason,
        committee_seed_commitment=None if n.seed is None else digest(n.seed).hex(),
        task_id=None if n.task_id is None else spelled(n.task_id),
    )


def _round(r: Round) -> RoundReply:
    return RoundReply(
        r.number,
        r.proposer,
        r.proposal,
        unix_ms(r.at),
        r.terms_hash,
        r.convergence_delta,
        r.signature,
        r.countersignature,
    )


def _rejection(n: Negotiation) -> list[RoundReply]:
    """Existing clients read a rejection as one more round."""
    if n.state is not NegotiationState.REJECTED or n.closed_at is None or n.closed_by is None:
        return []
    said = {"custom_terms": {"rejected": True, "reason": n.close_reason}}
    return [RoundReply(n.current.number + 1, n.closed_by, said, unix_ms(n.closed_at))]


def _with_reservation(n: Negotiation) -> Mapping[str, object]:
    """Existing clients look for the reservation among the custom terms."""
    custom = n.current.proposal.get("custom_terms")
    merged = {**(custom if isinstance(custom, Mapping) else {}), "reserved_credits": str(n.reserved)}
    return {**n.current.proposal, "custom_terms": merged}
