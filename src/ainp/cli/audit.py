"""`ainp audit`: what was refused to whom, and what administrators did."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

import msgspec
import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from ainp.cli.connection import database_url, in_one_line
from ainp.cli.say import say
from ainp.core.did import AgentDid, parse_did
from ainp.core.trail import Trace, printable
from ainp.core.words import counted
from ainp.operations import trail
from ainp.settings import load_settings
from ainp.store.audit import Kept, Wanted
from ainp.store.db import Database

_NEWEST = (datetime(9999, 1, 1, tzinfo=UTC), UUID(int=2**128 - 1))
_OLDEST = datetime(1970, 1, 1, tzinfo=UTC)
_MOST = 10_000
_LOOK_EVERY_S = 2.0
_LATE = timedelta(seconds=10)  # a batch is as old as its transaction, and seen when that has ended
_WIDTH = 40


def audit(
    agent: Annotated[str | None, typer.Option(help="Only what names this DID.")] = None,
    event: Annotated[Trace | None, typer.Option(help="Only this kind of event.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=_MOST, help="How many of the newest.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    follow: Annotated[bool, typer.Option("--follow", help="Go on with what comes; Ctrl-C ends it.")] = False,
) -> None:
    """
    Show the audit trail, oldest first: refusals, deposits, slashes.

    It looks at the database, so the broker may run or not.
    """
    with in_one_line("audit"), database_url(load_settings()) as url:
        did = None if agent is None else parse_did(agent)
        try:
            asyncio.run(_show(url, Wanted(_NEWEST, _OLDEST, did, event), limit, as_json=as_json, follow=follow))
        except KeyboardInterrupt:
            return


async def _show(url: str, wanted: Wanted, limit: int, *, as_json: bool, follow: bool) -> None:
    database = Database(url, size=1)
    await database.open()
    try:
        found = (await trail.page(database, wanted, limit=limit))[::-1]
        if not as_json and not follow:
            _tell(found)
            return
        for kept in found:
            say(_line(kept, as_json=as_json))
        if follow:
            async with aclosing(_coming(database, wanted, found)) as coming:
                async for kept in coming:
                    say(_line(kept, as_json=as_json))
    finally:
        await database.close()


async def _coming(db: Database, wanted: Wanted, found: list[Kept]) -> AsyncGenerator[Kept, None]:
    shown, since = {kept.id for kept in found}, found[-1].at if found else await db.clock()
    while True:
        await asyncio.sleep(_LOOK_EVERY_S)
        newer = Wanted(_NEWEST, since - _LATE, wanted.agent_did, wanted.trace)
        page = (await trail.page(db, newer, limit=_MOST))[::-1]
        for kept in page:
            if kept.id not in shown:
                yield kept
        shown = {kept.id for kept in page}
        since = page[-1].at if page else since


def _tell(found: list[Kept]) -> None:
    table = Table("time", "event", "agent", "address", "details", box=SIMPLE_HEAD)
    for kept in found:
        table.add_row(_time(kept), kept.trace, _short(kept.agent_did), kept.address or "", _details(kept))
    Console(soft_wrap=True, markup=False, highlight=False, emoji=False).print(table)
    typer.echo(counted(len(found), "record"))


def _line(kept: Kept, *, as_json: bool) -> str:
    if not as_json:
        return f"{_time(kept)} {kept.trace} {kept.agent_did or '-'} {kept.address or '-'} {_details(kept)}"
    facts = {
        "id": kept.id,
        "timestamp": kept.at,
        "event_type": kept.trace,
        "agent_did": kept.agent_did,
        "ip_address": kept.address,
        "details": kept.details,
    }
    return msgspec.json.encode(facts).decode()


def _details(kept: Kept) -> str:
    said = " ".join(f"{name}={value}" for name, value in kept.details.items() if value is not None)
    return printable(said, len(said))


def _time(kept: Kept) -> str:
    return kept.at.isoformat(sep=" ", timespec="seconds").removesuffix("+00:00")


def _short(did: AgentDid | str | None) -> str:
    return "" if did is None else did if len(did) <= _WIDTH else f"{did[: _WIDTH - 1]}…"
