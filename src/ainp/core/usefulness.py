"""
Usefulness: what an agent says of work it did, and how many points that is worth.

A proof names a kind of work and its metric; the score is 0 to 100, kept in whole hundredths. What many proofs are worth
together is the mean of a window of thirty days.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from fractions import Fraction
from math import isfinite

from ainp.core.did import AgentDid
from ainp.core.errors import DuplicateProof, EmptyMetrics, FraudDetected, InvalidProof, RateLimited, StaleProof
from ainp.core.ids import TaskId

FULL = 10_000  # a score of 100
WINDOW = timedelta(days=30)
TOLERANCE = timedelta(minutes=5)  # what a proof's time may be off
HOUR = timedelta(hours=1)
PAUSE = timedelta(seconds=5)  # between two proofs of one agent
NEARLY_FULL = 9_900
MAX_NEARLY_FULL = 5  # of one agent in an hour
# Proofs without a finalized receipt that count as evidence, however many there are: what costs nothing but time has a
# lower bound of 75 at most, which a hundred and ten proofs of finalized work pass with a mean of 80.
SELF_SAID = 3


class WorkType(StrEnum):
    """What kind of work was done."""

    COMPUTE = "compute"
    MEMORY = "memory"
    ROUTING = "routing"
    VALIDATION = "validation"
    LEARNING = "learning"


@dataclass(frozen=True, slots=True)
class Metric:
    """What is measured of a kind of work, at most how much of it, and what one of it is worth in hundredths."""

    name: str
    most: int
    worth: Fraction


METRICS: Mapping[WorkType, Metric] = {
    WorkType.COMPUTE: Metric("compute_ms", 3_600_000, Fraction(1)),
    WorkType.MEMORY: Metric("memory_bytes", 2**30, Fraction(100, 2**20)),
    WorkType.ROUTING: Metric("routing_hops", 100, Fraction(1000)),
    WorkType.VALIDATION: Metric("validation_checks", 10_000, Fraction(500)),
    WorkType.LEARNING: Metric("learning_samples", 1_000_000, Fraction(10)),
}
_MOST = {metric.name: metric.most for metric in METRICS.values()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What an agent says of work it did, at *said_at*."""

    work_type: WorkType
    metrics: Mapping[str, object]
    trace_id: str
    said_at: datetime
    intent_id: str | None = None
    attestations: Sequence[str] | None = None
    receipt: TaskId | None = None


@dataclass(frozen=True, slots=True)
class Usefulness:
    """An agent's usefulness: score and means from 0 to 100, as they were last aggregated."""

    agent: AgentDid
    score: float
    proofs: int
    last_at: datetime | None
    breakdown: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class History:
    """What an agent has submitted within the last hour, the first and the last of it, how much of it nearly full."""

    in_last_hour: int = 0
    nearly_full: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None
    repeats: bool = False  # the trace was submitted before, whenever


def score_of(work_type: WorkType, metrics: Mapping[str, object]) -> int:
    """
    A proof's score in hundredths, 0 to 10000, rounded half up.

    Raises EmptyMetrics where nothing was done, and InvalidProof for a metric that is no number, out of its range, or
    not there although the kind of work is measured by it.
    """
    measured = {name: _measured(name, value) for name, value in metrics.items()}
    if not any(measured.values()):
        raise EmptyMetrics("Proof must contain at least one non-zero metric")
    metric = METRICS[work_type]
    if metric.name not in measured:
        raise InvalidProof(
            f"Invalid {metric.name}: {work_type} is measured by it, and it is missing", field=metric.name
        )
    worth = Fraction(measured[metric.name]) * metric.worth
    return min(FULL, int(worth + Fraction(1, 2)))


def _measured(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value) or value < 0:
        raise InvalidProof(f"Invalid {name}: found {value!r}, expected a number of 0 or more", field=name)
    if value > _MOST.get(name, value):
        raise InvalidProof(f"Invalid {name}: must be between 0 and {_MOST[name]}", field=name)
    return value


def check_time(said: datetime, *, now: datetime) -> None:
    """Refuse a proof of another time."""
    if abs(said - now) > TOLERANCE:
        raise StaleProof("Proof timestamp must be within 5 minutes of server time")


def check_history(score: int, history: History, *, agent: str, trace_id: str, most: int, now: datetime) -> None:
    """Refuse what was submitted before, and what looks made up; *most* is how many proofs an hour may have."""
    if history.repeats:
        raise DuplicateProof(f"Duplicate proof: trace_id {trace_id} already submitted by agent {agent}")
    if history.in_last_hour >= most:
        frees = (history.first_at or now) + HOUR - now
        raise RateLimited(
            whose="this agent",
            limit=f"{history.in_last_hour}/{most} proofs submitted in last hour",
            retry_after_ms=max(1, frees // timedelta(milliseconds=1)),
        )
    if score >= NEARLY_FULL and history.nearly_full >= MAX_NEARLY_FULL:
        raise FraudDetected("Fraud detected: Too many maximum scores in short period")
    if history.last_at is not None and now - history.last_at < PAUSE:
        raise FraudDetected("Fraud detected: Proof submissions too frequent (minimum 5s interval)")
