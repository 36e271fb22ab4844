"""Prices become whole atomic units exactly, and nothing is lost when they are divided."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ainp.core.credits import at_most, credits_of_cost, credits_of_price, in_credits, split
from ainp.core.errors import InvalidProposal, InvalidRequest
from ainp.core.limits import MAX_PRICE_CREDITS

WEIGHTS = st.dictionaries(st.text(min_size=1, max_size=4), st.integers(0, 10**6), min_size=1, max_size=8).filter(
    lambda weights: sum(weights.values()) > 0
)


@pytest.mark.parametrize(
    ("price", "atomic"),
    [
        (0, 0),
        (0.0, 0),
        (-0.0, 0),
        (1, 1_000),
        (64.1, 64_100),
        (1.005, 1_005),
        (1.001, 1_001),
        (0.001, 1),
        (0.29, 290),
        (9.999, 9_999),
        (1e3, 1_000_000),
        (123456789.123, 123_456_789_123),
        (1e12, 10**15),
        (10**12, 10**15),
    ],
)
def test_a_price_becomes_exactly_its_decimal_text_in_atomic_units(price: float, atomic: int) -> None:
    assert credits_of_price(price) == atomic


@pytest.mark.parametrize(
    "price",
    [
        -1,
        -0.001,
        0.0001,
        1.0005,
        5e-324,
        0.1 + 0.2,
        10**12 + 1,
        1e13,
        1e308,
        10**40,
        float("nan"),
        float("inf"),
        float("-inf"),
    ],
)
def test_a_price_out_of_range_or_finer_than_three_decimals_is_refused_not_rounded(price: float) -> None:
    with pytest.raises(InvalidProposal, match="at most three decimals") as refusal:
        credits_of_price(price)

    assert refusal.value.facts == {"field": "price"}


@given(atomic=st.integers(0, MAX_PRICE_CREDITS * 1000))
def test_every_whole_number_of_atomic_units_has_a_price_that_a_json_number_carries(atomic: int) -> None:
    price = float(Decimal(atomic) / 1000)

    assert credits_of_price(price) == atomic


@given(total=st.integers(0, 10**18), weights=WEIGHTS)
def test_a_split_loses_nothing(total: int, weights: dict[str, int]) -> None:
    parts = split(total, weights)

    assert sum(parts.values()) == total
    assert parts.keys() == weights.keys()


@given(total=st.integers(0, 10**18), weights=WEIGHTS)
def test_a_part_is_its_exact_share_rounded_down_or_up(total: int, weights: dict[str, int]) -> None:
    whole = sum(weights.values())

    parts = split(total, weights)

    assert all(part * whole - (total * weights[name] - whole) >= 0 for name, part in parts.items())
    assert all(part * whole - total * weights[name] < whole for name, part in parts.items())


@given(total=st.integers(0, 10**6), weights=WEIGHTS)
def test_a_split_does_not_depend_on_the_order_of_the_names(total: int, weights: dict[str, int]) -> None:
    backwards = dict(reversed(weights.items()))

    assert split(total, weights) == split(total, backwards)


@pytest.mark.parametrize(
    ("total", "weights", "parts"),
    [
        pytest.param(3, {"b": 1, "a": 1}, {"a": 2, "b": 1}, id="ties go by name"),
        pytest.param(5, {"a": 6, "b": 3, "c": 1}, {"a": 3, "b": 2, "c": 0}, id="3.0, 1.5, 0.5: the tie goes to b"),
        pytest.param(1, {"agent": 7, "broker": 1, "pool": 1, "validator": 1}, {"agent": 1}, id="largest remainder"),
        pytest.param(0, {"a": 1, "b": 2}, {}, id="nothing"),
        pytest.param(10, {"a": 0, "b": 3}, {"b": 10}, id="no weight, no part"),
    ],
)
def test_left_over_units_go_to_the_largest_remainders(
    total: int, weights: dict[str, int], parts: dict[str, int]
) -> None:
    assert split(total, weights) == dict.fromkeys(weights, 0) | parts


@given(st.integers(0, MAX_PRICE_CREDITS * 1000))
def test_a_cost_is_shown_as_it_was_said(atomic: int) -> None:
    assert credits_of_cost(in_credits(atomic)) == atomic == at_most(in_credits(atomic))


def test_credits_are_shown_whole_where_they_are() -> None:
    assert [repr(in_credits(atomic)) for atomic in (0, 2_000, 2_500, 1)] == ["0", "2", "2.5", "0.001"]


@pytest.mark.parametrize("cost", [-1, 0.0001, float("nan"), float("inf"), 10**12 + 1])
def test_a_cost_that_is_no_price_is_refused(cost: float) -> None:
    with pytest.raises(InvalidRequest, match=r"cost: found .*, expected credits from 0 to"):
        credits_of_cost(cost)


@pytest.mark.parametrize(
    ("cost", "atomic"), [(0, 0), (0.0015, 1), (0.0009, 0), (64.1, 64_100), (1e300, 10**15), (float("inf"), 10**15)]
)
def test_the_most_that_is_paid_is_never_rounded_up(cost: float, atomic: int) -> None:
    assert at_most(cost) == atomic
