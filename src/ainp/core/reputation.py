"""
Reputation: seven moving averages from 0 to 1, each change explained by an observation.

A value first decays towards 0.5 by 0.977^days since its last observation, then moves by alpha towards what was
observed (EWMA). A dimension nobody observed stays as it is. All values are whole millionths. Rankings use lower
bounds, never the values: ten observations do not outrank a long record.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

ONE = 1_000_000
NEUTRAL = 500_000
DECAY_PER_DAY = 0.977  # a half-life of 30 days
DEFAULT_ALPHA = 0.2
SLASH_TENTHS = 9  # what a slash leaves of each value
SLASHED = "slashed"  # the reason of such a change
UNAGREED_LATENCY_MS = 5_000  # the yardstick where no delivery time was agreed
_IMPACT_CREDITS = 1_000  # a task of so many credits, or more, has full impact
_DAY = timedelta(days=1)


class Dimension(StrEnum):
    """What is averaged; the letters are the columns of agent_reputation."""

    QUALITY = "q"
    TIMELINESS = "t"
    RELIABILITY = "r"
    SAFETY = "s"
    TRUTHFULNESS = "v"
    IMPACT = "i"
    EFFICIENCY = "e"
    FINAL_TIMELINESS = "final_t"  # timeliness over finalized receipts only; weighs committee seats, is not shown


SHOWN = tuple(d for d in Dimension if d is not Dimension.FINAL_TIMELINESS)
TRUST_WEIGHTS: Mapping[Dimension, float] = {
    Dimension.RELIABILITY: 0.35,
    Dimension.TRUTHFULNESS: 0.35,
    Dimension.QUALITY: 0.20,
    Dimension.TIMELINESS: 0.10,
}


@dataclass(frozen=True, slots=True)
class Standing:
    """One dimension: its value in millionths, how often it was observed, and when last."""

    value: int = NEUTRAL
    observations: int = 0
    observed_at: datetime | None = None

    def decayed(self, now: datetime) -> int:
        """The value at *now*: nearer to 0.5 the longer nobody looked."""
        if self.observed_at is None or now <= self.observed_at:
            return self.value
        days = (now - self.observed_at) / _DAY
        return NEUTRAL + round((self.value - NEUTRAL) * math.pow(DECAY_PER_DAY, days))


@dataclass(frozen=True, slots=True)
class Observation:
    """What was seen of a worker, in millionths, and why."""

    dimension: Dimension
    observed: int
    reason: str


@dataclass(frozen=True, slots=True)
class Change:
    """What one observation did to a value; *before* is already decayed."""

    dimension: Dimension
    observed: int
    before: int
    after: int
    reason: str


@dataclass(frozen=True, slots=True)
class Reputation:
    """An agent's standing in every dimension; *clients* counts the different clients of finalized receipts."""

    standings: Mapping[Dimension, Standing] = field(default_factory=lambda: dict.fromkeys(Dimension, Standing()))
    clients: int = 0
    version: int = 0
    updated_at: datetime | None = None

    def observe(
        self, observations: Iterable[Observation], *, now: datetime, alpha: float
    ) -> tuple["Reputation", tuple[Change, ...]]:
        """Apply *observations* in order and say what each changed."""
        standings, changes = dict(self.standings), []
        for seen in observations:
            old = standings[seen.dimension]
            before = old.decayed(now)
            after = round((1 - alpha) * before + alpha * seen.observed)
            standings[seen.dimension] = Standing(after, old.observations + 1, now)
            changes.append(Change(seen.dimension, seen.observed, before, after, seen.reason))
        return replace(self, standings=standings, updated_at=now), tuple(changes)

    def slashed(self, now: datetime) -> tuple["Reputation", tuple[Change, ...]]:
        """
        Leave nine tenths of every value, and say so of each.

        It is no observation of work, so none is counted: more evidence would raise lower bounds.
        """
        standings, changes = {}, []
        for dimension, old in self.standings.items():
            before = old.decayed(now)
            after = before * SLASH_TENTHS // 10
            standings[dimension] = Standing(after, old.observations, now)
            changes.append(Change(dimension, after, before, after, SLASHED))
        return replace(self, standings=standings, updated_at=now), tuple(changes)

    def trust(self, now: datetime) -> int:
        """The one number made from four dimensions, in millionths."""
        return round(sum(w * self.standings[d].decayed(now) for d, w in TRUST_WEIGHTS.items()))

    def trust_lower_bound(self, now: datetime) -> int:
        """What trust is at least, with the number of different clients as evidence; for rankings."""
        return _least_trust(self.standings, self.clients, now)

    def audited_trust_lower_bound(self, now: datetime) -> int:
        """The same over finalized receipts only; weighs committee seats."""
        audited = {**self.standings, Dimension.TIMELINESS: self.standings[Dimension.FINAL_TIMELINESS]}
        return _least_trust(audited, self.clients, now)


def _least_trust(standings: Mapping[Dimension, Standing], clients: int, now: datetime) -> int:
    doubt = _doubt(clients)
    return round(sum(w * max(0, standings[d].decayed(now) - doubt) for d, w in TRUST_WEIGHTS.items()))


def lower_bound(value: int, observations: int) -> int:
    """Take half a standard deviation's worth of doubt off *value*: max(0, value - 1 / (2 sqrt(n + 1)))."""
    return max(0, value - _doubt(observations))


def _doubt(observations: int) -> int:
    return round(ONE / (2 * math.sqrt(observations + 1)))


def timeliness(latency_ms: float, delivery_time_ms: int | None) -> int:
    """In time is 1, twice the agreed time is 0, linear between; without agreement 0 is 5 seconds."""
    if delivery_time_ms is None:
        return _clamp(1 - latency_ms / UNAGREED_LATENCY_MS)
    return _clamp(2 - latency_ms / delivery_time_ms)


def impact(amount: int) -> int:
    """Grow with the logarithm of the price (*amount* in atomic units), up to 1 at 1000 credits."""
    return _clamp(math.log1p(amount / 1000) / math.log1p(_IMPACT_CREDITS))


def median(values: Iterable[int]) -> int:
    """The middle value; of an even number the mean of the middle two, rounded down."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) // 2


def _clamp(value: float) -> int:
    return round(min(1.0, max(0.0, value)) * ONE)
