"""Shares: basis points or parts of one, whole, and never without the broker's fee."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ainp.core.errors import InvalidProposal
from ainp.core.incentive import MIN_FEE_BP, WHOLE_BP, IncentiveSplit, read_split


@st.composite
def points(draw: st.DrawFn) -> dict[str, int]:
    """Shares in basis points that a broker accepts."""
    cuts = sorted(draw(st.tuples(st.integers(0, WHOLE_BP), st.integers(0, WHOLE_BP), st.integers(0, WHOLE_BP))))
    agent, validator = cuts[0], cuts[1] - cuts[0]
    broker, pool = cuts[2] - cuts[1], WHOLE_BP - cuts[2]
    if broker + pool < MIN_FEE_BP:
        agent, pool = (agent - MIN_FEE_BP, pool + MIN_FEE_BP) if agent >= MIN_FEE_BP else (agent, pool)
        validator, pool = (validator, pool) if broker + pool >= MIN_FEE_BP else (0, pool + validator)
    return {"agent": agent, "broker": broker, "validator": validator, "pool": pool}


def test_the_default_is_seven_tenths_for_the_agent_and_a_tenth_for_each_other() -> None:
    assert IncentiveSplit().as_mapping() == {"agent": 7000, "broker": 1000, "validator": 1000, "pool": 1000}


@given(shares=points())
def test_basis_points_are_taken_as_they_are(shares: dict[str, int]) -> None:
    assert read_split(shares).as_mapping() == shares


@given(shares=points())
def test_parts_of_one_mean_the_same_as_their_basis_points(shares: dict[str, int]) -> None:
    parts = {name: share / WHOLE_BP for name, share in shares.items()}

    assert read_split(parts).as_mapping() == shares


@given(parts=st.tuples(*[st.floats(0.0, 1.0)] * 3))
def test_parts_of_one_become_exactly_ten_thousand_points(parts: tuple[float, float, float]) -> None:
    whole = sum(parts) + 1
    shares = dict(zip(("agent", "broker", "validator"), (part / whole for part in parts), strict=True))
    shares["pool"] = 1 - sum(shares.values())

    found = read_split(shares, min_fee_bp=0).as_mapping()

    assert sum(found.values()) == WHOLE_BP
    assert all(abs(found[name] - share * WHOLE_BP) <= 1 for name, share in shares.items())


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        ({"agent": 0.7, "broker": 0.1, "validator": 0.1, "pool": 0.1}, IncentiveSplit()),
        ({"agent": 0.8, "broker": 0.05, "validator": 0.05, "pool": 0.1}, IncentiveSplit(8000, 500, 500, 1000)),
        ({"agent": 0.29, "broker": 0.29, "validator": 0.29, "pool": 0.13}, IncentiveSplit(2900, 2900, 2900, 1300)),
        ({"agent": 7000.0, "pool": 3000}, IncentiveSplit(7000, 0, 0, 3000)),
        ({"pool": 1}, IncentiveSplit(0, 0, 0, 10_000)),
        ({"agent": 0.9, "pool": 0.1 + 5e-10}, IncentiveSplit(9000, 0, 0, 1000)),
    ],
)
def test_a_share_that_is_left_out_is_nothing(shares: dict[str, float], expected: IncentiveSplit) -> None:
    assert read_split(shares) == expected


@pytest.mark.parametrize(
    ("shares", "reason"),
    [
        ({"agent": 0.9, "pool": 0.1 + 2e-9}, "expected 10000 basis points"),
        ({"agent": 0.9, "pool": 0.11}, "expected 10000 basis points"),
        ({"agent": 7000, "pool": 2999}, "add up to 9999"),
        ({"agent": 7000.5, "pool": 2999.5}, "expected 10000 basis points"),
        ({}, "add up to 0"),
        ({"agent": 5, "pool": -4}, "pool: found -4"),
        ({"agent": 10_001, "pool": -1}, "agent: found 10001"),
        ({"agent": 0.7, "miner": 0.3}, "'miner'"),
        ({"agent": True, "pool": 0}, "agent: found bool"),
        ({"agent": "0.7", "pool": 0.3}, "agent: found str"),
        ({"agent": None, "pool": 1}, "agent: found NoneType"),
        ({"agent": float("nan"), "pool": 1}, "agent: found nan"),
        ({"agent": float("inf"), "pool": 1}, "agent: found inf"),
        ([7000, 1000, 1000, 1000], "found list, expected an object"),
        (True, "found bool, expected an object"),
    ],
)
def test_shares_that_make_no_whole_are_refused_with_what_was_found(shares: object, reason: str) -> None:
    with pytest.raises(InvalidProposal, match=reason) as refusal:
        read_split(shares)

    assert refusal.value.facts == {"field": "incentive_split"}


@pytest.mark.parametrize(("broker", "pool"), [(0, 999), (999, 0), (500, 499), (0, 0)])
def test_broker_and_pool_get_at_least_the_fee_that_makes_washing_cost_something(broker: int, pool: int) -> None:
    shares = {"agent": WHOLE_BP - broker - pool, "broker": broker, "pool": pool}

    with pytest.raises(InvalidProposal, match=f"together get {broker + pool} basis points, expected at least 1000"):
        read_split(shares)
    assert read_split(shares, min_fee_bp=broker + pool).agent == WHOLE_BP - broker - pool
