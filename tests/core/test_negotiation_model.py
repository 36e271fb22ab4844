"""Random walks through a negotiation, beside a model that keeps nothing but what the decisions name."""

from collections.abc import Callable
from datetime import datetime, timedelta

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from ainp.core.did import AgentDid
from ainp.core.errors import BrokerError
from ainp.core.negotiation import Claim, Delivery, Negotiation, NegotiationState, Opening, initiate
from support.builders import CLIENT, NEGOTIATION_ID, NOW, SEED, STRANGER, TASK_ID, WORKER, a_proposal

GRACE = timedelta(minutes=60)
OFFER_ENDS = NOW + timedelta(hours=3)
MAX_ROUNDS = 6
WHO = st.sampled_from((CLIENT, WORKER, STRANGER))
PRICES = st.integers(0, 10**15).map(lambda atomic: atomic / 1000)
Move = Callable[[Negotiation], Negotiation]


class NegotiationWalk(RuleBasedStateMachine):
    """Whatever is tried in whatever order, the model and the machine agree on what happened."""

    def __init__(self) -> None:
        super().__init__()
        opening = Opening(
            intent_id="i",
            initiator=CLIENT,
            responder=WORKER,
            proposal=a_proposal(1),
            max_rounds=MAX_ROUNDS,
            ttl=OFFER_ENDS - NOW,
        )
        self.negotiation = initiate(opening, id=NEGOTIATION_ID, now=NOW)
        self.now = NOW
        self.prices = [1000]  # atomic units; the client's, the worker's, the client's …
        self.settle_by: datetime | None = None
        self.delivered = False
        self.ended: NegotiationState | None = None

    def attempt(self, move: Move, *, legal: bool) -> bool:
        try:
            self.negotiation = move(self.negotiation)
        except BrokerError:
            assert not legal
            return False
        assert legal
        assert self.negotiation.updated_at == self.now
        return True

    @property
    def offered(self) -> bool:
        return self.settle_by is None and self.ended is None and self.now < OFFER_ENDS

    @property
    def agreed(self) -> bool:
        return self.settle_by is not None and self.ended is None

    def after(self, wait: timedelta) -> bool:
        return self.settle_by is not None and self.now >= self.settle_by + wait

    @property
    def whose_turn(self) -> AgentDid:
        return WORKER if len(self.prices) % 2 else CLIENT

    @rule(minutes=st.integers(1, 60))
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule(by=WHO, price=PRICES)
    def propose(self, by: AgentDid, price: float) -> None:
        legal = self.offered and by == self.whose_turn and len(self.prices) < MAX_ROUNDS
        if self.attempt(lambda n: n.propose(a_proposal(price), by=by, now=self.now), legal=legal):
            self.prices.append(round(price * 1000))

    @rule(by=WHO, claimed=st.none() | st.integers(1, MAX_ROUNDS))
    def accept(self, by: AgentDid, claimed: int | None) -> None:
        legal = self.offered and by == self.whose_turn and claimed in (None, len(self.prices))
        claim = Claim(round_number=claimed)
        if self.attempt(lambda n: n.accept(by=by, now=self.now, claim=claim, seed=SEED), legal=legal):
            self.settle_by = self.now + timedelta(hours=1)

    @rule(by=WHO)
    def reject(self, by: AgentDid) -> None:
        legal = self.offered and by != STRANGER
        if self.attempt(lambda n: n.reject(by=by, now=self.now, reason=None), legal=legal):
            self.ended = NegotiationState.REJECTED

    @rule(by=WHO)
    def cancel(self, by: AgentDid) -> None:
        legal = (self.offered and by != STRANGER) or (self.agreed and by == WORKER)
        if self.attempt(lambda n: n.cancel(by=by, now=self.now, reason=None), legal=legal):
            self.ended = NegotiationState.CANCELLED

    @rule(by=WHO)
    def deliver(self, by: AgentDid) -> None:
        legal = self.agreed and by == WORKER and not self.delivered and not self.after(timedelta(0))
        if self.attempt(lambda n: n.deliver(Delivery(None, None), by=by, now=self.now), legal=legal):
            self.delivered = True

    @rule(by=WHO)
    def settle(self, by: AgentDid) -> None:
        by_client = by == CLIENT and (self.delivered or not self.after(timedelta(0)))
        by_worker = by == WORKER and self.delivered and self.after(GRACE)
        legal = self.agreed and (by_client or by_worker)
        if self.attempt(lambda n: n.settle(by=by, now=self.now, grace=GRACE, task_id=TASK_ID), legal=legal):
            self.ended = NegotiationState.SETTLED

    @rule()
    def expire(self) -> None:
        unanswered = self.settle_by is None and self.now >= OFFER_ENDS
        undelivered = self.after(timedelta(0)) and not self.delivered
        legal = self.ended is None and (unanswered or undelivered)
        if self.attempt(lambda n: n.expire(now=self.now), legal=legal):
            self.ended = NegotiationState.EXPIRED

    @invariant()
    def the_rounds_alternate_and_are_numbered(self) -> None:
        rounds = self.negotiation.rounds

        assert [turn.number for turn in rounds] == list(range(1, len(self.prices) + 1))
        assert [turn.proposer for turn in rounds] == [(CLIENT, WORKER)[place % 2] for place in range(len(rounds))]
        assert 0 <= self.negotiation.convergence <= 1

    @invariant()
    def what_is_reserved_is_the_price_that_was_accepted(self) -> None:
        assert self.negotiation.reserved == (0 if self.settle_by is None else self.prices[-1])
        assert self.negotiation.settle_by == self.settle_by

    @invariant()
    def the_states_agree(self) -> None:
        offers = {1: NegotiationState.INITIATED, 2: NegotiationState.PROPOSED}
        offered = offers.get(len(self.prices), NegotiationState.COUNTER_PROPOSED)
        standing = offered if self.settle_by is None else NegotiationState.ACCEPTED

        assert self.negotiation.state is (self.ended or standing)
        assert (self.negotiation.task_id is not None) == (self.ended is NegotiationState.SETTLED)
        assert (self.negotiation.closed_at is not None) == (self.ended is not None)


TestNegotiationWalk = NegotiationWalk.TestCase
