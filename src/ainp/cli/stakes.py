"""`ainp stakes` and `ainp slash`: who has staked what, and taking some of it, in the database itself."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from ainp.cli.connection import database_url, in_one_line
from ainp.cli.say import say_json
from ainp.core.did import parse_did
from ainp.core.trail import printable
from ainp.core.words import counted
from ainp.operations import stakes as operations
from ainp.operations.committees import Epochs
from ainp.operations.stakes import Slash, Slashed
from ainp.settings import Settings, load_settings
from ainp.store.db import Database
from ainp.store.stakes import Staked

_T = TypeVar("_T")
_PAGE = 500


def stakes(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """
    List who has staked or was slashed; amounts are atomic units.

    It looks at the database, so the broker may run or not.
    """
    settings = load_settings()
    with in_one_line("stakes"):
        found = _on_database(settings, _all)
    if as_json:
        for one in found:
            say_json(_row(one, settings))
        return
    table = Table("agent", "locked", "counts", "withdrawing", "until", "slashed", "seat", box=SIMPLE_HEAD)
    for one in found:
        row = _row(one, settings)
        until, seat = str(row["locked_until"] or ""), "yes" if row["eligible"] else "no"
        amounts = (str(row[name]) for name in ("locked", "active", "withdrawing"))
        table.add_row(printable(one.did, len(one.did)), *amounts, until, str(row["slashed_total"]), seat)
    Console(soft_wrap=True, markup=False, highlight=False, emoji=False).print(table)
    typer.echo(f"{counted(len(found), 'stake')}, {counted(sum(one.stake.locked for one in found), 'atomic unit')}")


def slash(
    did: Annotated[str, typer.Argument(help="Whose stake is taken.")],
    amount: Annotated[int, typer.Argument(help="Atomic units; at most what is staked is taken.")],
    reason: Annotated[str, typer.Option(help="Why: the agent is told, and it stays in the audit trail.")],
    evidence: Annotated[str | None, typer.Option(help="Where that can be seen: a URI.")] = None,
) -> None:
    """
    Take an agent's stake to the pool, and a tenth of its reputation.

    It works on the database, so the broker may run or not; whoever may do so needs no token.
    """
    with in_one_line("slash"):
        settings = load_settings()
        order = Slash(did=parse_did(did), amount=amount, reason=reason, evidence_ref=evidence, by="ainp slash")

        async def ordered(db: Database) -> Slashed:
            return await operations.slash(db, order, epochs=Epochs(settings.eligibility, committee_size=settings.pou_m))

        done = _on_database(settings, ordered)
    left = f"{done.stake.locked} are left, {done.stake.slashed} were slashed in all"
    typer.echo(f"slashed {done.taken} atomic units of {done.did}: {left} (slash {done.id})")


async def _all(db: Database) -> list[Staked]:
    found: list[Staked] = []
    while True:
        page = await operations.page(db, above=found[-1].did if found else "", limit=_PAGE)
        found += page
        if len(page) < _PAGE:
            return found


def _row(one: Staked, settings: Settings) -> dict[str, object]:
    held = one.stake
    return {
        "agent_did": one.did,
        "locked": held.locked,
        "active": held.active,
        "withdrawing": held.withdrawing,
        "locked_until": None if held.locked_until is None else held.locked_until.isoformat(timespec="seconds"),
        "slashed_total": held.slashed,
        "eligible": held.active >= settings.pou_committee_min_stake,
    }


def _on_database(settings: Settings, work: Callable[[Database], Awaitable[_T]]) -> _T:
    async def connected(url: str) -> _T:
        database = Database(url, size=1)
        await database.open()
        try:
            return await work(database)
        finally:
            await database.close()

    with database_url(settings) as url:
        return asyncio.run(connected(url))
