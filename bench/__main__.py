"""`python -m bench`: measure the broker on this machine."""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from rich.console import Console

from ainp.settings import Settings
from bench import finalize, intents, limits, processes, report, requests, signed
from bench.broker import Served, a_folder, serving
from bench.client import Clients
from bench.measure import Bench, Figure
from bench.operations import FULL, OPERATIONS, QUICK, Sizes, Suite
from bench.populate import populate

NAMES = ("limits", *OPERATIONS, *signed.NAMES, *intents.NAMES, "finalizer")
_SHOWN = ("server_version", "fsync", "synchronous_commit", "full_page_writes", "wal_level", "shared_buffers")
_OURS = ("workers", "pool_size", "log_level", "pou_k", "pou_m")
_BUSY = 0.1  # cores


def main() -> None:
    """Run what the command line asks for."""
    options = _options()
    console = Console(width=170)
    wanted = set(options.only.split(",")) if options.only else set(NAMES)
    if wanted - set(NAMES):
        raise SystemExit(f"unknown: {', '.join(sorted(wanted - set(NAMES)))}; there are {', '.join(NAMES)}")
    given = dict(each.split("=", 1) for each in options.set)
    busy = processes.busy_cores(0.2 if options.quick else 2)
    if busy > _BUSY:
        console.print(f"[red]{busy:.1f} cores are busy with something else: the figures will be worse than they are[/]")
    with a_folder() as folder, Clients(options.clients) as clients:
        sizes, connections = QUICK if options.quick else FULL, tuple(map(int, options.connections.split(",")))
        run = Run(folder, clients, sizes, wanted, connections, console)
        with serving(folder, given) as served:
            run.facts["first start, s"] = served.started_s
        with serving(folder, given, profile=options.profile) as served:
            run.facts["start, s"] = served.started_s
            run.measure(served)
        _measure_more(run, given)
    ours = {
        name.upper(): str(Settings.model_fields[name].default) for name in _OURS
    }  # the broker's environment is bare
    head = report.header({**run.settings, **ours, **given}, busy)
    report.show(console, head, run.figures, run.facts)
    if options.json is not None:
        found = report.as_json(head, run.figures, run.facts)
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode(found)))


def _measure_more(run: "Run", given: Mapping[str, str]) -> None:
    """What needs brokers with settings of their own."""
    if run.wanted & set(signed.NAMES):
        with (
            a_folder() as another,
            serving(run.folder, {**given, **signed.BELIEVING}) as believing,
            serving(another, {**given, **signed.STRICT}) as strict,
        ):
            run.sign(believing, strict)
    if run.wanted & set(intents.NAMES):
        with (
            a_folder() as another,
            serving(run.folder, {**given, **signed.BELIEVING}) as served,
            serving(another, {**given, **signed.BELIEVING, "DATABASE_URL": served.dsn}) as beside,
        ):
            run.write(served, beside)
    if "finalizer" in run.wanted:
        with serving(run.folder, {**given, "POU_FINALIZER_ENABLED": "false"}) as served:
            run.finalize(served)


@dataclass
class Run:
    """What one run has found so far."""

    folder: Path
    clients: Clients
    sizes: Sizes
    wanted: set[str]
    connections: tuple[int, ...]
    console: Console
    figures: list[Figure] = field(default_factory=list)
    facts: dict[str, float] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)

    def measure(self, served: Served) -> None:
        """The machine's limits, then every operation."""
        with Bench(served, self.clients, patience_s=self.sizes.patience_s) as bench:
            bench.calm()
            self._remember(served, "idle")
            self.facts["CPU idle, ms of broker and PostgreSQL in a second"] = bench.idle(self.sizes.idle_s)
            self.settings |= {name: str(bench.ask("SELECT current_setting($1)", name)) for name in _SHOWN}
            if "limits" in self.wanted:
                self._say(limits.empty_request(bench, self.folder, self.sizes.reads))
                self._say(limits.single_row_commits(bench, self.folder, self.sizes.commits))
            populate(bench, requests.agents(self.sizes.agents))
            Suite(bench, self.sizes, self.wanted, self.connections, self._say).run()
            self._remember(served, "after the run")

    def sign(self, believing: Served, strict: Served) -> None:
        """What signatures cost, on a broker that believes nothing else."""
        patience = self.sizes.patience_s
        with (
            Bench(believing, self.clients, patience_s=patience) as one,
            Bench(strict, self.clients, patience_s=patience) as other,
        ):
            signing = signed.Signing(one, other, self.sizes)
            for figure in signing.measure():
                self._say(figure)
            self.facts |= signing.facts

    def write(self, served: Served, beside: Served) -> None:
        """Messages between agents, of two brokers with one database."""
        with Bench(served, self.clients, patience_s=self.sizes.patience_s) as bench:
            writing = intents.Intents(bench, beside, self.sizes)
            if intents.NAMES[0] in self.wanted:
                self._say(writing.taken_in())
            if intents.NAMES[1] in self.wanted:
                self._say(writing.delivered())

    def finalize(self, served: Served) -> None:
        """The finalizer's job, on a broker that leaves it to others."""
        with Bench(served, self.clients, patience_s=self.sizes.patience_s) as bench:
            for figure in finalize.measure(bench, requests.agents(self.sizes.agents), self.sizes.finalized):
                self._say(figure)

    def _say(self, figure: Figure) -> None:
        self.figures.append(figure)
        said = f"{figure.name} at {figure.connections}: {figure.rate:,.0f}/s, {figure.cpu:.3f} ms of CPU"
        self.console.print(said, highlight=False)

    def _remember(self, served: Served, when: str) -> None:
        broker, postgres = served.memory()
        self.facts[f"broker's memory {when}, MB RSS"] = broker.rss
        self.facts[f"broker's memory {when}, MB PSS"] = broker.pss
        self.facts[f"PostgreSQL's memory {when}, MB PSS"] = postgres.pss


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description="Measure the broker on this machine.")
    parser.add_argument("--only", default="", help=f"what to measure, comma separated: {', '.join(NAMES)}")
    parser.add_argument("--quick", action="store_true", help="a smoke test: the figures mean nothing")
    parser.add_argument("--connections", default="16,64", help="of the clients together; 64: a flow's steps only")
    parser.add_argument("--clients", type=int, default=1, help="client processes")
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of the broker")
    parser.add_argument("--profile", type=Path, help="run the broker under cProfile, write the profile here")
    return parser.parse_args()


if __name__ == "__main__":
    main()
