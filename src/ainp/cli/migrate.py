"""`ainp migrate`: the schema up, down, and where it stands."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import asyncpg
import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from ainp.cli.connection import database_url, in_one_line
from ainp.core.words import counted
from ainp.settings import load_settings
from ainp.store import migrate
from ainp.store.migrate import State, Status
from ainp.store.migration_losses import Step as Going
from ainp.store.migration_losses import losses

app = typer.Typer(
    help="Bring the database schema up or down, or see where it stands.", no_args_is_help=True, add_completion=False
)

_DRY_RUN = typer.Option("--dry-run", help="Say what would be done, and do nothing.")
_COLOURS = {State.APPLIED: "green", State.PENDING: "yellow", State.UNRECORDED: "yellow", State.UNKNOWN: "dim"}
T = TypeVar("T")


@app.command()
def up(
    to: Annotated[int | None, typer.Option(min=0, help="Stop after this number; default: the last.")] = None,
    dry_run: Annotated[bool, _DRY_RUN] = False,
) -> None:
    """Apply what is pending or was rolled back by hand, in order."""
    if dry_run:
        due = _connected(lambda connection: migrate.due(connection, to=to), new=True)
        for name in due:
            typer.echo(f"would apply {name}")
        typer.echo(f"{len(due)} to apply; nothing was changed" if due else "nothing to do")
        return
    applied = _connected(lambda connection: migrate.up(connection, to=to, report=_tell), new=True)
    if not applied:
        typer.echo("nothing to do")


@app.command()
def down(
    to: Annotated[int, typer.Option(min=0, help="The last number to keep; 0 takes everything away.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    dry_run: Annotated[bool, _DRY_RUN] = False,
) -> None:
    """
    Take migrations back, the newest first, with the data in them.

    It says first which tables and columns go and how many rows are in them, and asks. `ainp backup` keeps them.
    """
    if dry_run:
        going = _connected(lambda connection: losses(connection, to=to))
        _tell_losses(going)
        typer.echo("nothing was changed" if going else "nothing to do")
        return
    taken = _connected(lambda connection: _take_back(connection, to=to, yes=yes))
    if not taken:
        typer.echo("nothing to do")


@app.command()
def status() -> None:
    """Show every migration; exit with 1 when something is to be done."""
    standing = _connected(migrate.status)
    Console().print(_table(standing))
    behind = [one for one in standing if one.state not in (State.APPLIED, State.UNKNOWN)]
    for one in behind:
        if one.state is State.ROLLED_BACK:
            typer.echo(f"{one.name} was rolled back by hand; gone: {', '.join(one.missing)}")
    if behind:
        raise typer.Exit(1)


async def _take_back(connection: asyncpg.Connection, *, to: int, yes: bool) -> list[str]:
    if not yes and (going := await losses(connection, to=to)):
        _tell_losses(going)
        typer.confirm("Go on?", abort=True)
    return await migrate.down(connection, to=to, report=_tell)


def _tell_losses(going: list[Going]) -> None:
    if not going:
        return
    typer.echo("These go, with all data in them:")
    for one in going:
        typer.echo(f"  {one.name}")
        for loss in one.losses:
            typer.echo(f"    {loss}")
    rows = sum(one.rows for one in going)
    typer.echo(f"{counted(rows, 'row')} {'has' if rows == 1 else 'have'} something that would be lost")


def _tell(step: migrate.Step) -> None:
    typer.echo(str(step))


def _table(standing: list[Status]) -> Table:
    table = Table("no.", "name", "state", "applied at (UTC)", box=SIMPLE_HEAD)
    for one in standing:
        at = one.applied_at.strftime("%Y-%m-%d %H:%M:%S") if one.applied_at else ""
        colour = _COLOURS.get(one.state, "red")
        table.add_row(f"{one.number:03d}", one.name, f"[{colour}]{one.state}[/]", at)
    return table


def _connected(action: Callable[[asyncpg.Connection], Awaitable[T]], *, new: bool = False) -> T:
    """Do *action* on the configured database, and turn what went wrong into one line."""
    with in_one_line("migrate"), database_url(load_settings(), new=new) as url:
        return asyncio.run(_on(url, action))


async def _on(url: str, action: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
    connection = await asyncpg.connect(url)
    try:
        return await action(connection)
    finally:
        await connection.close()
