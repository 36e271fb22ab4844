"""What the protocol reads of a proposal, and the hash that both parties mean by it."""

import hashlib
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ainp.core.errors import InvalidProposal
from ainp.core.incentive import IncentiveSplit
from ainp.core.limits import MAX_DELIVERY_TIME, MAX_PROPOSAL_BYTES
from ainp.core.terms import read_terms
from support.builders import STRANGER, a_proposal

THIRTY_DAYS_MS = 30 * 24 * 60 * 60 * 1000


def test_terms_are_read_in_atomic_units_and_milliseconds() -> None:
    proposal = {
        "price": 64.1,
        "delivery_time": 5000,
        "quality_sla": 0.9,
        "incentive_split": {"agent": 0.8, "broker": 0.1, "pool": 0.1},
        "validator_did": STRANGER,
        "duration_ms": 12,
    }

    terms = read_terms(proposal)

    assert (terms.price, terms.delivery_time_ms, terms.validator) == (64_100, 5000, STRANGER)
    assert terms.split == IncentiveSplit(8000, 1000, 0, 1000)


def test_nothing_but_an_object_is_needed() -> None:
    terms = read_terms({})

    assert (terms.price, terms.delivery_time_ms, terms.validator) == (0, None, None)
    assert terms.split == IncentiveSplit()


def test_null_is_the_same_as_left_out() -> None:
    names = ("price", "delivery_time", "quality_sla", "incentive_split", "custom_terms", "validator_did")

    terms = read_terms(dict.fromkeys(names))

    assert (terms.price, terms.delivery_time_ms, terms.split, terms.validator) == (0, None, IncentiveSplit(), None)


def test_the_hash_is_sha_256_over_canonical_json() -> None:
    text = '{"a":"\u20ac","price":64.1}'

    assert read_terms({"price": 64.1, "a": "\u20ac"}).hash == hashlib.sha256(text.encode()).digest()


@given(terms=st.dictionaries(st.text(max_size=5), st.integers(-5, 5) | st.text(max_size=5), max_size=6))
def test_the_hash_does_not_depend_on_the_order_of_members(terms: dict[str, object]) -> None:
    custom = {"custom_terms": terms}
    backwards = {"custom_terms": dict(reversed(terms.items()))}

    assert read_terms(custom).hash == read_terms(backwards).hash


def test_members_that_the_protocol_does_not_know_are_hashed() -> None:
    assert read_terms(a_proposal(quality_threshold=1)).hash != read_terms(a_proposal(quality_threshold=2)).hash


@pytest.mark.parametrize("milliseconds", [1, THIRTY_DAYS_MS])
def test_a_delivery_time_is_from_one_millisecond_to_thirty_days(milliseconds: int) -> None:
    assert read_terms(a_proposal(delivery_time=milliseconds)).delivery_time_ms == milliseconds
    assert timedelta(days=30) == MAX_DELIVERY_TIME


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("delivery_time", 0),
        ("delivery_time", -1),
        ("delivery_time", THIRTY_DAYS_MS + 1),
        ("delivery_time", 1.5),
        ("delivery_time", "5000"),
        ("delivery_time", True),
        ("quality_sla", -0.01),
        ("quality_sla", 1.01),
        ("quality_sla", "0.9"),
        ("quality_sla", True),
        ("price", "100"),
        ("price", True),
        ("price", [1]),
        ("price", -1),
        ("price", 0.0001),
        ("incentive_split", {"agent": 1}),
        ("incentive_split", []),
        ("custom_terms", []),
        ("custom_terms", "x"),
        ("validator_did", "bob"),
        ("validator_did", 5),
    ],
)
def test_terms_out_of_range_are_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(InvalidProposal, match=field) as refusal:
        read_terms({field: value})

    assert refusal.value.facts == {"field": field}


@pytest.mark.parametrize(
    "proposal",
    [
        pytest.param({"price": float("nan")}, id="nan"),
        pytest.param({"price": float("inf")}, id="infinity"),
        pytest.param({"x": 2**53}, id="an integer that JSON numbers can't tell from its neighbour"),
        pytest.param({"x": 10**5000}, id="an integer that Python does not print"),
        pytest.param({"x": "\ud800"}, id="a lone surrogate"),
        pytest.param({"x": "y" * MAX_PROPOSAL_BYTES}, id="too long"),
    ],
)
def test_what_has_no_canonical_form_is_refused(proposal: dict[str, object]) -> None:
    with pytest.raises(InvalidProposal, match=r"^proposal: "):
        read_terms(proposal)


def test_a_proposal_too_deep_to_be_written_is_refused() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]

    with pytest.raises(InvalidProposal, match=r"^proposal: "):
        read_terms({"custom_terms": {"x": deep}})


def test_the_longest_proposal_has_sixteen_kibibytes() -> None:
    filled = {"x": "y" * (MAX_PROPOSAL_BYTES - len('{"x":""}'))}

    assert read_terms(filled).price == 0


def test_a_validator_may_be_named_among_the_custom_terms() -> None:
    assert read_terms({"custom_terms": {"validator_did": STRANGER}}).validator == STRANGER


def test_the_least_fee_is_the_broker_s_to_set() -> None:
    cheap = {"incentive_split": {"agent": 9500, "pool": 500}}

    with pytest.raises(InvalidProposal, match="expected at least 1000"):
        read_terms(cheap)
    assert read_terms(cheap, min_fee_bp=500).split.pool == 500
