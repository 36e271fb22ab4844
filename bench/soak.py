"""
`make soak`: hours of a broker's life in a quarter of one, at a steady load, to see what creeps.

First the peak: whole jobs (a flow, the verdicts of a committee that finalize it, a look at the receipt), as many as
the broker takes. Then a share of that for the time asked, each job begun when it is due. What may not rise is told with
its slope: the broker's memory and the latency. A refused request ends the soak: there must be none.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import linear_regression, median

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from ainp.core.did import AgentDid
from bench import requests
from bench.broker import Served, a_folder, serving
from bench.client import BenchError, Clients, Job
from bench.measure import Bench, percentile
from bench.operations import Settled
from bench.populate import populate

_AGENTS = 1000
_CONNECTIONS = 32
_SLICE_S = 15.0
_SETTLES = 0.2  # of the time: caches fill, pools grow
_MEMORY_PART = 0.05  # what the broker may grow by, of what it holds
_MEMORY_MB = 5.0  # and what is noise in any case
_LATENCY_PART = 0.5  # what a job may take longer in the end, of what it takes
_LATENCY_MS = 5.0
_RICH = {"INITIAL_CREDITS": "1000000000", "RATE_LIMIT_ENABLED": "false", "POU_COMMITTEE_MIN_AGE_MINUTES": "0"}


@dataclass(frozen=True, slots=True)
class Sample:
    """A slice of the time; latencies in milliseconds, memory in megabytes."""

    at_s: float
    jobs: int
    p50: float
    p99: float
    broker_mb: float
    postgres_mb: float


@dataclass(frozen=True, slots=True)
class Found:
    """What a soak has found."""

    jobs: int
    memory_mb: float  # at the end
    memory_slope: float  # megabytes an hour
    latency_slope: float  # milliseconds of the median, an hour
    problems: Sequence[str]


def main() -> None:
    """Run what the command line asks for; exit with 1 if something has crept."""
    parser = argparse.ArgumentParser(prog="soak", description="Keep the broker busy for a while, and see what creeps.")
    parser.add_argument("--minutes", type=float, default=15.0, help="how long; 15")
    parser.add_argument("--share", type=float, default=0.7, help="of the peak; 0.7")
    parser.add_argument("--peak", type=int, default=2000, help="jobs to find the peak with; 2000")
    parser.add_argument("--json", type=Path, help="write the samples to this file, too")
    options = parser.parse_args()
    console = Console(width=120)
    with a_folder() as folder, Clients(1) as clients, serving(folder, _RICH) as served:
        try:
            peak, samples = _soak(served, clients, console, options)
        except BenchError as error:
            console.print(f"[red]It did not last: {error}[/]")
            sys.exit(1)
    found = judge(samples)
    _show(console, peak, samples, found)
    if options.json is not None:
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode({"peak": peak, "samples": samples})))
    sys.exit(1 if found.problems else 0)


def _soak(
    served: Served, clients: Clients, console: Console, options: argparse.Namespace
) -> tuple[float, Sequence[Sample]]:
    dids = requests.agents(_AGENTS)
    with Bench(served, clients, patience_s=5) as bench:
        populate(bench, dids)
        figure, _ = bench.measure("job", jobs(dids, options.peak, "peak"), connections=16, warm_up=options.peak // 10)
        rate = figure.rate * options.share
        console.print(f"the peak is {figure.rate:.0f} jobs a second; from now on {rate:.0f}", highlight=False)
        return figure.rate, _samples(bench, dids, rate, console, seconds=60 * options.minutes)


def _samples(
    bench: Bench, dids: Sequence[AgentDid], rate: float, console: Console, *, seconds: float
) -> Sequence[Sample]:
    samples: list[Sample] = []
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    each = min(_SLICE_S, seconds / 3)
    with Progress(*columns, console=console, transient=True) as progress:
        shown = progress.add_task("soaking", total=seconds)
        while samples == [] or samples[-1].at_s < seconds:
            at = (samples[-1].at_s if samples else 0.0) + each
            works = jobs(dids, max(1, int(rate * each)), f"slice {at}")
            bench.clients.prepare(bench.served.port, works, connections=_CONNECTIONS, keep=False, rate=rate)
            latencies = sorted(1000 * latency for latency in bench.clients.go().latencies_s)
            broker, postgres = bench.served.memory()
            samples.append(
                Sample(
                    at, len(works), percentile(latencies, 0.5), percentile(latencies, 0.99), broker.rss, postgres.pss
                )
            )
            progress.update(
                shown, completed=at, description=f"p50 {samples[-1].p50:.1f} ms, {broker.rss:.0f} MB of broker"
            )
    return samples


def judge(samples: Sequence[Sample]) -> Found:
    """What has crept, once the broker has settled."""
    settled = samples[int(len(samples) * _SETTLES) :]
    if len(settled) < 2:  # noqa: PLR2004 - a slope needs two points
        raise BenchError("too short: nothing can be said of so few samples")
    hours = [sample.at_s / 3600 for sample in settled]
    memory, held = _slope(hours, [sample.broker_mb for sample in settled])
    latency, usual = _slope(hours, [sample.p50 for sample in settled])
    lasted = hours[-1] - hours[0]
    problems = []
    if memory * lasted > max(_MEMORY_MB, _MEMORY_PART * held):
        problems.append(f"the broker grew by {memory * lasted:.1f} MB while it held {held:.0f}")
    if latency * lasted > max(_LATENCY_MS, _LATENCY_PART * usual):
        problems.append(f"a job took {latency * lasted:.1f} ms longer in the end, of {usual:.1f}")
    return Found(sum(s.jobs for s in samples), settled[-1].broker_mb, memory, latency, problems)


def _slope(hours: Sequence[float], values: Sequence[float]) -> tuple[float, float]:
    """What *values* rise by in an hour, and their median."""
    return linear_regression(hours, values).slope, median(values)


def jobs(dids: Sequence[AgentDid], count: int, seed: str) -> Sequence[Job]:
    """Whole jobs of random pairs."""
    return [Job(requests.flow(client, worker), 3, _after) for client, worker in requests.pairs(dids, count, seed)]


def _after(settlement: bytes, verdicts: int) -> Sequence[bytes]:
    """What follows a settlement."""
    settled = msgspec.json.decode(settlement, type=Settled)
    said = [requests.attest(settled.task_id, did, "AUDIT_PASS") for did in settled.receipt.committee[:verdicts]]
    return [*(each.request for each in said), requests.receipt(settled.task_id).request]


def _show(console: Console, peak: float, samples: Sequence[Sample], found: Found) -> None:
    p99 = median(sample.p99 for sample in samples)
    console.print(
        f"{found.jobs:,} jobs in {samples[-1].at_s / 60:.0f} minutes at {found.jobs / samples[-1].at_s:.0f} a second"
        f" (peak {peak:.0f}), none refused\n"
        f"latency of a job: median {median(s.p50 for s in samples):.1f} ms, p99 {p99:.1f} ms,"
        f" slope {found.latency_slope:+.1f} ms an hour\n"
        f"memory of the broker: {found.memory_mb:.0f} MB at the end, slope {found.memory_slope:+.1f} MB an hour;"
        f" PostgreSQL {samples[-1].postgres_mb:.0f} MB",
        highlight=False,
    )
    for problem in found.problems:
        console.print(f"[red]{problem}[/]", highlight=False)


if __name__ == "__main__":
    main()
