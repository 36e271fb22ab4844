"""
One measurement: works, run to the end, and the CPU that they cost.

The clock stops with the last answer. The CPU is read later, when broker and database are calm again, so that what an
operation leaves to be done in the background (publishing, rolling balances up) is part of its cost.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import asyncpg

from bench import processes
from bench.broker import Served
from bench.client import BenchError, Clients, Work

_CALM_CORES = 0.04
_CALM_WINDOW_S = 0.25
_PENDING = "SELECT EXISTS (SELECT FROM ledger_pending)"


@dataclass(frozen=True, slots=True)
class Figure:
    """What was measured; latencies and CPU in milliseconds, CPU per operation."""

    name: str
    count: int
    connections: int
    seconds: float
    p50: float
    p95: float
    p99: float
    broker: float
    postgres: float
    client: float
    others: float  # cores that were busy with something else

    @property
    def rate(self) -> float:
        """Operations a second."""
        return self.count / self.seconds

    @property
    def cpu(self) -> float:
        """Of broker and PostgreSQL together."""
        return self.broker + self.postgres


class Bench:
    """The broker that is measured, and who asks it."""

    def __init__(self, served: Served, clients: Clients, *, patience_s: float, jobs: bool = True) -> None:
        self.served = served
        self.clients = clients
        self._patience_s = patience_s  # for background work to end
        self._pending = _PENDING if jobs else "SELECT false"
        self._loop = asyncio.Runner()
        self._connection: Any = None

    def __enter__(self) -> Self:
        self._connection = self._loop.run(asyncpg.connect(self.served.dsn))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.run(self._connection.close())
        self._loop.close()

    def ask(self, sql: str, *arguments: object) -> Any:  # noqa: ANN401 - a column's value
        """The first column of the first row."""
        return self._loop.run(self._connection.fetchval(sql, *arguments))

    def rows(self, sql: str, *arguments: object) -> Sequence[Any]:
        """All rows."""
        return list(self._loop.run(self._connection.fetch(sql, *arguments)))

    def do(self, sql: str) -> None:
        """Run something."""
        self._loop.run(self._connection.execute(sql))

    def run(self, works: Sequence[Work], *, connections: int = 16, keep: bool = False) -> Sequence[bytes]:
        """Do something that is not measured; its answers, if they are to be kept."""
        self.clients.prepare(self.served.port, works, connections=connections, keep=keep)
        return self.clients.go().answers

    def measure(
        self, name: str, works: Sequence[Work], *, connections: int, warm_up: int, keep: bool = False
    ) -> tuple[Figure, Sequence[bytes]]:
        """Run *works*, the first *warm_up* of them before the clock starts."""
        first = self.run(works[:warm_up], connections=connections, keep=keep)
        self.calm()
        measured = works[warm_up:]
        self.clients.prepare(self.served.port, measured, connections=connections, keep=keep)
        machine, before = processes.machine(), self.served.cost()
        outcome = self.clients.go()
        busy = processes.machine().busy_s - machine.busy_s
        at_end = self.served.cost()
        self.calm()
        after = self.served.cost()
        count, seconds = len(measured), outcome.ended - outcome.began
        ours = outcome.cpu_s + at_end.broker_s + at_end.postgres_s - before.broker_s - before.postgres_s
        latencies = sorted(outcome.latencies_s)
        figure = Figure(
            name=name,
            count=count,
            connections=connections,
            seconds=seconds,
            p50=1000 * percentile(latencies, 0.50),
            p95=1000 * percentile(latencies, 0.95),
            p99=1000 * percentile(latencies, 0.99),
            broker=1000 * (after.broker_s - before.broker_s) / count,
            postgres=1000 * (after.postgres_s - before.postgres_s) / count,
            client=1000 * outcome.cpu_s / count,
            others=max(0.0, (busy - ours) / seconds),
        )
        return figure, [*first, *outcome.answers]

    def idle(self, seconds: float) -> float:
        """What broker and database cost while nobody asks for anything: milliseconds of CPU in a second."""
        before = self.served.cost()
        time.sleep(seconds)
        after = self.served.cost()
        return 1000 * (after.broker_s + after.postgres_s - before.broker_s - before.postgres_s) / seconds

    def calm(self) -> None:
        """Wait until broker and database have nothing left to do."""
        deadline = time.monotonic() + self._patience_s
        while self.ask(self._pending) and time.monotonic() < deadline:
            time.sleep(_CALM_WINDOW_S)
        while time.monotonic() < deadline:
            before = self.served.cost()
            time.sleep(_CALM_WINDOW_S)
            after = self.served.cost()
            spent = after.broker_s + after.postgres_s - before.broker_s - before.postgres_s
            if spent < _CALM_CORES * _CALM_WINDOW_S:
                return


def percentile(ordered: Sequence[float], part: float) -> float:
    """The value that *part* of them do not exceed."""
    if not ordered:
        raise BenchError("nothing was measured")
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]
