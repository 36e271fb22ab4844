"""
The task receipt: what was done for whom, for how much, and who will judge it.

What the receipt says when it opens is a statement: canonical bytes and their SHA-256, which never change. Its status,
its window and later seats are the course of its judgement and stand beside the statement.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct

from ainp.core.attestation import Parties
from ainp.core.canonical import canonical, digest
from ainp.core.committee import DrawPolicy, Epoch, Seating, seat
from ainp.core.did import AgentDid
from ainp.core.ids import NegotiationId, TaskId, spelled
from ainp.core.moments import iso_us
from ainp.core.negotiation import Negotiation
from ainp.core.quorum import QuorumMode
from ainp.core.settlement import Settlement

STATEMENT_TYPE = "ainp.receipt.v1"
INTENT_TYPE = "NEGOTIATION"


class ReceiptStatus(StrEnum):
    """Where a receipt stands; `disputed` is reserved."""

    PENDING = "pending"
    FINALIZED = "finalized"
    FAILED = "failed"
    DISPUTED = "disputed"


class Failure(StrEnum):
    """Why a receipt failed."""

    VERDICTS = "verdicts"
    NO_VERDICT = "no_verdict"


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgingPolicy:
    """How receipts are judged: k of m, for how long, by whose voice. Checked once, at start."""

    quorum: int = 3
    committee_size: int = 5
    mode: QuorumMode = QuorumMode.COMMITTEE_ONLY
    draw: DrawPolicy = DrawPolicy.WEIGHTED
    window: timedelta = timedelta(minutes=60)
    max_extensions: int = 2
    pass_score: float = 0.5
    immediate: bool = True
    min_reputation_price: int = 1000
    alpha: float = 0.2
    signed: bool = False  # attestations must be
    scored: bool = False  # verdicts must be, with a confidence


class TaskReceipt(Struct, frozen=True, kw_only=True):
    """One receipt, as read at *version*; *amount* in atomic units, *quorum* is the protocol's k, *size* its m."""

    id: TaskId
    negotiation_id: NegotiationId | None
    intent_id: str | None
    intent_type: str | None
    agent: AgentDid
    client: AgentDid | None
    amount: int
    inputs_ref: str | None
    outputs_ref: str | None
    metrics: Mapping[str, object]
    distribution: Mapping[str, str]
    status: ReceiptStatus
    committee: tuple[AgentDid, ...]
    quorum: int
    size: int
    mode: QuorumMode
    draw: DrawPolicy
    seed: bytes | None
    epoch_id: int | None
    short: bool
    counts: bool
    created_at: datetime
    updated_at: datetime
    window_ends_at: datetime
    statement: bytes | None
    statement_hash: bytes | None
    extensions: int = 0
    decidable: bool = False
    finalized_at: datetime | None = None
    judged_at: datetime | None = None
    failure: Failure | None = None
    version: int = 1

    @property
    def parties(self) -> Parties:
        """Who stands where to it."""
        return Parties(self.agent, self.client, self.committee)

    @property
    def revealed_seed(self) -> bytes | None:
        """The seed once nothing is drawn from it any more: known before, it would tell who will be seated."""
        return self.seed if self.committee or self.judged_at is not None else None

    @property
    def contractors(self) -> tuple[AgentDid, ...]:
        """The two who may never sit on its committee."""
        return (self.agent,) if self.client is None else (self.agent, self.client)


@dataclass(frozen=True, slots=True)
class NamedEpoch:
    """A stored epoch: its number, and the list."""

    id: int
    epoch: Epoch


def open_receipt(
    negotiation: Negotiation,
    settlement: Settlement,
    *,
    named: NamedEpoch,
    policy: JudgingPolicy,
    now: datetime,
) -> TaskReceipt:
    """Open the receipt of a settled negotiation: draw its committee and write its statement."""
    assert negotiation.task_id is not None
    assert negotiation.seed is not None
    parties = (negotiation.responder, negotiation.initiator)
    seating = seat(
        named.epoch.registered_before(now),  # as a later seat is drawn: the list may be younger than this transaction
        seed=negotiation.seed,
        parties=parties,
        policy=policy.draw,
        quorum=policy.quorum,
        size=policy.committee_size,
    )
    metrics = _metrics(negotiation, now)
    statement = canonical(_statement(negotiation, settlement, seating, named, policy, metrics))
    return TaskReceipt(
        id=negotiation.task_id,
        negotiation_id=negotiation.id,
        intent_id=negotiation.intent_id,
        intent_type=INTENT_TYPE,
        agent=negotiation.responder,
        client=negotiation.initiator,
        amount=negotiation.reserved,
        inputs_ref=None,
        outputs_ref=negotiation.delivery.outputs_ref if negotiation.delivery else None,
        metrics=metrics,
        distribution=settlement.distribution,
        status=ReceiptStatus.PENDING,
        committee=seating.members,
        quorum=policy.quorum,
        size=policy.committee_size,
        mode=policy.mode,
        draw=policy.draw,
        seed=negotiation.seed,
        epoch_id=named.id if seating.members else None,
        short=seating.short,
        counts=negotiation.reserved > 0 and negotiation.reserved >= policy.min_reputation_price,
        created_at=now,
        updated_at=now,
        window_ends_at=now + policy.window,
        statement=statement,
        statement_hash=digest(statement),
    )


def latency_ms(negotiation: Negotiation, now: datetime) -> int:
    """From acceptance to delivery, or to *now* (settlement) if nothing was delivered."""
    assert negotiation.accepted_at is not None
    return ((negotiation.delivered_at or now) - negotiation.accepted_at) // timedelta(milliseconds=1)


def _metrics(negotiation: Negotiation, now: datetime) -> dict[str, object]:
    terms = negotiation.terms
    reported = negotiation.delivery.metrics if negotiation.delivery else None
    return {
        "latency_ms": latency_ms(negotiation, now),
        "delivery_time_ms": terms.delivery_time_ms,
        "rounds": len(negotiation.rounds),
        "convergence": round(negotiation.convergence, 2),
        "price": negotiation.current.proposal.get("price") or 0,
        **({"reported": dict(reported)} if reported else {}),
    }


def _statement(
    negotiation: Negotiation,
    settlement: Settlement,
    seating: Seating,
    named: NamedEpoch,
    policy: JudgingPolicy,
    metrics: Mapping[str, object],
) -> dict[str, object]:
    assert negotiation.seed is not None
    assert negotiation.task_id is not None
    return {
        "statement": STATEMENT_TYPE,
        "task_id": spelled(negotiation.task_id),
        "negotiation_id": spelled(negotiation.id),
        "intent_id": negotiation.intent_id,
        "intent_type": INTENT_TYPE,
        "client_did": negotiation.initiator,
        "agent_did": negotiation.responder,
        "amount_atomic": str(negotiation.reserved),
        "distribution": dict(settlement.distribution),
        "terms_hash": negotiation.current.terms_hash,
        "terms_signatures": {
            negotiation.current.proposer: negotiation.current.signature,
            negotiation.other(negotiation.current.proposer): negotiation.current.countersignature,
        },
        "outputs_ref": negotiation.delivery.outputs_ref if negotiation.delivery else None,
        "metrics": dict(metrics),
        "k": policy.quorum,
        "m": policy.committee_size,
        "quorum_mode": policy.mode,
        "draw_policy": policy.draw,
        "committee": list(seating.members),
        "committee_epoch": {"id": named.id, "hash": named.epoch.hash.hex()} if seating.members else None,
        "seed": negotiation.seed.hex() if seating.members else None,
        "seed_commitment": digest(negotiation.seed).hex(),
        "accepted_at": _moment(negotiation.accepted_at),
        "delivered_at": _moment(negotiation.delivered_at),
        "settled_at": _moment(negotiation.closed_at),
    }


def _moment(at: datetime | None) -> str | None:
    return None if at is None else iso_us(at)
