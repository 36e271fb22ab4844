"""How the doctor's lines look, and as what else they are written."""

import io
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict

import msgspec
import typer
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ainp.core.checkup import Line, Part, Result, failed

_TITLES = {
    Part.BEFORE: "Before the deployment",
    Part.AFTER: "After the deployment",
    Part.CANARY: "The canary: a whole task",
    Part.SECURITY: "Security",
    Part.MONITORING: "The last hour",
    Part.ALERTS: "Alerts that would fire now",
}
_STYLES = {Result.PASS: "green", Result.WARN: "yellow", Result.FAIL: "bold red", Result.SKIP: "dim"}


class Show:
    """Prints lines as they come: for eyes, or one JSON object each."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        on_terminal = sys.stdout.isatty()
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="replace")  # a locale without arrows is no reason to stop
        self._out = Console(no_color=None if on_terminal else True, highlight=False, emoji=False)
        self._part: Part | None = None

    @contextmanager
    def busy(self, text: str) -> Iterator[None]:
        """Turn something while nothing is said; in a pipe nothing turns."""
        if self._as_json or not self._out.is_terminal:
            yield
            return
        with self._out.status(Text(text, style="dim")):
            yield

    def line(self, line: Line) -> None:
        """One line of the checklist."""
        if self._as_json:
            typer.echo(msgspec.json.encode(asdict(line)).decode())
            return
        if line.part is not self._part:
            self._part = line.part
            self._out.print(Text(f"\n{_TITLES[line.part]}", style="bold"))
        style = _STYLES[line.result]
        told = [(Text(line.result.value, style=style), Text(line.says)), (Text(), Text(line.why, style="dim"))]
        if line.fix:
            told.append((Text(), Text(f"→ {line.fix}", style=style)))
        if not self._out.is_terminal:
            for mark, text in told:
                self._out.print(f"  {mark.plain:4} {text.plain}", soft_wrap=True, markup=False)
            return
        rows = Table.grid(padding=(0, 1))
        rows.add_column(width=4)
        rows.add_column(overflow="fold")
        for mark, text in told:
            rows.add_row(mark, text)
        self._out.print(Padding(rows, (0, 0, 0, 2), expand=False))

    def summary(self, lines: Sequence[Line], *, took_s: float) -> None:
        """What came of it."""
        counted = {result.value: sum(line.result is result for line in lines) for result in Result}
        if self._as_json:
            said = {"healthy": not failed(lines), **counted, "seconds": round(took_s, 1)}
            typer.echo(msgspec.json.encode(said).decode())
            return
        style = "bold red" if failed(lines) else "bold green"
        verdict = "something is wrong" if failed(lines) else "everything that has to hold holds"
        numbers = ", ".join(f"{number} {name}" for name, number in counted.items())
        self._out.print(Text(f"\n{verdict}: {numbers}, in {took_s:.1f} s", style=style))
