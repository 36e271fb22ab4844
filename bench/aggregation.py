"""
`python -m bench.aggregation`: what adding up proofs of usefulness and paying an hour take.

On a durable PostgreSQL of its own, with the statements and the session settings of the broker. The tables grow after
the first aggregation, as they do for a broker that was started while they were empty.
"""

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ainp.operations import rewards, usefulness
from ainp.operations.rewards import RewardPolicy
from ainp.store import migrate
from ainp.store.db import Database
from ainp.store.embedded import EmbeddedPostgres
from ainp.store.postgres_home import cluster_of
from ainp.store.postgres_processes import lines_of
from bench import load, processes
from bench.broker import a_folder

_SQL = load.statements("useful")


@dataclass(frozen=True, slots=True)
class Run:
    """What is measured on, and how PostgreSQL's CPU is known."""

    database: Database
    postmaster: int

    async def timed(self, what: str, work: Callable[[], Awaitable[object]]) -> None:
        """Do something and say how long it took, and what of that was PostgreSQL's CPU."""
        before, began = self._cpu_s(), time.monotonic()
        done = await work()
        took, cpu = time.monotonic() - began, self._cpu_s() - before
        print(f"{what}: {took:.3f} s, {cpu:.3f} s of PostgreSQL's CPU, {done}")  # noqa: T201 - what it is for

    def _cpu_s(self) -> float:
        return processes.cpu_s(processes.tree(self.postmaster))


async def _measure(run: Run, agents: int, proofs: int) -> None:
    database = run.database
    await run.timed("nothing to add up", lambda: usefulness.aggregate(database))
    hour = rewards.hour_before(await database.clock())
    await database.execute(_SQL["agents"], agents)
    await database.execute(_SQL["receipts"], agents, hour)
    await database.execute(_SQL["proofs"], agents, proofs)
    for number in range(1, 4):
        await run.timed(f"{proofs} proofs of {agents} agents, {number}", lambda: usefulness.aggregate(database))

    async def preview() -> str:
        return f"{(await rewards.preview(database, hour, RewardPolicy())).recipients} to be rewarded"

    async def pay() -> str:
        return f"{(await rewards.pay(database, hour, RewardPolicy())).recipients} rewarded"

    await run.timed("preview of an hour", preview)
    await run.timed("an hour", pay)


async def _run(postgres: EmbeddedPostgres, postmaster: int, agents: int, proofs: int) -> None:
    database = Database(postgres.dsn, size=2)
    await database.open()
    try:
        async with database.connection() as place:
            await migrate.up(place.connection)
        await _measure(Run(database, postmaster), agents, proofs)
    finally:
        await database.close()


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="bench.aggregation", description=__doc__.strip().splitlines()[0])
    parser.add_argument("--agents", type=int, default=10_000)
    parser.add_argument("--proofs", type=int, default=100_000)
    options = parser.parse_args()
    with a_folder() as folder, EmbeddedPostgres(folder / "data") as postgres:
        postmaster = int(lines_of(cluster_of(folder / "data") / "postmaster.pid")[0])
        asyncio.run(_run(postgres, postmaster, options.agents, options.proofs))


if __name__ == "__main__":
    main()
