"""How the demo looks: on a terminal with colours and a spinner, in a pipe as plain lines."""

import io
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ainp.cli.demo.broker import DemoBroker
from ainp.cli.demo.cast import Agent, Cast
from ainp.cli.demo.checks import Claim
from ainp.client import Told
from ainp.core.credits import ATOMIC_PER_CREDIT

_PIPE_WIDTH = 110


class Show:
    """Prints the story as it happens."""

    def __init__(self) -> None:
        on_terminal = sys.stdout.isatty()
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="replace")  # a locale without dashes and ellipses is no reason to stop
        self._out = Console(
            force_terminal=on_terminal,
            no_color=None if on_terminal else True,
            width=None if on_terminal else _PIPE_WIDTH,
            highlight=False,
            emoji=False,
        )
        self._acts = 0

    def title(self, text: str) -> None:
        """What is played."""
        self._out.print(Text(f"AINP demo: {text}", style="bold"))

    @contextmanager
    def busy(self, text: str) -> Iterator[None]:
        """Turn something while nothing is said; in a pipe nothing turns."""
        with self._out.status(Text(text, style="dim")):
            yield

    def started(self, broker: DemoBroker, *, strict: bool) -> None:
        """Where the broker is, and what it believes."""
        self._out.print(Text(f"a broker of its own answers at {broker.url}, all of it in {broker.folder}", style="dim"))
        if strict:
            self._out.print(Text("it believes nothing that is not signed (AUTH_MODE=strict)", style="dim"))

    def act(self, text: str) -> None:
        """The next thing that happens."""
        self._acts += 1
        self._out.print(Text.assemble("\n", (f"{self._acts}  ", "bold cyan"), (text, "bold")))

    def note(self, text: str) -> None:
        """Something that is seen on the way."""
        self._out.print(_indented(Text(text, style="dim")))

    def event(self, told: Told, agents: Sequence[Agent], cast: Cast, *, ms: int) -> None:
        """Who was told what, over their sockets."""
        line = Table.grid(padding=(0, 1))
        for width in (17, 33, None):
            line.add_column(width=width)
        to = f"to {_names(agents)}, {ms} ms"
        line.add_row(Text(told.name, style="green"), _facts(told, cast), Text(to, style="dim"))
        self._out.print(_indented(line))

    def section(self, text: str, table: Table | None = None, *lines: str) -> None:
        """One part of what came of it."""
        self._out.print(Text(f"\n{text}", style="bold"))
        if table is not None:
            self._out.print(table)
        for line in lines:
            self._out.print(_indented(Text(line)))

    def table(self, *columns: str) -> Table:
        """A table with these columns; those that end in a space have numbers."""
        table = Table(box=SIMPLE_HEAD, pad_edge=True)
        for column in columns:
            table.add_column(column.strip(), justify="right" if column.endswith(" ") else "left", overflow="fold")
        return table

    def claims(self, claims: Sequence[Claim]) -> None:
        """What was checked, and what does not hold."""
        self._out.print(Text("\nchecked", style="bold"))
        for claim in claims:
            mark = ("no  ", "bold red") if claim.problems else ("yes ", "green")
            line = Table.grid()
            line.add_row(Text(*mark), claim.text)
            for problem in claim.problems:
                line.add_row("", Text(problem, style="red"))
            self._out.print(_indented(line))

    def end(self, broker: DemoBroker, *, kept: bool) -> None:
        """What is left of it."""
        if not kept:
            self._out.print(Text("\nthe broker has ended, and its folder is removed", style="dim"))
            return
        serve = f"cd {broker.folder} && AINP_DATA_DIR={broker.data_dir} {Path(sys.argv[0]).resolve()} serve"
        self.section(f"kept in {broker.folder}: the database in data/, the log in broker.log", None)
        for line in (serve, f"rm -r {broker.folder}"):
            self._out.print(Text(f"   {line}"), soft_wrap=True)

    @staticmethod
    def credits(atomic: str | int) -> str:
        """Atomic units as credits."""
        return f"{Decimal(int(atomic)) / ATOMIC_PER_CREDIT:,f}"


def _indented(what: RenderableType) -> Padding:
    return Padding(what, (0, 0, 0, 3), expand=False)


def _facts(told: Told, cast: Cast) -> str:
    frame = told.frame
    match told.name:
        case "proposed" | "counter_proposed":
            return f"{frame['current_proposal']['price']} credits"
        case "attested":
            return f"{frame['attestation']} by {cast.name(frame['from_did'])}, {frame['have']} of {frame['needed']}"
        case "opened" | "extended":
            return f"{len(frame['committee'])} seats"
        case "failed":
            return str(frame["reason"])
        case _:
            return ""


def _names(agents: Sequence[Agent]) -> str:
    """Names in a row, the numbers of the auditors behind one word."""
    others = [agent.name for agent in agents if not agent.name.startswith("auditor")]
    numbers = sorted(agent.name.removeprefix("auditor ") for agent in agents if agent.name.startswith("auditor"))
    return ", ".join([*others, *([f"auditors {' '.join(numbers)}"] if numbers else [])])
