"""
A negotiation: proposals in strict alternation until one is accepted, then delivery and settlement.

    initiated → proposed → counter_proposed … → accepted → settled
        └────────────┴─────────────┴──→ rejected, cancelled, expired ←──┘ (cancelled by the responder, expired)

Only the two parties act. A move returns a new value, or refuses; nothing here reads a clock.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct, structs

from ainp.core.convergence import convergence
from ainp.core.did import AgentDid
from ainp.core.errors import (
    Expired,
    Forbidden,
    InvalidRequest,
    InvalidState,
    MaxRoundsExceeded,
    NotYourTurn,
    OwnProposal,
    ProposalChanged,
    SelfNegotiation,
)
from ainp.core.ids import NegotiationId, TaskId
from ainp.core.incentive import MIN_FEE_BP
from ainp.core.limits import MAX_NEGOTIATION_TIME, MAX_ROUNDS
from ainp.core.signature import key_that_verifies, verify
from ainp.core.terms import Proposal, Terms, agreed_terms, read_terms

DEFAULT_ROUNDS = 10
DEFAULT_TTL = timedelta(hours=1)
MIN_TIME_TO_SETTLE = timedelta(hours=1)  # a client who was promised a result in 5 ms still gets time to look at it


class NegotiationState(StrEnum):
    """Where a negotiation stands."""

    INITIATED = "initiated"
    PROPOSED = "proposed"
    COUNTER_PROPOSED = "counter_proposed"
    ACCEPTED = "accepted"
    SETTLED = "settled"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


OPEN_STATES = frozenset({NegotiationState.INITIATED, NegotiationState.PROPOSED, NegotiationState.COUNTER_PROPOSED})


@dataclass(frozen=True, slots=True)
class Round:
    """
    One turn: who proposed what, and how near it came to the turn before.

    Where the parties signed the terms' hash, the proposer's signature and the acceptor's are kept with it.
    """

    number: int
    proposer: AgentDid
    proposal: Proposal
    at: datetime
    terms_hash: str
    convergence_delta: float | None = None
    signature: str | None = None
    countersignature: str | None = None
    _read: list[Terms] = field(default_factory=list, init=False, repr=False, compare=False)

    @property
    def terms(self) -> Terms:
        """The proposal, read once: a settlement asks five times."""
        if not self._read:
            self._read.append(agreed_terms(self.proposal, terms_hash=self.terms_hash))
        return self._read[0]


@dataclass(frozen=True, slots=True)
class Delivery:
    """What the responder says it has delivered."""

    outputs_ref: str | None
    metrics: Mapping[str, object] | None


@dataclass(frozen=True, slots=True)
class Claim:
    """Which proposal a party means to accept, and its signature over it; what is left out is not checked."""

    terms_hash: str | None = None
    round_number: int | None = None
    signature: str | None = None

    def check_named(self) -> None:
        """Refuse a claim that would take whatever the current proposal is."""
        if self.terms_hash is None and self.round_number is None:
            raise InvalidRequest(
                "expected terms_hash or round_number: the proposal that is accepted", field="terms_hash"
            )


class Negotiation(Struct, frozen=True, kw_only=True):
    """One negotiation, as read at *version*; *reserved* is in atomic units."""

    id: NegotiationId
    intent_id: str
    initiator: AgentDid
    responder: AgentDid
    state: NegotiationState
    rounds: tuple[Round, ...]
    max_rounds: int
    created_at: datetime
    updated_at: datetime
    expires_at: datetime
    version: int = 1
    reserved: int = 0
    accepted_at: datetime | None = None
    settle_by: datetime | None = None
    delivered_at: datetime | None = None
    delivery: Delivery | None = None
    closed_at: datetime | None = None
    closed_by: AgentDid | None = None
    close_reason: str | None = None
    seed: bytes | None = None
    task_id: TaskId | None = None

    @property
    def current(self) -> Round:
        """The latest proposal."""
        return self.rounds[-1]

    @property
    def terms(self) -> Terms:
        """The latest proposal, read."""
        return self.current.terms

    @property
    def convergence(self) -> float:
        """How near the last two proposals are, 0 to 1; 0 while there is only one."""
        return self.current.convergence_delta or 0.0

    def other(self, did: AgentDid) -> AgentDid:
        """The party that *did* is not."""
        return self.responder if did == self.initiator else self.initiator

    def propose(
        self,
        proposal: Proposal,
        *,
        by: AgentDid,
        now: datetime,
        min_fee_bp: int = MIN_FEE_BP,
        signature: str | None = None,
    ) -> "Negotiation":
        """Answer the other party's proposal with one's own; a *signature* over its hash is verified and kept."""
        self._require_party(by, "Proposer")
        self._require_open("propose", now)
        if by == self.current.proposer:
            raise NotYourTurn(f"round {self.current.number} is {by}'s own; the other party answers first")
        if len(self.rounds) + 1 > self.max_rounds:
            raise MaxRoundsExceeded(f"Negotiation exceeded max rounds: {self.id} (max: {self.max_rounds})")
        terms = read_terms(proposal, min_fee_bp=min_fee_bp)
        answer = Round(
            number=len(self.rounds) + 1,
            proposer=by,
            proposal=proposal,
            at=now,
            terms_hash=terms.hash.hex(),
            convergence_delta=convergence(self.current.proposal, proposal),
            signature=_verified(signature, terms=terms, by=by),
        )
        first = self.state is NegotiationState.INITIATED
        state = NegotiationState.PROPOSED if first else NegotiationState.COUNTER_PROPOSED
        return self._next(now, state=state, rounds=(*self.rounds, answer))

    def accept(self, *, by: AgentDid, now: datetime, claim: Claim, seed: bytes) -> "Negotiation":
        """Agree to the other party's latest proposal; its price is reserved, the committee's seed is fixed."""
        self._require_party(by, "Acceptor")
        self._require_open("accept", now)
        if by == self.current.proposer:
            raise OwnProposal(
                f"Invalid state transition: cannot accept from state '{self.state}':"
                f" round {self.current.number} is {by}'s own proposal, only the other party may accept it"
            )
        self._require_current(claim)
        terms = self.terms
        delivery_time = timedelta(milliseconds=terms.delivery_time_ms or 0)
        agreed = replace(self.current, countersignature=_verified(claim.signature, terms=terms, by=by))
        return self._next(
            now,
            state=NegotiationState.ACCEPTED,
            rounds=(*self.rounds[:-1], agreed),
            reserved=terms.price,
            accepted_at=now,
            settle_by=now + max(delivery_time, MIN_TIME_TO_SETTLE),
            seed=seed,
        )

    def reject(self, *, by: AgentDid, now: datetime, reason: str | None) -> "Negotiation":
        """End it before anything was agreed, as the one who does not want the other's terms."""
        self._require_party(by, "Rejector")
        self._require_open("reject", now)
        return self._close(now, NegotiationState.REJECTED, by=by, reason=reason)

    def cancel(self, *, by: AgentDid, now: datetime, reason: str | None) -> "Negotiation":
        """
        Withdraw: either party while nothing is agreed, the responder alone afterwards.

        The client can't: it would take the work and walk away. A reservation goes back to the client.
        """
        self._require_party(by, "Canceller")
        if self.state is NegotiationState.ACCEPTED:
            if by == self.initiator:
                raise Forbidden("after acceptance only the responder may cancel")
        else:
            self._require_open("cancel", now)
        return self._close(now, NegotiationState.CANCELLED, by=by, reason=reason)

    def deliver(self, delivery: Delivery, *, by: AgentDid, now: datetime) -> "Negotiation":
        """Record that the work was handed over; once, by the responder, in time."""
        self._require_party(by, "Deliverer")
        if by != self.responder:
            raise Forbidden("only the responder delivers")
        self._require_accepted("deliver", now)
        if self.delivered_at is not None:
            raise InvalidState(f"delivered already at {self.delivered_at.isoformat()}", state=self.state)
        return self._next(now, delivered_at=now, delivery=delivery)

    def settle(self, *, by: AgentDid, now: datetime, grace: timedelta, task_id: TaskId) -> "Negotiation":
        """Pay: the client at any time, or the responder who delivered to a client that stayed silent."""
        self.require_settler(by, now=now, grace=grace)
        if self.state is not NegotiationState.ACCEPTED:
            raise InvalidState(
                f"Cannot settle negotiation in state {self.state}", state=self.state, expected="accepted"
            )
        self._require_accepted("settle", now)
        return self._close(now, NegotiationState.SETTLED, by=by, reason=None, task_id=task_id)

    def require_settler(self, by: AgentDid, *, now: datetime, grace: timedelta) -> None:
        """Refuse whoever may not settle this negotiation at *now*."""
        self._require_party(by, "Settler")
        if by == self.initiator:
            return
        if self.delivered_at is None or self.settle_by is None:
            raise Forbidden("only the initiator may settle; the responder may once it has delivered")
        if now < self.settle_by + grace:
            opens_at = self.settle_by + grace
            raise Forbidden(f"only the initiator may settle before {opens_at.isoformat()}", opens_at=opens_at)

    def expire(self, *, now: datetime) -> "Negotiation":
        """End what nobody answered, or what was accepted and not delivered; legal only when it is due."""
        if self.state is NegotiationState.EXPIRED or not self.expired(now):
            raise InvalidState(f"negotiation {self.id} is not due to expire", state=self.state)
        reason = "not delivered" if self.state is NegotiationState.ACCEPTED else "not answered"
        return self._close(now, NegotiationState.EXPIRED, by=None, reason=reason)

    def expired(self, now: datetime) -> bool:
        """Whether its time is over, recorded or not."""
        if self.state in OPEN_STATES:
            return now >= self.expires_at
        if self.state is NegotiationState.ACCEPTED:
            return self.delivered_at is None and self.settle_by is not None and now >= self.settle_by
        return self.state is NegotiationState.EXPIRED

    def _require_party(self, did: AgentDid, role: str) -> None:
        if did not in (self.initiator, self.responder):
            raise Forbidden(f"{role} {did} is not a participant in this negotiation")

    def _require_open(self, move: str, now: datetime) -> None:
        if self.expired(now):
            raise Expired(f"Negotiation expired: {self.id} (expired at {self.expires_at.isoformat()})")
        if self.state not in OPEN_STATES:
            raise InvalidState(f"Invalid state transition: cannot {move} from state '{self.state}'", state=self.state)

    def _require_accepted(self, move: str, now: datetime) -> None:
        if self.state is not NegotiationState.ACCEPTED:
            raise InvalidState(f"Invalid state transition: cannot {move} from state '{self.state}'", state=self.state)
        if self.expired(now):
            raise Expired(f"Negotiation expired: {self.id} was not delivered in time", settle_by=self.settle_by)

    def _require_current(self, claim: Claim) -> None:
        current = self.current
        if claim.terms_hash is not None and claim.terms_hash.lower() != current.terms_hash:
            raise ProposalChanged(
                f"the current proposal has terms_hash {current.terms_hash}, the acceptance names {claim.terms_hash}",
                terms_hash=current.terms_hash,
                round_number=current.number,
            )
        if claim.round_number is not None and claim.round_number != current.number:
            raise ProposalChanged(
                f"the current proposal is round {current.number}, the acceptance names round {claim.round_number}",
                terms_hash=current.terms_hash,
                round_number=current.number,
            )

    def _close(
        self,
        now: datetime,
        state: NegotiationState,
        *,
        by: AgentDid | None,
        reason: str | None,
        task_id: TaskId | None = None,
    ) -> "Negotiation":
        return self._next(now, state=state, closed_at=now, closed_by=by, close_reason=reason, task_id=task_id)

    def _next(self, now: datetime, **changes: object) -> "Negotiation":
        return structs.replace(self, updated_at=now, **changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What an initiator starts with."""

    intent_id: str
    initiator: AgentDid
    responder: AgentDid
    proposal: Proposal
    max_rounds: int = DEFAULT_ROUNDS
    ttl: timedelta = DEFAULT_TTL
    signature: str | None = None


def initiate(
    opening: Opening,
    *,
    id: NegotiationId,  # noqa: A002 - the protocol's word
    now: datetime,
    min_fee_bp: int = MIN_FEE_BP,
) -> Negotiation:
    """Open a negotiation with its first proposal, which is round 1."""
    if opening.initiator == opening.responder:
        raise SelfNegotiation("Initiator and responder must be different agents")
    if not 1 <= opening.max_rounds <= MAX_ROUNDS:
        raise InvalidRequest(
            f"max_rounds must be between 1 and {MAX_ROUNDS}, found {opening.max_rounds}", field="max_rounds"
        )
    if not timedelta(0) < opening.ttl <= MAX_NEGOTIATION_TIME:
        raise InvalidRequest(
            f"ttl_minutes: found {opening.ttl / timedelta(minutes=1)}, expected more than 0 and at most"
            f" {MAX_NEGOTIATION_TIME // timedelta(minutes=1)}",
            field="ttl_minutes",
        )
    terms = read_terms(opening.proposal, min_fee_bp=min_fee_bp)
    signature = _verified(opening.signature, terms=terms, by=opening.initiator)
    first = Round(1, opening.initiator, opening.proposal, now, terms.hash.hex(), signature=signature)
    return Negotiation(
        id=id,
        intent_id=opening.intent_id,
        initiator=opening.initiator,
        responder=opening.responder,
        state=NegotiationState.INITIATED,
        rounds=(first,),
        max_rounds=opening.max_rounds,
        created_at=now,
        updated_at=now,
        expires_at=now + opening.ttl,
    )


def _verified(signature: str | None, *, terms: Terms, by: AgentDid) -> str | None:
    """A party may sign the 32 bytes of the terms' hash; what it signed must be these terms."""
    if signature is not None:
        verify(terms.hash, signature=signature, key=key_that_verifies(by))
    return signature
