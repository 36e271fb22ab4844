"""The chances are exact: against every committee there is, against other ways to the same number, and at the edges."""

from fractions import Fraction
from itertools import combinations, product
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ainp.core.advice import (
    Network,
    advise,
    capture,
    capture_most,
    choices,
    colluders_among,
    drawn,
    stall,
    weigh,
)

HALF = Fraction(1, 2)


@st.composite
def networks(draw: st.DrawFn) -> tuple[Network, int, int]:
    """A small network, and a quorum and a size that it can fill."""
    agents = draw(st.integers(1, 7))
    size = draw(st.integers(1, min(agents, 4)))
    network = Network(
        agents=agents,
        colluders=draw(st.integers(0, agents)),
        answers=Fraction(draw(st.integers(0, 4)), 4),
    )
    return network, draw(st.integers(1, size)), size


def by_counting(network: Network, quorum: int, size: int) -> tuple[Fraction, Fraction]:
    """Both chances by looking at every committee, and at every way its honest members answer."""
    captured = stalled = Fraction(0)
    committees = list(combinations(range(network.agents), size))
    for committee in committees:
        honest = sum(member >= network.colluders for member in committee)
        captured += size - honest >= quorum
        for answers in product((False, True), repeat=honest):
            weight = Fraction(1)
            for answer in answers:
                weight *= network.answers if answer else 1 - network.answers
            stalled += weight if sum(answers) < quorum else 0
    return captured / len(committees), stalled / len(committees)


@given(networks())
def test_both_chances_are_what_counting_every_committee_gives(made: tuple[Network, int, int]) -> None:
    network, quorum, size = made

    assert (capture(network, quorum=quorum, size=size), stall(network, quorum=quorum, size=size)) == by_counting(*made)


@given(networks())
def test_the_distribution_is_whole_and_has_its_mean(made: tuple[Network, int, int]) -> None:
    network, _, size = made
    chances = [drawn(network, size=size, colluding=number) for number in range(size + 1)]

    assert sum(chances) == 1
    assert sum(number * chance for number, chance in enumerate(chances)) == Fraction(
        size * network.colluders, network.agents
    )


@pytest.mark.parametrize(
    ("agents", "colluders", "quorum", "size", "expected"),
    [
        (100, 20, 3, 5, 4_005_504 / 75_287_520),
        (1000, 200, 3, 5, 0.0576),
        (100, 20, 5, 9, 0.0147),
        (20, 4, 3, 5, 0.0320),
        (5, 1, 3, 5, 0.0),
    ],
)
def test_the_chance_of_capture_that_the_documents_name(
    agents: int, colluders: int, quorum: int, size: int, expected: float
) -> None:
    found = capture(Network(agents=agents, colluders=colluders), quorum=quorum, size=size)

    assert float(found) == pytest.approx(expected, abs=5e-4)


def test_a_large_network_comes_near_to_drawing_with_putting_back() -> None:
    found = capture(Network(agents=10**6, colluders=2 * 10**5), quorum=3, size=5)
    binomial = sum(comb(5, n) * Fraction(1, 5) ** n * Fraction(4, 5) ** (5 - n) for n in range(3, 6))

    assert abs(found - binomial) < Fraction(1, 10**5)


def test_a_stricter_quorum_is_captured_less_and_stalls_more() -> None:
    network = Network(agents=50, colluders=10, answers=Fraction(9, 10))
    found = list(choices(network, size=9))

    assert [choice.quorum for choice in found] == [5, 6, 7, 8, 9]
    assert [choice.capture for choice in found] == sorted((choice.capture for choice in found), reverse=True)
    assert [choice.stall for choice in found] == sorted(choice.stall for choice in found)


def test_the_advice_is_the_smallest_committee_that_keeps_to_both() -> None:
    network = Network(agents=200, colluders=20, answers=Fraction(95, 100))
    limits = {"capture_most": Fraction(1, 1000), "stall_most": Fraction(1, 100)}
    found = advise(network, **limits, seats_most=51)

    assert found is not None
    assert found.capture <= limits["capture_most"]
    assert found.stall <= limits["stall_most"]
    assert found == weigh(network, quorum=found.quorum, size=found.size)
    assert not [
        smaller
        for size in range(1, found.size)
        for smaller in choices(network, size=size)
        if smaller.capture <= limits["capture_most"] and smaller.stall <= limits["stall_most"]
    ]


def test_where_nothing_keeps_to_both_there_is_no_advice() -> None:
    network = Network(agents=6, colluders=3)

    assert advise(network, capture_most=Fraction(1, 1000), stall_most=HALF, seats_most=51) is None
    assert advise(Network(agents=0, colluders=0), capture_most=HALF, stall_most=HALF, seats_most=51) is None


def test_a_share_is_rounded_against_the_network() -> None:
    assert [colluders_among(agents, Fraction(1, 5)) for agents in (0, 1, 5, 6, 10, 11)] == [0, 1, 1, 2, 2, 3]


def test_what_may_be_lost_on_average_says_how_likely_capture_may_be() -> None:
    assert capture_most(value=1000, loss_most=Fraction(1)) == Fraction(1, 1000)
    assert capture_most(value=0, loss_most=Fraction(1)) == capture_most(value=1, loss_most=Fraction(5)) == 1
