"""`ainp quorum`: how many voices out of how many seats."""

import asyncio
from decimal import Decimal
from fractions import Fraction
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from ainp.cli.connection import database_url, in_one_line
from ainp.cli.exits import REFUSED
from ainp.cli.say import say_json
from ainp.core.advice import MAX_SEATS, Choice, Network, advise, capture_most, colluders_among, weigh
from ainp.core.errors import InvalidRequest
from ainp.core.words import counted
from ainp.operations.committees import Epochs
from ainp.settings import Settings, load_settings
from ainp.store.db import Database

_SHOWN = ((2, 3), (3, 5), (4, 7), (5, 9), (7, 11), (8, 13), (10, 17))
_PARTIES = 2  # never drawn

app = typer.Typer(
    help="How many voices out of how many seats a network needs.", no_args_is_help=True, add_completion=False
)


@app.callback()
def _quorum() -> None:
    pass


@app.command("advise")
def advise_(  # noqa: PLR0913, PLR0917 - each is an assumption of its own
    agents: Annotated[
        int | None, typer.Option(min=1, max=10**6, help="Agents that can be drawn; default: as many as there are now.")
    ] = None,
    colluders: Annotated[float, typer.Option(min=0, max=1, help="The part of them that works together.")] = 0.2,
    value: Annotated[float, typer.Option(min=0, help="Credits that a receipt is worth to who captures it.")] = 100,
    loss: Annotated[float, typer.Option(min=0, help="Credits that may be lost by capture on average, a receipt.")] = 1,
    stall: Annotated[float, typer.Option(min=0, max=1, help="How often a committee may come to no decision.")] = 0.05,
    answers: Annotated[float, typer.Option(min=0, max=1, help="How often an honest member answers in time.")] = 0.95,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """
    Advise POU_K and POU_M, with the chances that a committee is captured or stalls.

    Captured: POU_K members work together and pass what they like. Stalled: fewer than POU_K are honest and answer,
    while the others stay silent; then the committee is extended. Every agent weighs the same here; a lottery by trust
    favours who has worked long. The exit code is 1 if no committee keeps to both limits.
    """
    with in_one_line("quorum"):
        settings = load_settings()
        drawable = _drawable(settings) if agents is None else agents
        if drawable <= 0:
            raise InvalidRequest("there is nobody to be drawn: register agents, or say --agents N")
    network = Network(agents=drawable, colluders=colluders_among(drawable, _exact(colluders)), answers=_exact(answers))
    most = min(capture_most(value=round(value * 1000), loss_most=_exact(loss) * 1000), Fraction(1))
    found = advise(network, capture_most=most, stall_most=_exact(stall), seats_most=MAX_SEATS)
    now = _weighed(network, settings.pou_k, settings.pou_m)
    if as_json:
        say_json(_shown(network, most, now, found))
    else:
        _tell(network, most, now, found)
    if found is None:
        raise typer.Exit(REFUSED)


def _exact(number: float) -> Fraction:
    """The number as it was written, not as a float keeps it."""
    return Fraction(Decimal(str(number)))


def _drawable(settings: Settings) -> int:
    """How many agents could be drawn for a task of two of them."""

    async def count(url: str) -> int:
        database = Database(url, size=1)
        await database.open()
        try:
            epochs = Epochs(settings.eligibility, committee_size=settings.pou_m)
            return (await epochs.listed(database)).eligible(()) - _PARTIES
        finally:
            await database.close()

    with database_url(settings) as url:
        return asyncio.run(count(url))


def _weighed(network: Network, quorum: int, size: int) -> Choice | None:
    return weigh(network, quorum=quorum, size=size) if size <= network.agents else None


def _tell(network: Network, most: Fraction, now: Choice | None, found: Choice | None) -> None:
    pairs = {(c.quorum, c.size): c for c in (now, found) if c is not None}
    pairs |= {pair: c for pair in _SHOWN if (c := _weighed(network, *pair)) is not None}
    table = Table("POU_K", "POU_M", "captured", "stalls", "", box=SIMPLE_HEAD)
    for pair in sorted(pairs, key=lambda pair: (pair[1], pair[0])):
        notes = [words for words, choice in (("now", now), ("advised", found)) if pairs[pair] == choice]
        chances = (_percent(pairs[pair].capture), _percent(pairs[pair].stall))
        table.add_row(str(pair[0]), str(pair[1]), *chances, ", ".join(notes))
    Console(soft_wrap=True, markup=False, highlight=False, emoji=False).print(table)
    typer.echo(f"{counted(network.agents, 'agent')} can be drawn, {network.colluders} of them collude")
    if found is None:
        typer.echo(
            f"no committee is captured in at most {_percent(most)} of draws and decides often enough: more honest"
        )
        typer.echo("agents, POU_COMMITTEE_MIN_STAKE, or less value in one receipt would help")
    else:
        typer.echo(f"advised: POU_K={found.quorum} POU_M={found.size}, captured in at most {_percent(most)} of draws")


def _percent(chance: Fraction) -> str:
    percent = float(100 * chance)
    return f"{percent:.2g} %" if 0 < percent < 1 else f"{percent:.1f} %"


def _shown(network: Network, most: Fraction, now: Choice | None, found: Choice | None) -> dict[str, object]:
    def one(choice: Choice | None) -> dict[str, object] | None:
        if choice is None:
            return None
        chances = {"capture": float(choice.capture), "stall": float(choice.stall)}
        return {"k": choice.quorum, "m": choice.size, **chances}

    return {
        "agents": network.agents,
        "colluders": network.colluders,
        "capture_most": float(most),
        "now": one(now),
        "advised": one(found),
    }
