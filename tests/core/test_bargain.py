"""What a NEGOTIATE message says."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ainp.core.bargain import Bargain, Phase, read_bargain, terms_of
from ainp.core.envelope import open_envelope
from ainp.core.errors import InvalidEnvelope
from support.mail import an_intent
from support.signing import identity

ALICE, BOB = identity("alice"), identity("bob")
ID = "0193a2b4-0000-7000-8000-000000000000"


def read(**payload: Any) -> Bargain:  # noqa: ANN401 - any JSON
    said = {"phase": "COUNTER", "negotiation_id": ID, "proposal": {"price": 1}, **payload}
    members = {name: value for name, value in said.items() if value is not ...}
    raw = an_intent(ALICE, BOB.did, msg_type="NEGOTIATE", payload=members, trace_id="trace")
    return read_bargain(open_envelope(raw, now=datetime.now(UTC)))


def test_what_is_not_said_is_the_specification_s_default() -> None:
    said = read(phase="OFFER", negotiation_id=...)

    assert (said.phase, said.id, said.intent_id, said.round) == (Phase.OFFER, None, "trace", None)
    assert (said.max_rounds, said.ttl) == (10, timedelta(seconds=50))


def test_what_is_said_is_read() -> None:
    constraints = {"max_rounds": 4, "timeout_per_round_ms": 60_000, "convergence_threshold": 0.9}
    said = read(phase="accept", round=3, terms_hash="ab", intent_id="mine", constraints=constraints, reason="good")

    assert (said.phase, said.id, said.round, said.terms_hash) == (Phase.ACCEPT, UUID(ID), 3, "ab")
    assert (said.intent_id, said.reason, said.ttl) == ("mine", "good", timedelta(minutes=4))


@pytest.mark.parametrize(
    "payload",
    [
        {"phase": ...},
        {"phase": "HAGGLE"},
        {"phase": ["OFFER"]},
        {"negotiation_id": ...},
        {"negotiation_id": "mine"},
        {"negotiation_id": 7},
        {"proposal": ...},
        {"proposal": []},
        {"round": 0},
        {"round": 1.5},
        {"round": True},
        {"round": "1"},
        {"constraints": []},
        {"constraints": {"max_rounds": -1}},
        {"constraints": {"timeout_per_round_ms": "5s"}},
        {"terms_hash": 1},
        {"terms_hash": "a" * 65},
        {"terms_signature": "a" * 5000},
        {"intent_id": "i" * 201},
        {"reason": {}},
    ],
    ids=str,
)
def test_what_can_not_be_understood_is_refused(payload: dict[str, object]) -> None:
    with pytest.raises(InvalidEnvelope):
        read(**payload)


def test_a_proposal_of_the_specification_is_one_of_ours() -> None:
    said = {
        "price": 5,
        "latency_ms": 2000,
        "confidence": 0.8,
        "privacy": "public",
        "terms": {"incentive_split": {"agent": 0.7}, "window": "today", "escrow_required": True},
    }

    assert terms_of(said) == {
        "price": 5,
        "delivery_time": 2000,
        "confidence": 0.8,
        "privacy": "public",
        "incentive_split": {"agent": 0.7},
        "custom_terms": {"window": "today", "escrow_required": True},
    }


def test_one_of_ours_stays_as_it_is() -> None:
    ours = {
        "price": 5,
        "delivery_time": 1,
        "incentive_split": {"agent": 1},
        "custom_terms": {"a": 1},
        "validator_did": "v",
    }

    assert terms_of(ours) == ours
    assert terms_of({**ours, "latency_ms": 9, "terms": {"incentive_split": {}, "a": 2, "b": 3}}) == {
        **ours,
        "custom_terms": {"a": 1, "b": 3},
    }


@given(current=st.integers(1, 20), said=st.integers(1, 30))
def test_an_acceptance_means_the_latest_round_or_none(current: int, said: int) -> None:
    meant = read(phase="ACCEPT", round=said).round_accepted(current)

    assert (meant == current) == (said in (current, current + 1))
