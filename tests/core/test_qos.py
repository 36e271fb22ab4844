"""What a message's own word for its urgency is worth."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ainp.core.errors import InvalidEnvelope
from ainp.core.qos import WEIGHTS, Profile, Qos, read_qos
from support.builders import read_vectors

PART = st.floats(0, 1)
QOS = st.builds(Qos, PART, PART, PART, PART, st.floats(0, 1e12))
PROFILES = st.sampled_from(Profile)


@pytest.mark.parametrize("vector", read_vectors("qos")["qos_priority"], ids=str)
def test_known_answers(vector: dict[str, Any]) -> None:
    qos, weights = read_qos(vector["qos"]), WEIGHTS[Profile.DEFAULT]

    assert qos.priority(weights) == pytest.approx(vector["priority"], abs=1e-12)
    assert qos.adjusted(weights) == pytest.approx(vector["adjusted"], abs=1e-12)


def test_what_is_not_said_is_a_half_and_no_bid() -> None:
    assert read_qos(None) == read_qos({}) == read_qos({"urgency": None}) == Qos(0.5, 0.5, 0.5, 0.5, 0)
    assert Qos().adjusted(WEIGHTS[Profile.DEFAULT]) == pytest.approx(0.5)


@pytest.mark.parametrize("profile", Profile)
def test_the_weights_of_a_profile_are_one_together(profile: Profile) -> None:
    weights = WEIGHTS[profile]

    assert math.isclose(weights.urgency + weights.importance + weights.novelty + weights.ethical, 1)


@given(qos=QOS, profile=PROFILES)
def test_nobody_is_more_urgent_than_one_and_a_half(qos: Qos, profile: Profile) -> None:
    assert 0 <= qos.adjusted(WEIGHTS[profile]) <= 1.5 + 1e-9


@given(qos=QOS, more=st.floats(0, 1e9), profile=PROFILES)
def test_a_higher_bid_never_counts_less(qos: Qos, more: float, profile: Profile) -> None:
    higher = Qos(qos.urgency, qos.importance, qos.novelty, qos.ethical, qos.bid + more)

    assert higher.adjusted(WEIGHTS[profile]) >= qos.adjusted(WEIGHTS[profile])


@pytest.mark.parametrize(
    "said",
    [
        {"urgency": 1.01},
        {"importance": -0.1},
        {"novelty": "high"},
        {"ethicalWeight": True},
        {"bid": -1},
        {"bid": math.inf},
        {"urgency": math.nan},
        {"urgency": [1]},
    ],
    ids=str,
)
def test_what_can_not_be_is_refused_and_named(said: dict[str, object]) -> None:
    with pytest.raises(InvalidEnvelope, match=f"qos.{next(iter(said))}: found"):
        read_qos(said)
