"""`make soak` runs, and says what creeps."""

import json
from pathlib import Path

import pytest

from bench.client import BenchError
from bench.soak import Sample, judge
from support.measuring import run

FLAT = [Sample(15.0 * number, 100, 10.0, 20.0, 100.0, 300.0) for number in range(1, 61)]


def crept(*, memory: float = 0.0, latency: float = 0.0) -> list[str]:
    """What is said of a quarter of an hour in which these rose, megabytes and milliseconds in all."""
    part = [number / len(FLAT) for number in range(len(FLAT))]
    samples = [
        Sample(s.at_s, s.jobs, s.p50 + latency * rose, s.p99, s.broker_mb + memory * rose, s.postgres_mb)
        for s, rose in zip(FLAT, part, strict=True)
    ]
    return list(judge(samples).problems)


def test_what_stays_as_it_is_creeps_nowhere() -> None:
    found = judge(FLAT)

    assert (found.jobs, found.memory_mb, found.memory_slope, found.latency_slope) == (6000, 100.0, 0.0, 0.0)
    assert found.problems == []


def test_memory_that_grows_is_told() -> None:
    assert crept(memory=4) == []
    assert crept(memory=20) == ["the broker grew by 15.7 MB while it held 112"]


def test_latency_that_rises_is_told() -> None:
    assert crept(latency=6) == []
    assert crept(latency=40) == ["a job took 31.3 ms longer in the end, of 33.7"]


def test_what_happens_before_the_broker_has_settled_counts_for_nothing() -> None:
    samples = [Sample(s.at_s, s.jobs, 500.0, 900.0, 40.0, 10.0) if s.at_s < 100 else s for s in FLAT]

    assert judge(samples).problems == []


def test_of_one_sample_nothing_is_said() -> None:
    with pytest.raises(BenchError, match="too short"):
        judge(FLAT[:1])


@pytest.mark.long
def test_a_short_soak_tells_its_slopes(tmp_path: Path) -> None:
    done = run("--minutes", "0.3", "--peak", "100", "--json", str(tmp_path / "soak.json"), module="bench.soak")

    assert "jobs in 0 minutes at" in done.stdout, done.stderr
    assert "slope" in done.stdout
    found = json.loads((tmp_path / "soak.json").read_text())
    assert found["peak"] > 0
    assert all(sample["jobs"] > 0 and sample["broker_mb"] > 0 for sample in found["samples"])
