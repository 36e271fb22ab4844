"""
Brings the schema up or down, and notices what was done to it by hand.

A migration is two files, `NNN_name.sql` and `NNN_name.down.sql`, both usable with plain psql and both safe
to run twice. The up file begins with comment lines: its purpose, then one line for each object that tells
whether it is there (`-- provides: table task_receipts`, `-- provides: column task_receipts.status`; index,
view, sequence, type, function and extension by name, trigger and constraint by `table.name`). A migration
that drops what an earlier one provides says so (`-- removes: column task_receipts.status`).

What is recorded in `schema_migrations` is compared with what the catalog holds, so a rollback by psql shows,
and `up` repairs it together with everything that went with it; what was removed and is back shows, too.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg

from ainp.store.migration_files import Migration, MigrationError, load, packaged
from ainp.store.migration_state import State, Status, absent, look, needs_down, taken_by_down

__all__ = ["Migration", "MigrationError", "State", "Status", "Step"]
__all__ += ["down", "due", "load", "missing", "packaged", "status", "taken_by_down", "up"]

LOCK_TIMEOUT = "4s"  # while DDL waits for a lock, every query behind it waits too: rather fail and try again
STATEMENT_TIMEOUT = "60s"  # and no single statement may hold such a lock for longer than this
CLIENT_TIMEOUT_S = 900.0  # a whole file; only reached when the server no longer answers
TURN_TIMEOUT_S = 300.0  # how long a second broker waits for the first one to finish
TURN_POLL_S = 0.1  # asked again and again: a blocked statement would hold a snapshot meanwhile
LOCK_KEY = int.from_bytes(b"ainpmigr")

_CREATE_RECORD = """
CREATE TABLE IF NOT EXISTS schema_migrations (
  number      integer PRIMARY KEY,
  name        text NOT NULL,
  checksum    text NOT NULL,
  applied_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  duration_ms integer NOT NULL
)"""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that `up` or `down` did: `applied`, `rolled back` or `unrecorded`."""

    action: str
    name: str
    duration_ms: int

    def __str__(self) -> str:
        return f"{self.action} {self.name} ({self.duration_ms} ms)"


Report = Callable[[Step], None]


def _silent(_: Step) -> None: ...


async def status(connection: asyncpg.Connection, *, migrations: Sequence[Migration] | None = None) -> list[Status]:
    """Say of each migration where it stands, in order. Reads only; not inside a transaction."""
    return await look(connection, packaged() if migrations is None else migrations)


async def missing(connection: asyncpg.Connection, *, migrations: Sequence[Migration] | None = None) -> list[Status]:
    """List what keeps the schema from being complete: one query, usable as a readiness check."""
    complete = (State.APPLIED, State.UNKNOWN)
    return [one for one in await status(connection, migrations=migrations) if one.state not in complete]


async def due(
    connection: asyncpg.Connection, *, to: int | None = None, migrations: Sequence[Migration] | None = None
) -> list[str]:
    """Say what `up` would apply, in order; raises MigrationError where it would refuse. Reads only."""
    files = packaged() if migrations is None else migrations
    standing = await look(connection, files)
    _refuse_edited(files, standing)
    return [one.name for one in _chosen(files, standing, to)]


async def up(
    connection: asyncpg.Connection,
    *,
    to: int | None = None,
    report: Report = _silent,
    migrations: Sequence[Migration] | None = None,
) -> list[str]:
    """
    Apply what is not applied, in order, up to number *to*; return the names.

    Each is one transaction: it is there and recorded, or nothing of it is. What was rolled back by hand is
    applied again, and so is a later one that defines the same object anew.
    """
    files = packaged() if migrations is None else migrations
    async with _my_turn(connection):
        applied: list[str] = []
        # Twice: an old one that is applied again may bring back what a later one had removed.
        for _ in range(2):
            standing = await look(connection, files)
            _refuse_edited(files, standing)
            todo = _chosen(files, standing, to)
            for one in todo:
                report(await _apply(connection, one))
            applied += [one.name for one in todo]
    return applied


async def down(
    connection: asyncpg.Connection,
    *,
    to: int,
    report: Report = _silent,
    migrations: Sequence[Migration] | None = None,
) -> list[str]:
    """
    Take back every migration above number *to*, the newest first; return the names.

    Each is one transaction. One whose objects are all gone already is only struck from the record.
    """
    files = packaged() if migrations is None else migrations
    by_number = {one.number: one for one in files}
    async with _my_turn(connection):
        going = taken_by_down(await look(connection, files), to=to)
        foreign = [one.name for one in going if one.state is State.UNKNOWN]
        if foreign:
            raise MigrationError(
                f"{', '.join(foreign)} was applied by another release and this one has no file to take it "
                f"back; expected only migrations up to {max(by_number):03d}. Use the release that applied it."
            )
        for one in going:
            report(await _take_back(connection, by_number[one.number], there=needs_down(files, one)))
    return [one.name for one in going]


def _refuse_edited(files: Sequence[Migration], standing: Iterable[Status]) -> None:
    checksums = {one.number: one.checksum for one in files}
    for one in standing:
        if one.state is State.EDITED:
            raise MigrationError(
                f"{one.name}.sql was changed after it was applied: found checksum {checksums[one.number]}, "
                f"expected {one.recorded_checksum}. Restore the file and put the change into a new migration."
            )


def _chosen(files: Sequence[Migration], standing: Iterable[Status], to: int | None) -> list[Migration]:
    return [one for one, again in _to_apply(files, standing) if again or to is None or one.number <= to]


def _to_apply(files: Sequence[Migration], standing: Iterable[Status]) -> list[tuple[Migration, bool]]:
    """Choose what to apply; True marks an applied one that an earlier one is about to overwrite."""
    states = {one.number: one.state for one in standing}
    touched: set[str] = set()
    chosen: list[tuple[Migration, bool]] = []
    for one in files:
        applied = states[one.number] is State.APPLIED
        if not applied or not touched.isdisjoint((*one.provides, *one.removes)):
            touched.update(one.provides)
            chosen.append((one, applied))
    return chosen


@asynccontextmanager
async def _my_turn(connection: asyncpg.Connection) -> AsyncIterator[None]:
    """Let one runner at a time into the database; the lock goes with the session if the process dies."""
    if connection.is_in_transaction():
        raise MigrationError("found an open transaction; expected none: each migration is one of its own")
    give_up_at = time.monotonic() + TURN_TIMEOUT_S
    while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", LOCK_KEY):
        if time.monotonic() > give_up_at:
            raise MigrationError(
                f"another migration of this database is still running after {TURN_TIMEOUT_S:.0f} s; "
                "expected it to finish (see pg_locks where locktype = 'advisory')"
            )
        await asyncio.sleep(TURN_POLL_S)
    try:
        await connection.execute(_CREATE_RECORD)
        yield
    finally:
        if not connection.is_closed():
            await connection.execute("SELECT pg_advisory_unlock($1)", LOCK_KEY)


async def _run(connection: asyncpg.Connection, file: str, statements: str) -> None:
    await connection.execute(
        "SELECT set_config('lock_timeout', $1, true), set_config('statement_timeout', $2, true)",
        LOCK_TIMEOUT,
        STATEMENT_TIMEOUT,
    )
    try:
        await connection.execute(statements, timeout=CLIENT_TIMEOUT_S)
    except asyncpg.PostgresError as error:
        hint = f" ({error.detail})" if error.detail else ""
        raise MigrationError(f"{file} failed and left nothing behind: {error}{hint}") from error


async def _apply(connection: asyncpg.Connection, one: Migration) -> Step:
    started = time.monotonic()
    async with connection.transaction():
        await _run(connection, f"{one.name}.sql", one.up)
        lacking = await absent(connection, one.provides)
        if lacking:
            raise MigrationError(
                f"{one.name}.sql ran and left nothing behind: it says that it provides "
                f"{', '.join(lacking)}, and found no such thing in the schema"
            )
        duration_ms = round((time.monotonic() - started) * 1000)
        await connection.execute(
            "INSERT INTO schema_migrations (number, name, checksum, duration_ms) VALUES ($1, $2, $3, $4) "
            "ON CONFLICT (number) DO UPDATE SET name = excluded.name, checksum = excluded.checksum, "
            "applied_at = excluded.applied_at, duration_ms = excluded.duration_ms",
            *(one.number, one.name, one.checksum, duration_ms),
        )
    return Step("applied", one.name, duration_ms)


async def _take_back(connection: asyncpg.Connection, one: Migration, *, there: bool) -> Step:
    started = time.monotonic()
    async with connection.transaction():
        if there:
            await _run(connection, f"{one.name}.down.sql", one.down)
        await connection.execute("DELETE FROM schema_migrations WHERE number = $1", one.number)
    duration_ms = round((time.monotonic() - started) * 1000)
    return Step("rolled back" if there else "unrecorded", one.name, duration_ms)
