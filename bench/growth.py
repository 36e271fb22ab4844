"""`python -m bench.growth`: does a request get dearer as the tables grow?"""

import argparse
import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
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
_SETTINGS = {"JOBS_ENABLED": "false", "ADMIN_TOKEN": ADMIN_TOKEN}


@dataclass(frozen=True)
class Cost:
    """CPU of broker and database for one request in each turn, in milliseconds, with little and with much stored."""

    limit: float
    little: Sequence[float]
    much: Sequence[float]

    @property
    def before(self) -> float:
        """With little."""
        return median(self.little)

    @property
    def after(self) -> float:
        """With much."""
        return median(self.much)

    @property
    def ratios(self) -> Sequence[float]:
        """How much dearer it was in each turn."""
        return [after / before for before, after in zip(self.little, self.much, strict=True)]

    @property
    def ratio(self) -> float:
        """How much dearer it got, in the median of the turns: what else the machine does meets both sides of one."""
        return median(self.ratios)


@dataclass
class Growth:
    """What was found so far."""

    console: Console
    clients: Clients
    reads: int
    writes: int
    turns: int
    costs: dict[str, Cost] = field(default_factory=dict)
    plans: dict[str, Sequence[Plan]] = field(default_factory=dict)
    facts: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def bench(self) -> Iterator[Bench]:
        """A fresh broker whose jobs are left out: they cost by time, not by request."""
        with (
            a_folder() as folder,
            serving(folder, _SETTINGS) as served,
            Bench(served, self.clients, patience_s=5 if self.turns > 1 else 1, jobs=False) as bench,
        ):
            yield bench

    def agents(self, few: int, many: int) -> None:
        """Settle where few agents are registered, and where many are."""
        with self.bench() as small, self.bench() as large:
            dids = requests.agents(few)
            for bench in (small, large):
                populate(bench, dids)
            asyncio.run(load.add_agents(large.served.dsn, requests.agents(many - few, "more")))
            began = time.monotonic()
            asyncio.run(publish_epoch(large.served.dsn))
            self.facts[f"new committee epoch of {many:,} agents, s"] = time.monotonic() - began
            name, count = f"settle, {few:,} → {many:,} agents", 4 * self.writes
            settles = [Asked(name, self._agreed(bench, dids, count)) for bench in (small, large)]
            self._compare((small, large), settles, limit=SETTLE_LIMIT, turns=4 * self.turns)
            low, _, high = quantiles(self.costs[name].ratios, n=4)
            self.facts |= {"settle: half of the turns from": low, "settle: half of the turns to": high}

    def receipts(self, few: int, many: int) -> None:
        """Every route where there are few receipts, and where there are many."""
        with self.bench() as small, self.bench() as large:
            dids = requests.agents(1000)
            for bench, count in ((small, few), (large, many)):
                populate(bench, dids)
                began = time.monotonic()
                asyncio.run(load.load(bench.served.dsn, dids, load.of_the_past(0, count, all_=count)))
                self.facts[f"loading {count:,} receipts, s"] = time.monotonic() - began
            self.facts["database, MB"] = large.ask("SELECT pg_database_size(current_database())") / 1e6
            both = [Routes(bench, dids, reads=self.reads, writes=self.writes) for bench in (small, large)]
            for asked in zip(*(routes.reads() for routes in both), strict=True):
                self._compare((small, large), asked)
            for asked in zip(*(routes.writes() for routes in both), strict=True):
                for routes, answers in zip(both, self._compare((small, large), asked), strict=True):
                    routes.answered(answers)

    def _agreed(self, bench: Bench, dids: Sequence[AgentDid], count: int) -> Sequence[Single]:
        """Settlements that are only to be sent."""
        pairs = requests.pairs(dids, count, "growth")
        opened = bench.run([requests.initiate(*pair) for pair in pairs], keep=True)
        ids = [msgspec.json.decode(answer, type=Named).id for answer in opened]
        bench.run([requests.propose(id_, worker) for id_, (_, worker) in zip(ids, pairs, strict=True)])
        bench.run([requests.accept(id_, client) for id_, (client, _) in zip(ids, pairs, strict=True)])
        return [requests.settle(id_, client) for id_, (client, _) in zip(ids, pairs, strict=True)]

    def _compare(
        self, benches: tuple[Bench, Bench], asked: Sequence[Asked], *, limit: float = ROUTE_LIMIT, turns: int = 0
    ) -> Sequence[Sequence[bytes]]:
        """
        Ask the small and the large broker the same, some of it by turns; what they answered.

        A quarter warms up; the first one, which comes after that, shows the plans of the large broker.
        """
        name, turns = asked[0].name, turns or self.turns
        keep = name.startswith("POST")
        costs: list[list[float]] = [[], []]
        warm = 1 + len(asked[0].works) // 4
        answers = [
            [*bench.run(one.works[1:warm], connections=_CONNECTIONS, keep=keep)]
            for bench, one in zip(benches, asked, strict=True)
        ]
        self.plans[name], first = plans.of(benches[1], asked[1].works[0])
        answers[0].insert(0, benches[0].run(asked[0].works[:1], keep=True)[0])
        answers[1].insert(0, first)
        size = -(-(len(asked[0].works) - warm) // turns)
        for turn, began in enumerate(range(warm, len(asked[0].works), size)):
            for place in (0, 1) if turn % 2 else (1, 0):
                works = asked[place].works[began : began + size]
                figure, came = benches[place].measure(name, works, connections=_CONNECTIONS, warm_up=0, keep=keep)
                answers[place] += came
                costs[place].append(figure.cpu)
        self.costs[name] = cost = Cost(limit, *costs)
        self.console.print(f"{name}: {cost.before:.3f} → {cost.after:.3f} ms, {cost.ratio:.2f}", highlight=False)
        return answers


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
        quick = options.quick
        growth = Growth(console, clients, 80 if quick else 600, 16 if quick else 400, turns=1 if quick else 5)
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
