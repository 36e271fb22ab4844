"""
The finalizer's job, run once over many receipts in a process of its own.

`finalize` decides receipts that have a quorum; `judge` closes them when their windows are over.
"""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import uvloop

from ainp.broker import make_broker
from ainp.settings import load_settings
from ainp.store.db import Database
from ainp.telemetry import configure_logging
from ainp.worker import finalizer
from bench import load
from bench.client import BenchError
from bench.measure import Bench, Figure
from bench.processes import machine

_LEFT = {
    "finalize": "SELECT count(*) FROM task_receipts WHERE decidable",
    "judge": "SELECT count(*) FROM task_receipts WHERE judged_at IS NULL AND status = 'finalized'",
}


class _Ran(msgspec.Struct):
    seconds: float
    cpu_s: float
    busy_s: float  # of all cores meanwhile


def measure(bench: Bench, dids: Sequence[str], count: int) -> Iterator[Figure]:
    """Load receipts with a quorum, and let the job decide and judge them."""
    asyncio.run(load.load(bench.served.dsn, dids, load.of_now(count)))
    for name in ("finalize", "judge"):
        if name == "judge":
            asyncio.run(load.end_windows(bench.served.dsn))
        bench.calm()
        due = bench.ask(_LEFT[name])
        before = bench.served.cost()
        done = subprocess.run(
            [sys.executable, "-m", "bench.finalize", bench.served.dsn],
            cwd=Path(__file__).parent.parent,
            check=True,
            capture_output=True,
        )
        ran, after = msgspec.json.decode(done.stdout, type=_Ran), bench.served.cost()
        if bench.ask(_LEFT[name]):
            raise BenchError(f"{name}: {bench.ask(_LEFT[name])} of {due} are left")
        postgres_s = after.postgres_s - before.postgres_s
        yield Figure(
            name=name,
            count=due,
            connections=1,
            seconds=ran.seconds,
            p50=1000 * ran.seconds,
            p95=1000 * ran.seconds,
            p99=1000 * ran.seconds,
            broker=1000 * ran.cpu_s / due,
            postgres=1000 * postgres_s / due,
            client=0.0,
            others=max(0.0, ran.busy_s - ran.cpu_s - postgres_s) / ran.seconds,
        )


async def _run(dsn: str) -> _Ran:
    database = Database(dsn, size=2)
    await database.open()
    try:
        broker = make_broker(load_settings(_env_file=None), database)
        began, cpu, busy = time.monotonic(), time.process_time(), machine().busy_s
        await finalizer.run(broker)
        return _Ran(time.monotonic() - began, time.process_time() - cpu, machine().busy_s - busy)
    finally:
        await database.close()


def main() -> None:
    """Run the job on the database that is given; the log goes where a file would be."""
    with Path("/dev/null").open("w") as log:
        configure_logging("INFO", stream=log)
        ran = uvloop.run(_run(sys.argv[1]))
    sys.stdout.buffer.write(msgspec.json.encode(ran))


if __name__ == "__main__":
    main()
