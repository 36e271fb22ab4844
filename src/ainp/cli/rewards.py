"""`ainp rewards`: what agents get for an hour's usefulness."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from ainp.cli.connection import database_url, in_one_line
from ainp.cli.say import say_json
from ainp.core.trail import printable
from ainp.core.words import counted
from ainp.operations import rewards as operations
from ainp.operations.rewards import Hour
from ainp.settings import Settings, load_settings
from ainp.store.db import Database

app = typer.Typer(help="What agents get for an hour's usefulness.", no_args_is_help=True, add_completion=False)


@app.callback()
def _rewards() -> None:
    pass


@app.command()
def preview(
    hour: Annotated[
        datetime | None, typer.Option(help="When the hour begins, UTC; default: the one that is paid next.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """
    Show what the next run would pay for an hour, to whom and why; nothing is written.

    An agent's part of the hour is in proportion to its score, with all proofs added up as of now. It gets no more than
    a part of the fees that its receipts of that hour have paid. Of an hour that was paid, what it has cost is shown.
    """
    with in_one_line("rewards"):
        settings = load_settings()
        with database_url(settings) as url:
            found = asyncio.run(_preview(url, settings, hour))
    if as_json:
        say_json(_shown(found, settings))
        return
    _print(found, settings)


async def _preview(url: str, settings: Settings, begins: datetime | None) -> Hour:
    database = Database(url, size=1)
    await database.open()
    try:
        asked = await operations.next_hour(database) if begins is None else begins.replace(tzinfo=UTC)
        asked = asked.replace(minute=0, second=0, microsecond=0)
        return await operations.preview(database, asked, settings.reward_policy)
    finally:
        await database.close()


def _print(hour: Hour, settings: Settings) -> None:
    if not hour.paid:
        table = Table("agent", "score", "fees paid", "reward", box=SIMPLE_HEAD)
        for one in hour.rewards:
            fees = "" if one.fees is None else str(one.fees)
            table.add_row(printable(one.agent, len(one.agent)), f"{one.score / 100:.2f}", fees, str(one.amount))
        Console(soft_wrap=True, markup=False, highlight=False, emoji=False).print(table)
    has = settings.reward_policy.hourly
    state = "was paid" if hour.paid else "is not paid yet"
    of = "" if hour.paid else f" of {has}"
    typer.echo(
        f"hour {hour.begins.isoformat(timespec='hours')} {state}: {hour.total}{of} atomic units,"
        f" {hour.from_pool} of them from the pool, for {counted(hour.recipients, 'agent')}"
    )
    if not settings.usefulness_reward_pool_enabled:
        typer.echo("USEFULNESS_REWARD_POOL_ENABLED=false: nothing will be paid")


def _shown(hour: Hour, settings: Settings) -> dict[str, object]:
    return {
        "hour": hour.begins,
        "paid": hour.paid,
        "enabled": settings.usefulness_reward_pool_enabled,
        "available": str(settings.reward_policy.hourly),
        "total": str(hour.total),
        "from_pool": str(hour.from_pool),
        "recipients": hour.recipients,
        "rewards": [
            {
                "agent_did": one.agent,
                "score": one.score / 100,
                "fees": None if one.fees is None else str(one.fees),
                "amount": str(one.amount),
            }
            for one in hour.rewards
        ],
    }
