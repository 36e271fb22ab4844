"""
How urgent a message says it is: the order in which it is handed over to who has been away.

    priority = 0.3 urgency + 0.3 importance + 0.2 novelty + 0.2 ethicalWeight, and 0.5 tanh(bid / 10 credits) more

Operators may weigh differently; the profiles are the specification's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import isfinite, tanh
from typing import NamedTuple

from ainp.core.errors import InvalidEnvelope

_BID_SCALE = 10  # credits
_BID_WEIGHT = 0.5
_UNSAID = 0.5  # the specification's default of each part


class Profile(StrEnum):
    """What a deployment is for, which says what counts."""

    DEFAULT = "default"
    EMERGENCY = "emergency"
    RESEARCH = "research"
    TRADING = "trading"
    PUBLIC_GOODS = "public_goods"


@dataclass(frozen=True, slots=True)
class Weights:
    """What each part counts; together 1."""

    urgency: float
    importance: float
    novelty: float
    ethical: float


WEIGHTS: Mapping[Profile, Weights] = {
    Profile.DEFAULT: Weights(0.3, 0.3, 0.2, 0.2),
    Profile.EMERGENCY: Weights(0.6, 0.3, 0.05, 0.05),
    Profile.RESEARCH: Weights(0.1, 0.3, 0.5, 0.1),
    Profile.TRADING: Weights(0.5, 0.5, 0, 0),
    Profile.PUBLIC_GOODS: Weights(0.2, 0.3, 0.1, 0.4),
}


class Qos(NamedTuple):
    """What a sender says of its message: parts from 0 to 1, and what it would pay, in credits."""

    urgency: float = _UNSAID
    importance: float = _UNSAID
    novelty: float = _UNSAID
    ethical: float = _UNSAID
    bid: float = 0

    def priority(self, weights: Weights) -> float:
        """How much it matters, without its bid: 0 to 1."""
        return (
            weights.urgency * self.urgency
            + weights.importance * self.importance
            + weights.novelty * self.novelty
            + weights.ethical * self.ethical
        )

    def adjusted(self, weights: Weights) -> float:
        """The same with its bid: 0 to 1.5; a bid that is twice as high is not twice as much."""
        return self.priority(weights) + _BID_WEIGHT * tanh(self.bid / _BID_SCALE)


_NOTHING_SAID = Qos()


def read_qos(said: Mapping[str, object] | None) -> Qos:
    """Read an envelope's `qos`; what it does not say is the default, what can't be is InvalidEnvelope."""
    if not said:
        return _NOTHING_SAID
    parts = {
        name: _number(said, member, most=1)
        for name, member in (
            ("urgency", "urgency"),
            ("importance", "importance"),
            ("novelty", "novelty"),
            ("ethical", "ethicalWeight"),
        )
        if said.get(member) is not None
    }
    return Qos(**parts, bid=_number(said, "bid", most=None) if said.get("bid") is not None else 0)


def _number(said: Mapping[str, object], member: str, *, most: float | None) -> float:
    value = said[member]
    right = isinstance(value, int | float) and not isinstance(value, bool)
    if not right or not isfinite(value) or value < 0 or (most is not None and value > most):  # type: ignore[arg-type,operator]
        expected = f"a number from 0 to {most}" if most is not None else "a number from 0 on"
        raise InvalidEnvelope(f"qos.{member}: found {str(value)[:40]}, expected {expected}", field=f"qos.{member}")
    return float(value)  # type: ignore[arg-type]  # it is a number
