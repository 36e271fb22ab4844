"""What a move of a negotiation changes, and what it says when it is refused."""

from datetime import timedelta

import pytest

from ainp.core.errors import (
    Expired,
    Forbidden,
    InvalidProposal,
    InvalidRequest,
    InvalidState,
    MaxRoundsExceeded,
    NotYourTurn,
    OwnProposal,
    ProposalChanged,
    SelfNegotiation,
)
from ainp.core.limits import MAX_NEGOTIATION_TIME
from ainp.core.negotiation import Claim, Delivery, Negotiation, NegotiationState, Opening, initiate
from ainp.core.terms import read_terms
from support.builders import (
    CLIENT,
    NEGOTIATION_ID,
    NOW,
    SEED,
    STRANGER,
    TASK_ID,
    WORKER,
    a_negotiation,
    a_proposal,
    an_accepted_negotiation,
)

GRACE = timedelta(minutes=60)
HOUR = timedelta(hours=1)


def opened(**changes: object) -> Negotiation:
    values: dict[str, object] = {"intent_id": "i", "initiator": CLIENT, "responder": WORKER, "proposal": a_proposal()}
    return initiate(Opening(**values | changes), id=NEGOTIATION_ID, now=NOW)  # type: ignore[arg-type]  # the tests


def test_opening_makes_the_first_round_with_the_hash_of_its_terms() -> None:
    negotiation = opened(proposal=a_proposal(5), ttl=HOUR)

    assert negotiation.state is NegotiationState.INITIATED
    assert (negotiation.current.number, negotiation.current.proposer) == (1, CLIENT)
    assert negotiation.current.terms_hash == read_terms(a_proposal(5)).hash.hex()
    assert (negotiation.convergence, negotiation.reserved, negotiation.expires_at) == (0, 0, NOW + HOUR)


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"responder": CLIENT}, SelfNegotiation),
        ({"max_rounds": 0}, InvalidRequest),
        ({"max_rounds": 21}, InvalidRequest),
        ({"ttl": timedelta(0)}, InvalidRequest),
        ({"ttl": timedelta(minutes=-1)}, InvalidRequest),
        ({"ttl": MAX_NEGOTIATION_TIME + timedelta(microseconds=1)}, InvalidRequest),
        ({"proposal": a_proposal(-1)}, InvalidProposal),
        ({"proposal": a_proposal(incentive_split={"agent": 1})}, InvalidProposal),
    ],
)
def test_an_opening_that_can_never_work_is_refused(changes: dict[str, object], refusal: type[Exception]) -> None:
    with pytest.raises(refusal):
        opened(**changes)


@pytest.mark.parametrize("ttl", [timedelta(microseconds=1), timedelta(days=7)])
def test_an_offer_may_stand_for_a_moment_or_a_week(ttl: timedelta) -> None:
    assert opened(ttl=ttl).expires_at == NOW + ttl


@pytest.mark.parametrize("rounds", [1, 20])
def test_a_negotiation_has_one_to_twenty_rounds(rounds: int) -> None:
    assert opened(max_rounds=rounds).max_rounds == rounds


def test_who_says_nothing_about_it_gets_ten_rounds_and_an_hour() -> None:
    assert (opened().max_rounds, opened().expires_at) == (10, NOW + HOUR)


def test_the_other_party_is_the_other_party() -> None:
    assert (opened().other(CLIENT), opened().other(WORKER)) == (WORKER, CLIENT)


def test_an_answer_says_how_near_it_came() -> None:
    answered = a_negotiation(a_proposal(100)).propose(a_proposal(80), by=WORKER, now=NOW + HOUR / 2)

    assert answered.state is NegotiationState.PROPOSED
    assert (answered.current.number, answered.current.proposer, answered.convergence) == (2, WORKER, 0.8)
    assert (answered.updated_at, answered.expires_at) == (NOW + HOUR / 2, NOW + HOUR)


def test_an_answer_is_held_to_the_same_terms_as_an_opening() -> None:
    with pytest.raises(InvalidProposal):
        a_negotiation().propose(a_proposal(1.0005), by=WORKER, now=NOW)
    with pytest.raises(InvalidProposal, match="expected at least 2000"):
        a_negotiation().propose(
            a_proposal(incentive_split={"agent": 0.9, "pool": 0.1}), by=WORKER, now=NOW, min_fee_bp=2000
        )


def test_proposals_strictly_alternate() -> None:
    with pytest.raises(NotYourTurn, match="round 1"):
        a_negotiation().propose(a_proposal(), by=CLIENT, now=NOW)


def test_the_rounds_end() -> None:
    full = opened(max_rounds=2).propose(a_proposal(), by=WORKER, now=NOW)

    with pytest.raises(MaxRoundsExceeded, match=f"Negotiation exceeded max rounds: {NEGOTIATION_ID} \\(max: 2\\)"):
        full.propose(a_proposal(), by=CLIENT, now=NOW)
    assert full.accept(by=CLIENT, now=NOW, claim=Claim(), seed=SEED).state is NegotiationState.ACCEPTED


@pytest.mark.parametrize("rounds", [1, 2, 3])
def test_nobody_accepts_their_own_price(rounds: int) -> None:
    negotiation = a_negotiation()
    for number in range(1, rounds):
        negotiation = negotiation.propose(a_proposal(number), by=(CLIENT, WORKER)[number % 2], now=NOW)

    with pytest.raises(OwnProposal, match="only the other party may accept"):
        negotiation.accept(by=negotiation.current.proposer, now=NOW, claim=Claim(), seed=SEED)


def test_the_responder_may_accept_the_opening_proposal() -> None:
    accepted = a_negotiation(a_proposal(64.1)).accept(by=WORKER, now=NOW, claim=Claim(), seed=SEED)

    assert (accepted.state, accepted.reserved, accepted.seed) == (NegotiationState.ACCEPTED, 64_100, SEED)
    assert (accepted.accepted_at, accepted.settle_by) == (NOW, NOW + HOUR)


@pytest.mark.parametrize(
    ("delivery_time", "hours"), [(None, 1), (5, 1), (3_600_000, 1), (3_600_001, 1.0000002777777778), (7_200_000, 2)]
)
def test_a_settlement_is_due_after_the_delivery_time_and_never_before_an_hour(
    delivery_time: int | None, hours: float
) -> None:
    accepted = an_accepted_negotiation(a_proposal(delivery_time=delivery_time))

    assert accepted.settle_by == NOW + timedelta(hours=hours)


def test_acceptance_ends_the_offer_s_own_expiry() -> None:
    accepted = an_accepted_negotiation(a_proposal(delivery_time=7_200_000))

    assert not accepted.expired(accepted.expires_at)
    assert accepted.settle(by=CLIENT, now=accepted.expires_at, grace=GRACE, task_id=TASK_ID).task_id == TASK_ID


def test_an_acceptance_may_name_the_current_proposal() -> None:
    negotiation = a_negotiation().propose(a_proposal(90), by=WORKER, now=NOW)
    named = Claim(terms_hash=negotiation.current.terms_hash.upper(), round_number=2)

    accepted = negotiation.accept(by=CLIENT, now=NOW, claim=named, seed=SEED)

    assert accepted.reserved == 90_000
    assert accepted.rounds == negotiation.rounds


def test_an_older_acceptance_is_refused_and_learns_what_stands_now() -> None:
    older = a_negotiation(a_proposal(100))
    negotiation = older.propose(a_proposal(90), by=WORKER, now=NOW)

    for claim in (Claim(terms_hash=older.current.terms_hash), Claim(round_number=1), Claim(round_number=3)):
        with pytest.raises(ProposalChanged) as refusal:
            negotiation.accept(by=CLIENT, now=NOW, claim=claim, seed=SEED)
        assert refusal.value.facts == {"terms_hash": negotiation.current.terms_hash, "round_number": 2}


def test_the_same_terms_in_another_round_are_not_the_round_that_was_accepted() -> None:
    negotiation = a_negotiation(a_proposal(9)).propose(a_proposal(9), by=WORKER, now=NOW)

    with pytest.raises(ProposalChanged, match="round 2"):
        negotiation.accept(
            by=CLIENT, now=NOW, claim=Claim(terms_hash=negotiation.current.terms_hash, round_number=1), seed=SEED
        )


def test_strangers_are_named_in_the_refusal() -> None:
    with pytest.raises(Forbidden, match=f"Proposer {STRANGER} is not a participant"):
        a_negotiation().propose(a_proposal(), by=STRANGER, now=NOW)


def test_what_has_expired_says_so_even_if_nobody_recorded_it() -> None:
    with pytest.raises(Expired, match=f"Negotiation expired: {NEGOTIATION_ID} \\(expired at 2026-03-01T13"):
        a_negotiation().propose(a_proposal(), by=WORKER, now=NOW + HOUR)


def test_a_closed_negotiation_says_who_closed_it_when_and_why() -> None:
    rejected = a_negotiation().reject(by=WORKER, now=NOW, reason="too little")

    assert (rejected.closed_by, rejected.closed_at, rejected.close_reason) == (WORKER, NOW, "too little")
    with pytest.raises(InvalidState, match="Invalid state transition: cannot accept from state 'rejected'"):
        rejected.accept(by=WORKER, now=NOW, claim=Claim(), seed=SEED)


def test_the_client_may_not_take_the_work_and_walk_away() -> None:
    accepted = an_accepted_negotiation()

    with pytest.raises(Forbidden, match="only the responder may cancel"):
        accepted.cancel(by=CLIENT, now=NOW, reason=None)
    assert accepted.cancel(by=WORKER, now=NOW, reason=None).state is NegotiationState.CANCELLED


def test_a_delivery_is_recorded_once() -> None:
    delivered = an_accepted_negotiation().deliver(Delivery("ipfs://x", {"words": 3}), by=WORKER, now=NOW + HOUR / 2)

    assert (delivered.delivered_at, delivered.state) == (NOW + HOUR / 2, NegotiationState.ACCEPTED)
    with pytest.raises(InvalidState, match="delivered already"):
        delivered.deliver(Delivery(None, None), by=WORKER, now=NOW + HOUR / 2)


def test_the_responder_is_told_when_it_may_settle() -> None:
    delivered = an_accepted_negotiation().deliver(Delivery(None, None), by=WORKER, now=NOW)

    with pytest.raises(Forbidden, match="only the initiator may settle before") as refusal:
        delivered.settle(by=WORKER, now=NOW + HOUR, grace=GRACE, task_id=TASK_ID)
    assert refusal.value.facts == {"opens_at": NOW + HOUR + GRACE}
    assert delivered.settle(by=WORKER, now=NOW + HOUR + GRACE, grace=GRACE, task_id=TASK_ID).closed_by == WORKER


def test_whoever_may_settle_may_ask_again_and_nobody_else() -> None:
    settled = an_accepted_negotiation().settle(by=CLIENT, now=NOW, grace=GRACE, task_id=TASK_ID)

    settled.require_settler(CLIENT, now=NOW, grace=GRACE)
    for did in (WORKER, STRANGER):
        with pytest.raises(Forbidden):
            settled.require_settler(did, now=NOW, grace=GRACE)


def test_an_expiry_says_what_was_missing() -> None:
    unanswered, undelivered = a_negotiation().expire(now=NOW + HOUR), an_accepted_negotiation().expire(now=NOW + HOUR)

    assert (unanswered.close_reason, undelivered.close_reason) == ("not answered", "not delivered")
    assert unanswered.closed_by is undelivered.closed_by is None
