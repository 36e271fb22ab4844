"""Moving averages: what an observation does, what time does, and what a ranking sees."""

import math
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ainp.core.reputation import (
    DECAY_PER_DAY,
    DEFAULT_ALPHA,
    NEUTRAL,
    ONE,
    SHOWN,
    TRUST_WEIGHTS,
    Change,
    Dimension,
    Observation,
    Reputation,
    Standing,
    impact,
    lower_bound,
    median,
    timeliness,
)
from support.builders import NOW

D = Dimension
DAY = timedelta(days=1)


def seen(dimension: Dimension, observed: int) -> Observation:
    return Observation(dimension, observed, "a test")


def of(*, clients: int = 0, **values: int) -> Reputation:
    standings = {Dimension[name.upper()]: Standing(value, clients, NOW) for name, value in values.items()}
    return Reputation(standings={**dict.fromkeys(Dimension, Standing()), **standings}, clients=clients)


def after(tasks: int, *, clients: int, days_ago: int = 0) -> Reputation:
    """What an agent is after so many flawless tasks."""
    reputation = Reputation()
    for _ in range(tasks):
        flawless = [seen(dimension, ONE) for dimension in Dimension]
        reputation, _ = reputation.observe(flawless, now=NOW - days_ago * DAY, alpha=DEFAULT_ALPHA)
    return Reputation(reputation.standings, clients)


def test_everybody_starts_in_the_middle_and_is_worth_nothing_in_a_ranking() -> None:
    fresh = Reputation()

    assert {fresh.standings[dimension].value for dimension in Dimension} == {500_000}
    assert (fresh.trust(NOW), fresh.trust_lower_bound(NOW)) == (500_000, 0)


def test_seven_dimensions_are_shown() -> None:
    assert [dimension.value for dimension in SHOWN] == ["q", "t", "r", "s", "v", "i", "e"]


def test_an_observation_moves_a_value_by_a_fifth_of_the_way() -> None:
    reputation, changes = Reputation().observe([seen(D.QUALITY, 900_000)], now=NOW, alpha=0.2)

    assert reputation.standings[D.QUALITY] == Standing(580_000, 1, NOW)
    assert changes == (Change(D.QUALITY, 900_000, 500_000, 580_000, "a test"),)
    assert reputation.updated_at == NOW


def test_a_dimension_that_nobody_observed_stays_as_it_is() -> None:
    before = of(safety=700_000)

    reputation, _ = before.observe([seen(D.QUALITY, 0)], now=NOW + 30 * DAY, alpha=0.2)

    assert {d: reputation.standings[d] for d in Dimension if d is not D.QUALITY} == {
        d: before.standings[d] for d in Dimension if d is not D.QUALITY
    }


def test_the_old_value_decays_before_the_new_one_counts() -> None:
    decayed = 500_000 + round(400_000 * DECAY_PER_DAY**30)

    reputation, (change,) = of(quality=900_000).observe([seen(D.QUALITY, ONE)], now=NOW + 30 * DAY, alpha=0.2)

    assert change.before == decayed == 699_020
    assert reputation.standings[D.QUALITY].value == round(0.8 * decayed + 0.2 * ONE) == 759_216


@pytest.mark.parametrize(
    ("value", "days", "expected"),
    [
        (ONE, 0, 1_000_000),
        (ONE, 1, 988_500),
        (ONE, 30, 748_775),
        (0, 30, 251_225),
        (0, 0.5, 5_783),
        (NEUTRAL, 365, 500_000),
        (ONE, 100_000, 500_000),
        (ONE, -1, 1_000_000),
    ],
)
def test_a_value_goes_back_to_the_middle_with_a_half_life_of_thirty_days(
    value: int, days: float, expected: int
) -> None:
    assert Standing(value, 1, NOW).decayed(NOW + days * DAY) == expected


def test_what_was_never_observed_does_not_decay() -> None:
    assert Standing(900_000, 0, None).decayed(NOW + 1000 * DAY) == 900_000


@given(
    observed=st.lists(st.integers(0, ONE), min_size=1, max_size=30),
    hours=st.integers(0, 5000),
    alpha=st.floats(0.01, 1),
)
def test_a_value_stays_between_zero_and_one_and_counts_its_observations(
    observed: list[int], hours: int, alpha: float
) -> None:
    reputation, now = Reputation(), NOW
    for value in observed:
        reputation, _ = reputation.observe([seen(D.SAFETY, value)], now=now, alpha=alpha)
        now += timedelta(hours=hours)

    standing = reputation.standings[D.SAFETY]
    assert 0 <= standing.value <= ONE
    assert standing.observations == len(observed)
    assert min(standing.value, NEUTRAL) <= standing.decayed(now) <= max(standing.value, NEUTRAL)


def test_two_observations_of_one_dimension_count_one_after_the_other() -> None:
    reputation, changes = Reputation().observe([seen(D.SAFETY, ONE), seen(D.SAFETY, 0)], now=NOW, alpha=0.5)

    assert [change.after for change in changes] == [750_000, 375_000]
    assert reputation.standings[D.SAFETY].observations == 2


def test_trust_is_made_of_four_dimensions() -> None:
    reputation = of(reliability=800_000, truthfulness=600_000, quality=400_000, timeliness=200_000, safety=0, impact=0)

    assert reputation.trust(NOW) == 280_000 + 210_000 + 80_000 + 20_000
    assert math.isclose(sum(TRUST_WEIGHTS.values()), 1)


def test_trust_decays_when_it_is_read() -> None:
    assert of(reliability=ONE).trust(NOW + 30 * DAY) == round(0.35 * 748_775 + 0.65 * 500_000)


@pytest.mark.parametrize(
    ("value", "observations", "expected"),
    [(500_000, 0, 0), (ONE, 0, 500_000), (ONE, 3, 750_000), (ONE, 99, 950_000), (100_000, 3, 0), (0, 10**6, 0)],
)
def test_a_lower_bound_takes_off_the_doubt_that_so_few_observations_leave(
    value: int, observations: int, expected: int
) -> None:
    assert lower_bound(value, observations) == expected


@given(value=st.integers(0, ONE), observations=st.integers(0, 10**6))
def test_a_lower_bound_is_below_the_value_and_rises_with_the_observations(value: int, observations: int) -> None:
    assert 0 <= lower_bound(value, observations) <= value
    assert lower_bound(value, observations) <= lower_bound(value, observations + 1)


def test_the_lower_bound_of_trust_doubts_each_dimension_by_the_number_of_clients() -> None:
    reputation = of(clients=3, reliability=800_000, truthfulness=600_000, quality=100_000, timeliness=ONE)

    # Each is 1/4 less, quality is 0 and not -0.15: 0.35 x 0.55 + 0.35 x 0.35 + 0.1 x 0.75
    assert reputation.trust_lower_bound(NOW) == 192_500 + 122_500 + 0 + 75_000


def test_ten_self_made_tasks_do_not_outrank_a_long_record() -> None:
    self_made = after(10, clients=1)
    long_record = after(60, clients=40, days_ago=14)

    assert self_made.trust(NOW) > long_record.trust(NOW)
    assert self_made.trust_lower_bound(NOW) < long_record.trust_lower_bound(NOW)


def test_seats_weigh_the_timeliness_of_finalized_receipts_only() -> None:
    reputation = of(clients=3, timeliness=ONE, final_timeliness=250_000)

    others = round(0.9 * 250_000)
    assert reputation.trust_lower_bound(NOW) == others + 75_000
    assert reputation.audited_trust_lower_bound(NOW) == others


@pytest.mark.parametrize(
    ("latency", "agreed", "expected"),
    [
        (0, 1000, ONE),
        (1000, 1000, ONE),
        (1001, 1000, 999_000),
        (1500, 1000, 500_000),
        (2000, 1000, 0),
        (9999, 1000, 0),
        (0, None, ONE),
        (328, None, 934_400),
        (2500, None, 500_000),
        (5000, None, 0),
        (60_000, None, 0),
        (2_592_000_000, 2_592_000_000, ONE),
        (0, 1, ONE),
    ],
)
def test_in_time_is_one_and_twice_the_agreed_time_is_nothing(latency: int, agreed: int | None, expected: int) -> None:
    assert timeliness(latency, agreed) == expected


@pytest.mark.parametrize(
    ("amount", "expected"), [(0, 0), (1000, 100_329), (100_000, 668_010), (1_000_000, ONE), (10**15, ONE)]
)
def test_impact_grows_with_the_logarithm_of_the_price(amount: int, expected: int) -> None:
    assert impact(amount) == expected


@pytest.mark.parametrize(
    ("values", "expected"), [([7], 7), ([1, 2], 1), ([9, 1, 5], 5), ([4, 1, 9, 6], 5), ([0, 0, 1_000_000], 0)]
)
def test_a_median_is_the_middle_or_the_mean_of_the_middle_two(values: list[int], expected: int) -> None:
    assert median(values) == expected


def test_a_slash_leaves_nine_tenths_and_is_no_evidence() -> None:
    worked, _ = Reputation(clients=3).observe(
        [Observation(Dimension.QUALITY, 900_000, "seen")], now=NOW, alpha=DEFAULT_ALPHA
    )

    slashed, changes = worked.slashed(NOW)

    for dimension, before in worked.standings.items():
        after = slashed.standings[dimension]
        assert after.value == before.value * 9 // 10
        assert after.observations == before.observations
        assert lower_bound(after.value, after.observations) <= lower_bound(before.value, before.observations)
    assert {change.dimension for change in changes} == set(Dimension)
    assert all((c.observed, c.reason) == (c.after, "slashed") for c in changes)
    assert slashed.trust(NOW) < worked.trust(NOW)
    assert slashed.updated_at == NOW
