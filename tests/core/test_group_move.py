"""What a NEGOTIATE message says of a group."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ainp.core.envelope import Envelope, open_envelope
from ainp.core.errors import InvalidEnvelope
from ainp.core.group import Choice, Mechanism
from ainp.core.group_move import GroupMove, is_group_move, read_group_move, read_threshold
from support.mail import an_intent
from support.signing import identity

ALICE, BOB, CAROL = (identity(name) for name in ("alice", "bob", "carol"))
ID = "0193a2b4-0000-7000-8000-000000000000"
OTHERS = [BOB.did, CAROL.did]


def an_offer(to: str | None = None, **payload: Any) -> Envelope:  # noqa: ANN401 - any JSON
    raw = an_intent(ALICE, to, msg_type="NEGOTIATE", payload=payload, trace_id="trace")
    return open_envelope(raw, now=datetime.now(UTC))


def read(**payload: Any) -> GroupMove:  # noqa: ANN401
    return read_group_move(an_offer(**payload))


def test_a_proposal_of_the_specification_opens_a_group() -> None:
    proposal = {
        "participants": [ALICE.did, *OTHERS],
        "individual_proposals": {ALICE.did: {"price": 5, "latency_ms": 10}, BOB.did: {"price": 1}},
        "voting_mechanism": "weighted",
        "convergence_threshold": 0.75,
        "terms": {"slots": ["ten"]},
    }
    said = read(phase="OFFER", proposal=proposal, constraints={"max_rounds": 4, "timeout_per_round_ms": 60_000})

    opening = said.opening
    assert opening is not None
    assert (said.id, opening.intent_id, opening.opener) == (None, "trace", ALICE.did)
    assert opening.everybody == (ALICE.did, *OTHERS)
    assert opening.proposal == {"price": 5, "delivery_time": 10, "custom_terms": {"slots": ["ten"]}}
    rules = opening.rules
    assert (rules.mechanism, rules.threshold_bp, rules.max_rounds) == (Mechanism.WEIGHTED, 7500, 4)
    assert rules.round_time == timedelta(minutes=1)


def test_what_is_not_said_is_unanimous_and_five_seconds() -> None:
    opening = read(phase="offer", group_id=ID, participants=OTHERS, proposal={"price": 1}, intent_id="mine").opening

    assert opening is not None
    assert (opening.intent_id, opening.rules.mechanism, opening.rules.threshold_bp) == (
        "mine",
        Mechanism.UNANIMOUS,
        None,
    )
    assert (opening.rules.max_rounds, opening.rules.round_time) == (None, timedelta(seconds=5))


@pytest.mark.parametrize("choice", Choice)
def test_a_vote_is_read(choice: Choice) -> None:
    vote = read(phase=choice.lower(), group_id=ID, round=2, terms_hash="ab", proposal={"price": 1}).vote

    assert vote is not None
    assert (vote.choice, vote.round_number, vote.terms_hash, vote.proposal) == (choice, 2, "ab", None)


def test_to_counter_is_to_reject_and_to_propose() -> None:
    vote = read(phase="COUNTER", group_id=ID, proposal={"price": 1, "latency_ms": 5}).vote

    assert vote is not None
    assert (vote.choice, vote.proposal) == (Choice.REJECT, {"price": 1, "delivery_time": 5})


def test_it_may_be_ended() -> None:
    abort, timeout = read(phase="ABORT", group_id=ID, reason="over"), read(phase="TIMEOUT", group_id=ID)

    assert (abort.aborts, abort.reason, abort.vote) == (True, "over", None)
    assert (timeout.aborts, timeout.opening, timeout.vote) == (False, None, None)


def test_what_is_about_a_group_says_so() -> None:
    assert is_group_move(an_offer(phase="ACCEPT", group_id=ID))
    assert is_group_move(an_offer(phase="OFFER", participants=OTHERS))
    assert is_group_move(an_offer(phase="OFFER", proposal={"participants": OTHERS}))
    assert not is_group_move(an_offer(phase="OFFER", proposal={"price": 1}))


@pytest.mark.parametrize(
    "payload",
    [
        {"phase": "SHOUT", "group_id": ID},
        {"phase": "ACCEPT", "participants": OTHERS},
        {"phase": "ACCEPT", "group_id": "none"},
        {"phase": "COUNTER", "group_id": ID},
        {"phase": "ACCEPT", "group_id": ID, "round": 0},
        {"phase": "OFFER", "participants": OTHERS},
        {"phase": "OFFER", "participants": "all", "proposal": {"price": 1}},
        {"phase": "OFFER", "participants": [1], "proposal": {"price": 1}},
        {"phase": "OFFER", "participants": ["did:nobody"], "proposal": {"price": 1}},
        {"phase": "OFFER", "participants": OTHERS * 51, "proposal": {"price": 1}},
        {"phase": "OFFER", "participants": OTHERS, "proposal": {"price": 1}, "voting_mechanism": "loudest"},
        {"phase": "OFFER", "participants": OTHERS, "proposal": {"price": 1, "convergence_threshold": 2}},
    ],
)
def test_what_is_no_move_is_refused(payload: dict[str, Any]) -> None:
    with pytest.raises(InvalidEnvelope):
        read(**payload)


def test_what_is_said_in_a_group_is_for_all_of_it() -> None:
    with pytest.raises(InvalidEnvelope):
        read_group_move(an_offer(BOB.did, phase="ACCEPT", group_id=ID))


@pytest.mark.parametrize(("said", "read_"), [(None, None), (1, 10_000), (0.67, 6700), (0.99999, 9999), (1e-9, 1)])
def test_a_threshold_is_in_basis_points(said: object, read_: int | None) -> None:
    assert read_threshold(said) == read_


@pytest.mark.parametrize("said", [0, -1, 1.01, True, "0.5"])
def test_a_threshold_is_a_part(said: object) -> None:
    with pytest.raises(InvalidEnvelope):
        read_threshold(said)
