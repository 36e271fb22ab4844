"""
`python -m bench.starting`: how long a broker takes to start, and what its processes hold while nobody asks anything.

Each number of agents has a data folder of its own. They are started on by turns, so that whatever else the machine does
falls on all of them.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import msgspec
from rich.console import Console
from rich.table import Table

from bench import load, processes, requests
from bench.broker import a_folder, serving
from bench.client import BenchError

FIRST_S, AGAIN_S, IDLE_MB = 8.0, 3.0, 120.0
_PATIENCE_S = 60.0
_APART = {"JOBS_ENABLED": "false"}


@dataclass(frozen=True, slots=True)
class Start:
    """Seconds until /health was 200, and the CPU seconds of broker and PostgreSQL until then."""

    took_s: float
    cpu_s: float


@dataclass(frozen=True, slots=True)
class Held:
    """The RSS of the largest process, idle, in megabytes."""

    alone: float  # `ainp serve` that does everything
    serve: float  # `ainp serve` with JOBS_ENABLED=false
    work: float  # `ainp work` beside it


@dataclass
class Folder:
    """A data folder with so many agents, and what was found on it."""

    place: Path
    agents: int
    starts: list[Start] = field(default_factory=list)
    held: Held | None = None

    def start(self) -> None:
        """Start on it once."""
        with serving(self.place, {}) as served:
            cost = served.cost()
            self.starts.append(Start(served.started_s, cost.broker_s + cost.postgres_s))

    def fill(self) -> None:
        """Add the agents; before that it was empty."""
        self.start()
        with serving(self.place, _APART) as served:
            asyncio.run(load.add_agents(served.dsn, requests.agents(self.agents)))

    def idle(self, seconds: float) -> None:
        """See what is held when nobody asks, after so many seconds."""
        with serving(self.place, {}) as served:
            time.sleep(seconds)
            alone = _largest_mb(served.process.pid, without=served.postmaster)
        with serving(self.place, _APART) as served, _working(self.place) as worker:
            time.sleep(seconds)
            serve, work = _largest_mb(served.process.pid, without=served.postmaster), _largest_mb(worker.pid)
        self.held = Held(alone, serve, work)


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="bench.starting", description="Measure starts and idle memory.")
    parser.add_argument("--agents", default="100,100000", help="of each data folder; 100,100000")
    parser.add_argument("--times", type=int, default=5, help="starts with each number of agents; 5")
    parser.add_argument("--idle", type=float, default=65.0, help="seconds before memory is read; 65: every job has run")
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    options = parser.parse_args()
    busy = processes.busy_cores(0.2)
    with ExitStack() as stack:
        folders = [Folder(stack.enter_context(a_folder()), int(each)) for each in options.agents.split(",")]
        for folder in folders:
            folder.fill()
        for _ in range(options.times):
            for folder in folders:
                folder.start()
        for folder in folders:
            folder.idle(options.idle)
    _show(folders, busy)
    if options.json is not None:
        found = [{"agents": each.agents, "starts": each.starts, "held": each.held} for each in folders]
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode({"found": found, "busy": busy})))


def _largest_mb(root: int, *, without: int | None = None) -> float:
    """The largest process of a tree: what is promised is promised of each."""
    return max(processes.memory([pid]).rss for pid in processes.tree(root, without=without))


@contextmanager
def _working(folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """`ainp work` for the broker in *folder*, once it says that it has started."""
    log = folder / "worker.log"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "AINP_DATA_DIR": str(folder / "data"),
    }
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "ainp", "work"], cwd=folder, env=environment, stdout=out, stderr=subprocess.STDOUT
        )
    try:
        deadline = time.monotonic() + _PATIENCE_S
        while b"AINP Worker started" not in log.read_bytes():
            if process.poll() is not None or time.monotonic() > deadline:
                raise BenchError(f"the worker does not start: {log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.05)
        yield process
    finally:
        process.terminate()
        process.wait(_PATIENCE_S)


def _show(folders: Sequence[Folder], busy: float) -> None:
    console = Console(width=150)
    console.print(f"others: {busy:.1f} cores busy when it began", highlight=False)
    table = Table(
        "agents", "first s", "starts", "median s", "worst s", "median CPU s", "alone MB", "serve MB", "work MB"
    )
    for each in folders:
        first, *again = each.starts
        took, held = [one.took_s for one in again], each.held or Held(0, 0, 0)
        times = (first.took_s, median(took), max(took), median(one.cpu_s for one in again))
        shown = [f"{one:.2f}" for one in times]
        memory = (f"{one:.0f}" for one in (held.alone, held.serve, held.work))
        table.add_row(f"{each.agents:,}", shown[0], str(len(again)), *shown[1:], *memory)
    console.print(table)
    console.print(f"targets: {FIRST_S:.0f} s, then {AGAIN_S:.0f} s; {IDLE_MB:.0f} MB of each process", highlight=False)


if __name__ == "__main__":
    main()
