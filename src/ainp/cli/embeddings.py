"""`ainp embeddings`: the vectors that agents are found by."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ainp.broker import make_broker
from ainp.cli.connection import database_url, in_one_line
from ainp.operations import embedding
from ainp.operations.discovery import Discovery
from ainp.operations.embedding import Standing
from ainp.settings import Settings, load_settings
from ainp.store.db import Database

app = typer.Typer(help="The vectors that agents are found by.", no_args_is_help=True, add_completion=False)


@app.callback()
def _embeddings() -> None:
    pass


@app.command()
def status() -> None:
    """Show which model makes them, and how many capabilities have one."""
    with in_one_line("embeddings"):
        settings = load_settings()
        with database_url(settings) as url:
            typer.echo(_said(asyncio.run(_status(url, settings))))


@app.command()
def rebuild(
    keep: Annotated[
        bool, typer.Option(help="Keep the vectors of other models, for brokers that still use them.")
    ] = False,
) -> None:
    """
    Make every vector that is missing of the configured model, then drop those of others.

    Brokers that run with another model go on with it meanwhile: run this with the new settings and `--keep`, then start
    the brokers with them, then run it again.
    """
    with in_one_line("embeddings"):
        settings = load_settings()
        with database_url(settings) as url:
            found, dropped = asyncio.run(_rebuild(url, settings, keep=keep))
    typer.echo(f"{_said(found)}; {dropped} of other models dropped")


async def _status(url: str, settings: Settings) -> Standing:
    async with _opened(url, settings) as (database, discovery):
        return await embedding.standing(database, discovery)


async def _rebuild(url: str, settings: Settings, *, keep: bool) -> tuple[Standing, int]:
    async with _opened(url, settings) as (database, discovery):
        before = await embedding.standing(database, discovery)
        columns = TextColumn("embedding"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
        with Progress(*columns, transient=True) as progress:
            task = progress.add_task("embedding", total=before.capabilities, completed=before.embedded)
            async for made in embedding.fill(database, discovery):
                progress.advance(task, made)
        dropped = 0 if keep else await embedding.drop_others(database, discovery)
        return await embedding.standing(database, discovery), dropped


@asynccontextmanager
async def _opened(url: str, settings: Settings) -> AsyncIterator[tuple[Database, Discovery]]:
    database = Database(url, size=2)
    await database.open()
    try:
        yield database, make_broker(settings, database).discovery
    finally:
        await database.close()


def _said(found: Standing) -> str:
    made = f"{found.embedded} of {found.capabilities} capabilities have a vector"
    return f"{found.model} ({found.dimension} numbers): {made}"
