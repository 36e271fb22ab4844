"""Rows as a broker that has lived would have them, faster than it could live."""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg

from ainp.store import queries

BUSY = 8  # agents that half of everything is done by and for: one agent's history is a big table, too
_BATCH = 20_000
_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


def statements(file: str = "load") -> Mapping[str, str]:
    """The statements of `sql/load.sql`, or of another *file* there, by name."""
    parts = _NAME.split((Path(__file__).parent / "sql" / f"{file}.sql").read_text())[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


_SQL = statements()
_SEATS = queries.load("seats")


@dataclass(frozen=True, slots=True)
class Rows:
    """Which receipts, with all that belongs to them; judged long ago, or pending with a quorum."""

    first: int
    count: int
    judged: bool
    since: datetime


def of_now(count: int) -> Rows:
    """Receipts whose windows are open."""
    return Rows(0, count, judged=False, since=datetime.now(UTC))


def of_the_past(first: int, until: int, *, all_: int) -> Rows:
    """Receipts *first* to *until* of *all_* that were settled and judged, the newest two hours ago."""
    since = datetime.now(UTC) - timedelta(hours=2) - all_ * timedelta(seconds=0.1)
    return Rows(first, until - first, judged=True, since=since)


async def load(dsn: str, dids: Sequence[str], rows: Rows) -> None:
    """Settled negotiations between *dids*, with receipts, attestations, entries, balances and reputations."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(_SQL["begin"])
        await connection.execute(_SQL["deposit"], list(dids))
        epoch = await connection.fetchval("SELECT max(id) FROM committee_epochs")
        last = rows.first + rows.count - 1
        async with _without_indexes(connection, worth_it=rows.count > _BATCH):
            for first in range(rows.first, last + 1, _BATCH):
                batch = (first, min(first + _BATCH - 1, last), list(dids), BUSY, rows.since)
                await _load_batch(connection, batch, epoch, judged=rows.judged)
        await connection.execute(_SQL["count_observations"])
        await _list_seats(connection)
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()


async def _list_seats(connection: Any) -> None:  # noqa: ANN401 - asyncpg has no types
    await connection.execute(_SQL["unlist"])
    until, before = await connection.fetchrow(_SEATS["mark"])
    while await connection.fetchval(_SEATS["extend"], until, before, _BATCH):
        pass


@asynccontextmanager
async def _without_indexes(connection: Any, *, worth_it: bool) -> AsyncIterator[None]:  # noqa: ANN401 - asyncpg has no types
    found = await connection.fetch(_SQL["indexes"]) if worth_it else []
    for index in found:
        await connection.execute(f'DROP INDEX "{index["name"]}"')
    yield
    await connection.execute("SET maintenance_work_mem = '512MB'")
    for index in found:
        await connection.execute(index["definition"])


async def add_agents(dsn: str, dids: Sequence[str]) -> None:
    """Agents that are registered, without money or capabilities."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(_SQL["agents"], list(dids))
        await connection.execute("VACUUM ANALYZE agents")
    finally:
        await connection.close()


async def _load_batch(connection: Any, batch: Sequence[object], epoch: int, *, judged: bool) -> None:  # noqa: ANN401 - asyncpg has no types
    await connection.execute(_SQL["draw"], *batch)
    await connection.execute(_SQL["negotiations"])
    await connection.execute(_SQL["receipts"], epoch, judged)
    await connection.execute(_SQL["attestations"])
    await connection.execute(_SQL["accounts"])
    await connection.execute(_SQL["entries"], judged)
    await connection.execute(_SQL["reputations"])
    await connection.execute(_SQL["observations"], judged)
    await connection.execute(_SQL["clients"], judged)
    await connection.execute(_SQL["forget"])


async def end_windows(dsn: str) -> None:
    """Let the windows of all open receipts be over."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(_SQL["end_windows"])
    finally:
        await connection.close()
