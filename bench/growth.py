"""`python -m bench.growth`: does a request get dearer as the tables grow?"""

import argparse
import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import InitVar, dataclass, field
from pathlib import Path
from statistics import median, quantiles

import msgspec
from rich.console import Console
from rich.table import Table

from ainp.core.did import AgentDid
from bench import load, plans, processes, report, requests
from bench.broker import a_folder, serving
from bench.client import Clients, Single
from bench.measure import Bench
from bench.operations import Named
from bench.plans import Plan
from bench.populate import populate, publish_epoch
from bench.routes import ADMIN_TOKEN, Asked, Routes

SETTLE_LIMIT = 1.3
ROUTE_LIMIT = 1.5
_CONNECTIONS = 8
_TURNS = 21
_SETTINGS = {"JOBS_ENABLED": "false", "ADMIN_TOKEN": ADMIN_TOKEN}


@dataclass
class Cost:
    """CPU of broker and database for one request, in milliseconds, with little and with much in the tables."""

    limit: float
    before: float = 0.0
    after: float = 0.0
    turns: InitVar[Sequence[tuple[float, float]]] = ()
    ratios: Sequence[float] = field(init=False)

    def __post_init__(self, turns: Sequence[tuple[float, float]]) -> None:
        self.ratios = [after / before for before, after in turns]
        if turns:
            self.before, self.after = (median(cost) for cost in zip(*turns, strict=True))

    @property
    def ratio(self) -> float:
        """How much dearer it got: where it was measured by turns, in the median of the turns."""
        return median(self.ratios) if self.ratios else self.after / self.before


@dataclass
class Growth:
    """What was found so far."""

    console: Console
    clients: Clients
    reads: int
    writes: int
    costs: dict[str, Cost] = field(default_factory=dict)
    plans: dict[str, Sequence[Plan]] = field(default_factory=dict)
    facts: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def bench(self) -> Iterator[Bench]:
        """A fresh broker whose jobs are left out: they cost by time, not by request."""
        with (
            a_folder() as folder,
            serving(folder, _SETTINGS) as served,
            Bench(served, self.clients, patience_s=5, jobs=False) as bench,
        ):
            yield bench

    def agents(self, few: int, many: int) -> None:
        """Settle where few agents are registered and where many are, by turns: what else goes on meets both."""
        with self.bench() as small, self.bench() as large:
            dids = requests.agents(few)
            for bench in (small, large):
                populate(bench, dids)
            asyncio.run(load.add_agents(large.served.dsn, requests.agents(many - few, "more")))
            began = time.monotonic()
            asyncio.run(publish_epoch(large.served.dsn))
            self.facts[f"new committee epoch of {many:,} agents, s"] = time.monotonic() - began
            agreed = {bench: self._agreed(bench, dids) for bench in (small, large)}
            turns: list[tuple[float, float]] = []
            for turn in range(_TURNS):
                found = {}
                for bench in (small, large) if turn % 2 else (large, small):
                    works = agreed[bench][turn:-1:_TURNS]
                    found[bench] = bench.measure("settle", works, connections=_CONNECTIONS, warm_up=0)[0].cpu
                turns.append((found[small], found[large]))
            name = f"settle, {few:,} → {many:,} agents"
            cost = self.costs[name] = Cost(SETTLE_LIMIT, turns=turns[1:])  # the first warms up
            low, _, high = quantiles(cost.ratios, n=4)
            self.facts |= {"settle: half of the turns from": low, "settle: half of the turns to": high}
            self.plans[name], _ = plans.of(large, agreed[large][-1])

    def receipts(self, few: int, many: int) -> None:
        """Every route with few receipts and with many."""
        with self.bench() as bench:
            dids = requests.agents(1000)
            populate(bench, dids)
            dsn = bench.served.dsn
            asyncio.run(load.load(dsn, dids, load.of_the_past(0, few, all_=many)))
            self._routes(bench, dids, "few", lambda name, cpu: self.costs.setdefault(name, Cost(ROUTE_LIMIT, cpu)))
            began = time.monotonic()
            asyncio.run(load.load(dsn, dids, load.of_the_past(few, many, all_=many)))
            self.facts[f"loading {many:,} receipts, s"] = time.monotonic() - began
            self.facts["database, MB"] = bench.ask("SELECT pg_database_size(current_database())") / 1e6
            self._routes(bench, dids, "many", lambda name, cpu: setattr(self.costs[name], "after", cpu))

    def _agreed(self, bench: Bench, dids: Sequence[AgentDid]) -> Sequence[Single]:
        """Settlements that are only to be sent."""
        pairs = requests.pairs(dids, 4 * self.writes, "growth")
        opened = bench.run([requests.initiate(*pair) for pair in pairs], keep=True)
        ids = [msgspec.json.decode(answer, type=Named).id for answer in opened]
        bench.run([requests.propose(id_, worker) for id_, (_, worker) in zip(ids, pairs, strict=True)])
        bench.run([requests.accept(id_, client) for id_, (client, _) in zip(ids, pairs, strict=True)])
        return [requests.settle(id_, client) for id_, (client, _) in zip(ids, pairs, strict=True)]

    def _routes(self, bench: Bench, dids: Sequence[AgentDid], when: str, said: Callable[[str, float], object]) -> None:
        routes = Routes(bench, dids, reads=self.reads, writes=self.writes, name=when)
        for asked in routes.reads():
            said(asked.name, self._cost(bench, asked)[0])
            if when == "many":
                self.plans[asked.name], _ = plans.of(bench, asked.works[0])
        for asked in routes.writes():
            explained = when == "many"
            measured = Asked(asked.name, asked.works[1:] if explained else asked.works)
            cpu, answers = self._cost(bench, measured)
            said(asked.name, cpu)
            if explained:
                self.plans[asked.name], first = plans.of(bench, asked.works[0])
                answers = [first, *answers]
            routes.answered(answers)

    def _cost(self, bench: Bench, asked: Asked) -> tuple[float, Sequence[bytes]]:
        keep = asked.name.startswith("POST")
        warm_up = len(asked.works) // 4
        figure, answers = bench.measure(asked.name, asked.works, connections=_CONNECTIONS, warm_up=warm_up, keep=keep)
        self.console.print(f"{asked.name}: {figure.cpu:.3f} ms", highlight=False)
        return figure.cpu, answers


def show(console: Console, growth: Growth) -> None:
    """Print every cost before and after, then the plans."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("CPU ms of broker and PostgreSQL", "before", "after", "ratio", "limit"):
        table.add_column(name, justify="left" if name.startswith("CPU") else "right")
    for name, cost in growth.costs.items():
        colour = "green" if cost.ratio < cost.limit else "red"
        ratio = f"[{colour}]{cost.ratio:.2f}[/]"
        table.add_row(name, f"{cost.before:.3f}", f"{cost.after:.3f}", ratio, f"{cost.limit:g}")
    console.print(table)
    shown: set[str] = set()
    for name, found in growth.plans.items():
        for plan in found:
            if plan.statement in shown and not plan.bad:
                continue
            shown.add(plan.statement)
            flag = "[red]![/] " if plan.bad else "  "
            took = f"{plan.milliseconds:.2f} ms, {plan.buffers} buffers, {plan.rows:.0f} rows"
            console.print(f"{flag}[bold]{name}[/] {took}: {plan.statement}", highlight=False, overflow="ellipsis")
            for scan in dict.fromkeys(plan.scans):
                console.print(f"      {scan}", highlight=False)
    for fact, value in growth.facts.items():
        console.print(f"{fact}: {value:.2f}", highlight=False)


def as_json(growth: Growth, head: Mapping[str, str]) -> Mapping[str, object]:
    """The same for programs."""
    costs = [
        {"name": name, "before": c.before, "after": c.after, "ratio": c.ratio, "limit": c.limit}
        for name, c in growth.costs.items()
    ]
    return {"header": head, "costs": costs, "plans": msgspec.to_builtins(growth.plans), "facts": growth.facts}


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="bench.growth", description="Does a request get dearer as tables grow?")
    parser.add_argument("--receipts", type=int, default=1_000_000, help="how many there are in the end")
    parser.add_argument("--agents", type=int, default=100_000, help="how many there are in the end; 0 leaves them out")
    parser.add_argument("--quick", action="store_true", help="few requests: the figures mean little")
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    options = parser.parse_args()
    console = Console(width=150)
    busy = processes.busy_cores(0.2 if options.quick else 2)
    with Clients(1) as clients:
        growth = Growth(console, clients, reads=80 if options.quick else 600, writes=16 if options.quick else 400)
        if options.agents:
            growth.agents(100, options.agents)
        if options.receipts:
            growth.receipts(1000, options.receipts)
    head = report.header(_SETTINGS, busy)
    for name, value in head.items():
        console.print(f"{name:>12}: {value}", highlight=False)
    show(console, growth)
    if options.json is not None:
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode(as_json(growth, head))))


if __name__ == "__main__":
    main()
