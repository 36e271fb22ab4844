"""`ainp fsck`: prove that what is stored is true, and name what is not."""

import asyncio
from collections import Counter
from contextlib import aclosing
from dataclasses import asdict, dataclass, field
from typing import Annotated

import msgspec
import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn
from rich.table import Table

from ainp.cli.connection import database_url, in_one_line
from ainp.cli.exits import CANNOT
from ainp.cli.say import say_json
from ainp.core.audit import Finding
from ainp.core.visible import visible
from ainp.core.words import counted
from ainp.operations import fsck as operations
from ainp.operations.fsck import PARTS, Begun, Event, Part, Skipped
from ainp.settings import load_settings
from ainp.store.db import Database

_WRONG = 1


def fsck(
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line: each finding, and a summary as the last.")
    ] = False,
) -> None:
    """
    Prove what is stored: balances, receipts, draws, quorums, hashes, signatures, reputations.

    It reads one snapshot and locks nothing, so the broker may run. Each finding is a line; the exit code is 1 if there
    is one, 2 if something could not be looked at, else 0.
    """
    with in_one_line("fsck"), database_url(load_settings()) as url:
        code = prove(url, as_json=as_json)
    raise typer.Exit(code)


def prove(url: str, *, as_json: bool = False) -> int:
    """Look at everything, tell what was found, and say how to exit."""
    report = asyncio.run(_look(url, as_json=as_json))
    if as_json:
        typer.echo(msgspec.json.encode(_summary(report)).decode())
    else:
        _tell(report)
    if report.wrong:
        return _WRONG
    return CANNOT if report.skipped else 0


@dataclass
class _Report:
    """What came of it, without the findings themselves: there may be many."""

    looked_at: dict[str, tuple[int, str]] = field(default_factory=dict)
    found: Counter[str] = field(default_factory=Counter)
    skipped: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def wrong(self) -> int:
        return self.found.total()


async def _look(url: str, *, as_json: bool) -> _Report:
    out = Console(soft_wrap=True, markup=False, highlight=False, emoji=False)
    # A bar and lines on one terminal share a console; where the lines go to a file, the bar is on the other stream.
    bar_on = out if out.is_terminal else Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), MofNCompleteColumn())
    database = Database(url, size=1)
    await database.open()
    try:
        with Progress(
            *columns,
            console=bar_on,
            transient=True,
            disable=as_json or not bar_on.is_terminal,
            redirect_stdout=False,
            redirect_stderr=False,
        ) as progress:
            return await _follow(database, _Shown(out, progress, as_json=as_json))
    finally:
        await database.close()


@dataclass
class _Shown:
    """Where events become visible."""

    out: Console
    progress: Progress
    as_json: bool

    def finding(self, finding: Finding) -> None:
        if self.as_json:
            say_json(asdict(finding))
        else:
            self.out.print(visible(str(finding)))


async def _follow(database: Database, shown: _Shown) -> _Report:
    report, task = _Report(), shown.progress.add_task("connecting", total=None)
    part = PARTS[0]
    async with aclosing(operations.run(database)) as events:
        async for event in events:
            if isinstance(event, Begun):
                part = event.part
                shown.progress.reset(task, description=part.name, total=None)
            _note(report, part, event)
            if isinstance(event, Finding):
                shown.finding(event)
            elif isinstance(event, operations.Progress):
                shown.progress.update(task, completed=event.done, total=event.total)
    return report


def _note(report: _Report, part: Part, event: Event) -> None:
    match event:
        case Skipped(of, missing):
            report.skipped[of.name] = missing
        case Finding():
            report.found[part.name] += 1
        case operations.Progress(done, _, of=things):
            report.looked_at[part.name] = (done, things)
        case Begun():
            pass


def _tell(report: _Report) -> None:
    table = Table("part", "looked at", "wrong", "what is proven", box=SIMPLE_HEAD)
    for part in PARTS:
        if part.name in report.skipped:
            table.add_row(part.name, "[yellow]not looked at[/]", "", part.proves)
            continue
        done, things = report.looked_at[part.name]
        wrong = report.found[part.name]
        table.add_row(part.name, f"{done} {things}", f"[red]{wrong}[/]" if wrong else "[green]0[/]", part.proves)
    Console().print(table)
    missing = sorted({name for names in report.skipped.values() for name in names})
    if missing:
        typer.echo(f"migrations are missing: {', '.join(missing)}; see `ainp migrate status`")
    typer.echo(counted(report.wrong, "finding") if report.wrong else "nothing wrong was found")


def _summary(report: _Report) -> dict[str, object]:
    return {
        "clean": not report.wrong and not report.skipped,
        "findings": report.wrong,
        "parts": {
            part.name: {
                "looked_at": report.looked_at.get(part.name, (0, ""))[0],
                "findings": report.found[part.name],
                "missing_migrations": report.skipped.get(part.name, ()),
            }
            for part in PARTS
        },
    }
