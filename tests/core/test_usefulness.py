"""What a proof of work is worth, and which proofs are refused."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ainp.core.errors import (
    BrokerError,
    DuplicateProof,
    EmptyMetrics,
    FraudDetected,
    InvalidProof,
    RateLimited,
    StaleProof,
)
from ainp.core.usefulness import FULL, METRICS, History, WorkType, check_history, check_time, score_of

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("work_type", "metrics", "score"),
    [
        ("compute", {"compute_ms": 5000}, 5000),
        ("compute", {"compute_ms": 10000}, 10000),
        ("compute", {"compute_ms": 3_600_000}, 10000),
        ("compute", {"compute_ms": 123}, 123),
        ("compute", {"compute_ms": 0.5}, 1),
        ("memory", {"memory_bytes": 5242880}, 500),
        ("memory", {"memory_bytes": 1500000}, 143),
        ("routing", {"routing_hops": 3}, 3000),
        ("validation", {"validation_checks": 10}, 5000),
        ("learning", {"learning_samples": 500}, 5000),
        ("compute", {"compute_ms": 0, "routing_hops": 3}, 0),
    ],
)
def test_a_proof_is_worth(work_type: str, metrics: Mapping[str, float], score: int) -> None:
    assert score_of(WorkType(work_type), metrics) == score


@given(work_type=st.sampled_from(WorkType), part=st.floats(0, 1), more=st.floats(0, 1))
def test_more_work_is_never_worth_less(work_type: WorkType, part: float, more: float) -> None:
    metric = METRICS[work_type]
    low, high = sorted((part, more))
    scores = [score_of(work_type, {metric.name: p * metric.most, "note": 1}) for p in (low, high)]

    assert 0 <= scores[0] <= scores[1] <= FULL


@pytest.mark.parametrize(
    ("metrics", "error"),
    [
        ({}, EmptyMetrics),
        ({"compute_ms": 0}, EmptyMetrics),
        ({"memory_bytes": 9}, InvalidProof),
        ({"compute_ms": -5}, InvalidProof),
        ({"compute_ms": 3_600_001}, InvalidProof),
        ({"compute_ms": math.nan}, InvalidProof),
        ({"compute_ms": math.inf}, InvalidProof),
        ({"compute_ms": True}, InvalidProof),
        ({"compute_ms": "1"}, InvalidProof),
        ({"compute_ms": 1, "routing_hops": 101}, InvalidProof),
        ({"compute_ms": 1, "other": -1}, InvalidProof),
    ],
)
def test_a_proof_of_nothing_is_refused(metrics: Mapping[str, object], error: type[BrokerError]) -> None:
    with pytest.raises(error):
        score_of(WorkType.COMPUTE, metrics)


@pytest.mark.parametrize(("minutes", "taken"), [(-5, True), (5, True), (-5.01, False), (5.01, False)])
def test_a_proof_is_of_now(*, minutes: float, taken: bool) -> None:
    said = NOW + timedelta(minutes=minutes)
    if taken:
        check_time(said, now=NOW)
        return
    with pytest.raises(StaleProof, match="within 5 minutes of server time"):
        check_time(said, now=NOW)


def check(score: int = 100, **history: object) -> None:
    check_history(score, History(**history), agent="did:key:a", trace_id="t", most=100, now=NOW)  # type: ignore[arg-type]


def test_a_trace_is_submitted_once() -> None:
    with pytest.raises(DuplicateProof, match="Duplicate proof: trace_id t already submitted by agent did:key:a"):
        check(repeats=True)


def test_an_hour_has_room_for_so_many() -> None:
    check(in_last_hour=99)
    with pytest.raises(RateLimited, match="100/100 proofs submitted in last hour") as refused:
        check(in_last_hour=100, first_at=NOW - timedelta(minutes=59))

    assert refused.value.retry_after_ms == 60_000


def test_full_scores_are_rare() -> None:
    check(9_899, nearly_full=5)
    check(9_900, nearly_full=4)
    with pytest.raises(FraudDetected, match="Too many maximum scores in short period"):
        check(9_900, nearly_full=5)


def test_an_agent_takes_its_time() -> None:
    check(last_at=NOW - timedelta(seconds=5))
    with pytest.raises(FraudDetected, match="too frequent"):
        check(last_at=NOW - timedelta(seconds=4.999))
