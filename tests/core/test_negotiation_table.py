"""Every move, by everyone, in every state, at every time that matters: exactly the legal ones are admitted."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import product

import pytest

from ainp.core.did import AgentDid
from ainp.core.errors import BrokerError
from ainp.core.negotiation import Claim, Delivery, Negotiation, NegotiationState
from support.builders import CLIENT, NOW, SEED, STRANGER, TASK_ID, WORKER, a_negotiation, a_proposal

S = NegotiationState
GRACE = timedelta(minutes=60)
EXPIRES = NOW + timedelta(hours=1)
ACCEPTED_AT = NOW + timedelta(minutes=10)
SETTLE_BY = ACCEPTED_AT + timedelta(hours=2)
A_MOMENT = timedelta(microseconds=1)
TIMES = {
    "before the offer expires": EXPIRES - A_MOMENT,
    "when the offer expires": EXPIRES,
    "just before settle_by": SETTLE_BY - A_MOMENT,
    "at settle_by": SETTLE_BY,
    "just before the grace is over": SETTLE_BY + GRACE - A_MOMENT,
    "when the grace is over": SETTLE_BY + GRACE,
}
TERMS = a_proposal(10, delivery_time=2 * 60 * 60 * 1000)


def _proposed(rounds: int) -> Negotiation:
    negotiation = a_negotiation(TERMS)
    for number in range(1, rounds):
        negotiation = negotiation.propose(TERMS, by=(CLIENT, WORKER)[number % 2], now=NOW)
    return negotiation


ACCEPTED = _proposed(2).accept(by=CLIENT, now=ACCEPTED_AT, claim=Claim(), seed=SEED)
DELIVERED = ACCEPTED.deliver(Delivery(None, None), by=WORKER, now=ACCEPTED_AT)
SITUATIONS = {
    "initiated": _proposed(1),
    "proposed": _proposed(2),
    "countered by the client": _proposed(3),
    "countered by the worker": _proposed(4),
    "accepted": ACCEPTED,
    "delivered": DELIVERED,
    "settled": DELIVERED.settle(by=CLIENT, now=ACCEPTED_AT, grace=GRACE, task_id=TASK_ID),
    "rejected": _proposed(3).reject(by=WORKER, now=NOW, reason=None),
    "cancelled": ACCEPTED.cancel(by=WORKER, now=ACCEPTED_AT, reason=None),
    "expired unanswered": _proposed(2).expire(now=EXPIRES),
    "expired undelivered": ACCEPTED.expire(now=SETTLE_BY),
}
MOVES: dict[str, Callable[[Negotiation, AgentDid, datetime], Negotiation]] = {
    "propose": lambda n, by, now: n.propose(TERMS, by=by, now=now),
    "accept": lambda n, by, now: n.accept(by=by, now=now, claim=Claim(), seed=SEED),
    "reject": lambda n, by, now: n.reject(by=by, now=now, reason="no"),
    "cancel": lambda n, by, now: n.cancel(by=by, now=now, reason="no"),
    "deliver": lambda n, by, now: n.deliver(Delivery("ipfs://x", None), by=by, now=now),
    "settle": lambda n, by, now: n.settle(by=by, now=now, grace=GRACE, task_id=TASK_ID),
    "expire": lambda n, _, now: n.expire(now=now),
}
ACTORS = {"client": CLIENT, "worker": WORKER, "stranger": STRANGER}


@dataclass(frozen=True)
class Law:
    """What the decisions say of one situation; each method answers the state a move leads to, or None."""

    situation: str
    actor: str
    at: datetime

    def allows(self, move: str) -> NegotiationState | None:
        if move == "expire":
            return self._expiry()
        if self.actor == "stranger":
            return None
        if self.situation in ("initiated", "proposed", "countered by the client", "countered by the worker"):
            return self._open(move)
        if self.situation == "accepted":
            return self._accepted(move)
        return self._delivered(move) if self.situation == "delivered" else None

    def _expiry(self) -> NegotiationState | None:
        offers = ("initiated", "proposed", "countered by the client", "countered by the worker")
        ends = {**dict.fromkeys(offers, EXPIRES), "accepted": SETTLE_BY}.get(self.situation)
        return S.EXPIRED if ends is not None and self.at >= ends else None

    def _open(self, move: str) -> NegotiationState | None:
        if self.at >= EXPIRES:
            return None
        whose_terms = "client" if self.situation in ("initiated", "countered by the client") else "worker"
        answers = self.actor != whose_terms
        return {
            "propose": (S.PROPOSED if self.situation == "initiated" else S.COUNTER_PROPOSED) if answers else None,
            "accept": S.ACCEPTED if answers else None,
            "reject": S.REJECTED,
            "cancel": S.CANCELLED,
        }.get(move)

    def _accepted(self, move: str) -> NegotiationState | None:
        worker, in_time = self.actor == "worker", self.at < SETTLE_BY
        return {
            "cancel": S.CANCELLED if worker else None,
            "deliver": S.ACCEPTED if worker and in_time else None,
            "settle": S.SETTLED if not worker and in_time else None,
        }.get(move)

    def _delivered(self, move: str) -> NegotiationState | None:
        worker = self.actor == "worker"
        return {
            "cancel": S.CANCELLED if worker else None,
            "settle": S.SETTLED if not worker or self.at >= SETTLE_BY + GRACE else None,
        }.get(move)


def _outcome(situation: str, move: str, actor: str, at: datetime) -> NegotiationState | None:
    try:
        return MOVES[move](SITUATIONS[situation], ACTORS[actor], at).state
    except BrokerError:
        return None


@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize("situation", SITUATIONS)
def test_the_machine_admits_exactly_the_legal_moves(situation: str, move: str) -> None:
    cases = tuple(product(ACTORS, TIMES))

    found = {(actor, when): _outcome(situation, move, actor, TIMES[when]) for actor, when in cases}

    assert found == {(actor, when): Law(situation, actor, TIMES[when]).allows(move) for actor, when in cases}


def test_the_situations_stand_in_every_state() -> None:
    assert {negotiation.state for negotiation in SITUATIONS.values()} == set(NegotiationState)
