"""`ainp receipts`: which receipts are still open and why, and one of them."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, TypeVar
from uuid import UUID

import msgspec
import typer

from ainp.cli.columns import aligned
from ainp.cli.connection import database_url, in_one_line
from ainp.cli.exits import REFUSED
from ainp.cli.say import say, say_json
from ainp.core.errors import InvalidRequest
from ainp.core.ids import TaskId
from ainp.core.receipt import ReceiptStatus
from ainp.core.stuck import silent_members
from ainp.core.trail import printable
from ainp.core.words import counted
from ainp.operations import stuck as operations
from ainp.operations.committees import Epochs
from ainp.operations.stuck import Open
from ainp.settings import Settings, load_settings
from ainp.store.db import Database
from ainp.worker.schedule import next_time

_T = TypeVar("_T")
_MOST = 10_000

app = typer.Typer(help="Receipts that are still open, and why.", no_args_is_help=True, add_completion=False)


@app.command()
def stuck(
    minutes: Annotated[
        float | None, typer.Option(min=0, help="Open for longer than that; default: POU_ATTEST_WINDOW_MINUTES.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=_MOST, help="At most so many, the oldest first.")] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """
    List receipts that are pending for longer than their first window, each with the reasons and what would end them.

    It looks at the database, so the broker may run or not. The exit code is 1 if there is one.
    """
    with in_one_line("receipts"):
        settings = load_settings()
        older = timedelta(minutes=settings.pou_attest_window_minutes if minutes is None else minutes)
        found = _on_database(settings, lambda db: _find(db, settings, older, limit))
    for one in found:
        say(msgspec.json.encode(_row(one)).decode() if as_json else "\n".join(_lines(one)))
    if not as_json:
        verb = "is" if len(found) == 1 else "are"
        typer.echo(f"{counted(len(found), 'receipt')} {verb} stuck" if found else "no receipt is stuck")
    if found:
        raise typer.Exit(REFUSED)


@app.command()
def show(
    task_id: Annotated[str, typer.Argument(metavar="TASK_ID", help="The receipt's id.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Show one receipt: how it stands, what each member said, and why it is open if it is."""
    with in_one_line("receipts"):
        try:
            id_ = TaskId(UUID(task_id))
        except ValueError as error:
            raise InvalidRequest(f"expected a task's id, a UUID, found {printable(task_id)!r}") from error
        settings = load_settings()
        found = _on_database(settings, lambda db: _look(db, settings, id_))
    if as_json:
        say_json(_row(found))
        return
    for line in _lines(found):
        say(line)
    said = {verdict.by: verdict for verdict in found.case.verdicts}
    rows = [("seat", "member", "verdict", "score", "confidence")]
    for seat, member in enumerate(found.case.receipt.committee, 1):
        verdict = said.get(member)
        shown = ("-", "", "") if verdict is None else (verdict.type, _part(verdict.score), _part(verdict.confidence))
        rows.append((str(seat), printable(member, len(member)), *shown))
    typer.echo("\n".join(aligned(rows)))


async def _find(db: Database, settings: Settings, older: timedelta, limit: int) -> list[Open]:
    return await operations.find(
        db,
        older=older,
        policy=settings.judging,
        every=_interval(settings.pou_finalizer_cron),
        epochs=_epochs(settings),
        limit=limit,
    )


async def _look(db: Database, settings: Settings, id_: TaskId) -> Open:
    every = _interval(settings.pou_finalizer_cron)
    return await operations.look(db, id_, policy=settings.judging, every=every, epochs=_epochs(settings))


def _epochs(settings: Settings) -> Epochs:
    return Epochs(settings.eligibility, committee_size=settings.pou_m)


def _interval(cron: str) -> timedelta:
    """The time between the next two runs."""
    first = next_time(cron, datetime.now(UTC))
    return next_time(cron, first) - first


def _lines(one: Open) -> list[str]:
    receipt = one.case.receipt
    seats = f"{len(receipt.committee)} of {receipt.size} seats{', short' if receipt.short else ''}"
    course = f"extended {counted(receipt.extensions, 'time')}, opened {receipt.created_at:%Y-%m-%d %H:%M}Z"
    lines = [f"{receipt.id} {receipt.status}: {one.case.tally.have} of {receipt.quorum} passed, {seats}, {course}"]
    for reason in one.reasons:
        lines += [f"  why: {reason.found}", f"  fix: {reason.fix}"]
    if not one.reasons and receipt.status is ReceiptStatus.PENDING:
        lines.append("  the finalizer decides it at its next run")
    return lines


def _row(one: Open) -> dict[str, object]:
    receipt, tally = one.case.receipt, one.case.tally
    return {
        "task_id": str(receipt.id),
        "status": receipt.status,
        "agent_did": receipt.agent,
        "client_did": receipt.client,
        "created_at": receipt.created_at,
        "window_ends_at": receipt.window_ends_at,
        "extensions": receipt.extensions,
        "k": receipt.quorum,
        "m": receipt.size,
        "committee": receipt.committee,
        "committee_short": receipt.short,
        "passed": sorted(tally.passed),
        "failed": sorted(tally.failed),
        "silent": silent_members(one.case),
        "reasons": [{"why": reason.why, "found": reason.found, "fix": reason.fix} for reason in one.reasons],
    }


def _part(millionths: int) -> str:
    return f"{millionths / 1_000_000:g}"


def _on_database(settings: Settings, work: Callable[[Database], Awaitable[_T]]) -> _T:
    async def connected(url: str) -> _T:
        database = Database(url, size=2)
        await database.open()
        try:
            return await work(database)
        finally:
            await database.close()

    with database_url(settings) as url:
        return asyncio.run(connected(url))
