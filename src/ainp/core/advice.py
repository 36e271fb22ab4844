"""
How large a committee should be: the chance that colluders capture it, and that it comes to no decision.

A committee of m is drawn from n agents without putting back, all with the same weight, of whom some collude. It is
*captured* when k of its members collude: they pass what they like. It *stalls* when fewer than k of its members are
honest and answer: colluders stay silent, and so does an honest one now and then. All numbers are exact fractions.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import comb

MAX_SEATS = 51  # above it a committee costs more than it decides
_WHOLE = Fraction(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """Who can be drawn: how many agents, how many of them collude, and how often an honest one answers in time."""

    agents: int
    colluders: int
    answers: Fraction = _WHOLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A quorum of k out of m, and how it can go wrong."""

    quorum: int
    size: int
    capture: Fraction
    stall: Fraction


def colluders_among(agents: int, share: Fraction) -> int:
    """How many a *share* of the agents is, rounded up: nobody is half a colluder."""
    return -(-agents * share.numerator // share.denominator)


def drawn(network: Network, *, size: int, colluding: int) -> Fraction:
    """The chance that exactly so many of a committee's members collude: the hypergeometric distribution."""
    honest = network.agents - network.colluders
    ways = comb(network.colluders, colluding) * comb(honest, size - colluding)
    return Fraction(ways, comb(network.agents, size))


def capture(network: Network, *, quorum: int, size: int) -> Fraction:
    """The chance that a quorum colludes."""
    return sum((drawn(network, size=size, colluding=n) for n in range(quorum, size + 1)), Fraction(0))


def stall(network: Network, *, quorum: int, size: int) -> Fraction:
    """The chance that fewer than a quorum are honest and answer, each honest one by itself: binomial given the draw."""
    total = Fraction(0)
    for colluding in range(size + 1):
        honest = size - colluding
        answering = sum((_binomial(honest, n, network.answers) for n in range(min(quorum, honest + 1))), Fraction(0))
        total += drawn(network, size=size, colluding=colluding) * answering
    return total


def _binomial(of: int, exactly: int, chance: Fraction) -> Fraction:
    return comb(of, exactly) * chance**exactly * (_WHOLE - chance) ** (of - exactly)


def weigh(network: Network, *, quorum: int, size: int) -> Choice:
    """Both chances of one choice."""
    return Choice(
        quorum=quorum,
        size=size,
        capture=capture(network, quorum=quorum, size=size),
        stall=stall(network, quorum=quorum, size=size),
    )


def choices(network: Network, *, size: int) -> Iterator[Choice]:
    """All majorities of a committee of *size*: with less than half of it two quorums could disagree."""
    for quorum in range(size // 2 + 1, size + 1):
        yield weigh(network, quorum=quorum, size=size)


def advise(network: Network, *, capture_most: Fraction, stall_most: Fraction, seats_most: int) -> Choice | None:
    """The smallest committee within both limits, with the quorum that is captured least; None if there is none."""
    for size in range(1, min(seats_most, MAX_SEATS, network.agents) + 1):
        fitting = [c for c in choices(network, size=size) if c.capture <= capture_most and c.stall <= stall_most]
        if fitting:
            return min(fitting, key=lambda choice: (choice.capture, choice.stall))
    return None


def capture_most(*, value: int, loss_most: Fraction) -> Fraction:
    """The chance of capture at which a receipt of *value* loses *loss_most* on average."""
    return _WHOLE if value <= 0 else min(_WHOLE, loss_most / value)
