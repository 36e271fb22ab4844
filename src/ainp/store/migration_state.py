"""
Compares what is recorded in `schema_migrations` with what the catalog holds.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import asyncpg

from ainp.store.migration_files import Migration


class State(StrEnum):
    APPLIED = "applied"
    PENDING = "pending"
    ROLLED_BACK = "rolled_back"  # recorded, but something it provides is gone, or something it removed is back
    UNRECORDED = "unrecorded"  # all it provides is there, but nobody recorded it
    EDITED = "edited"  # the file is no longer the one that was applied
    UNKNOWN = "unknown"  # recorded by another release, which has a file that this one lacks


@dataclass(frozen=True, slots=True)
class Status:
    number: int
    name: str
    state: State
    applied_at: datetime | None = None
    missing: tuple[str, ...] = ()
    recorded_checksum: str | None = None
    partly_there: bool = False  # at least one object that no earlier migration provides


# These statements stand here, not in sql/: they run before there is a schema to prepare them against.
_RECORDED = "SELECT number, name AS what, checksum, applied_at FROM schema_migrations"
_MISSING = """
SELECT NULL::integer, absent.what, NULL::text, NULL::timestamptz FROM (
  WITH mine AS (SELECT oid FROM pg_namespace WHERE nspname = current_schema()),
       relation AS (SELECT oid, relname, relkind FROM pg_class WHERE relnamespace = (SELECT oid FROM mine))
  SELECT unnest($1::text[]) AS what
  EXCEPT (
    SELECT CASE relkind WHEN 'i' THEN 'index ' WHEN 'I' THEN 'index ' WHEN 'S' THEN 'sequence '
                        WHEN 'v' THEN 'view ' WHEN 'm' THEN 'view ' ELSE 'table ' END || relname FROM relation
    UNION ALL
    SELECT 'column ' || relname || '.' || attname
      FROM relation JOIN pg_attribute ON attrelid = relation.oid
     WHERE attnum > 0 AND NOT attisdropped AND relkind IN ('r', 'p', 'v', 'm')
    UNION ALL
    SELECT 'trigger ' || relname || '.' || tgname
      FROM relation JOIN pg_trigger ON tgrelid = relation.oid WHERE NOT tgisinternal
    UNION ALL
    SELECT 'constraint ' || relname || '.' || conname
      FROM relation JOIN pg_constraint ON conrelid = relation.oid
    UNION ALL
    SELECT 'function ' || proname FROM pg_proc WHERE pronamespace = (SELECT oid FROM mine)
    UNION ALL
    SELECT 'type ' || typname FROM pg_type WHERE typnamespace = (SELECT oid FROM mine)
    UNION ALL
    SELECT 'extension ' || extname FROM pg_extension
  )
) AS absent"""
_STATE = f"{_RECORDED} UNION ALL {_MISSING}"


async def absent(connection: asyncpg.Connection, objects: Iterable[str]) -> list[str]:
    """Choose those of *objects* (`table agents`, `column agents.did`) that the catalog does not hold."""
    return sorted(row[1] for row in await connection.fetch(_MISSING, sorted(set(objects))))


async def look(connection: asyncpg.Connection, files: Sequence[Migration]) -> list[Status]:
    """Say of each migration where it stands, in order; one query, unless nothing was ever recorded."""
    named = sorted({what for one in files for what in (*one.provides, *one.removes)})
    try:
        rows = await connection.fetch(_STATE, named)
    except asyncpg.UndefinedTableError:  # no migration was ever recorded here
        rows = await connection.fetch(_MISSING, named)
    records = {row[0]: row for row in rows if row[0] is not None}
    gone = frozenset(row[1] for row in rows if row[0] is None)
    standing = judge(files, records, gone)
    numbers = {one.number for one in files}
    foreign = [
        Status(number, row[1], State.UNKNOWN, applied_at=row[3], recorded_checksum=row[2])
        for number, row in records.items()
        if number not in numbers
    ]
    return sorted([*standing, *foreign], key=lambda one: one.number)


def judge(files: Sequence[Migration], records: dict[int, asyncpg.Record], gone: frozenset[str]) -> list[Status]:
    removed_by = {what: one.number for one in files if one.number in records for what in one.removes}
    standing: list[Status] = []
    for one in files:
        lost = tuple(what for what in one.provides if what in gone and removed_by.get(what, 0) <= one.number)
        partly = any(what not in gone for what in own_objects(files, one))
        record = records.get(one.number)
        if record is None:
            state = State.UNRECORDED if partly and not lost else State.PENDING
            standing.append(Status(one.number, one.name, state, missing=lost, partly_there=partly))
            continue
        # What it removed comes back when an earlier one was rolled back by hand and is applied again.
        back = tuple(f"{what}, which is back" for what in one.removes if what not in gone)
        state = State.ROLLED_BACK if lost or back else State.APPLIED
        if record["checksum"] != one.checksum:
            state = State.EDITED
        standing.append(
            Status(one.number, one.name, state, record["applied_at"], (*lost, *back), record["checksum"], partly)
        )
    return standing


def own_objects(files: Sequence[Migration], of: Migration) -> list[str]:
    """Choose what no earlier migration provides: only that tells whether this one is there."""
    earlier = {what for one in files if one.number < of.number for what in one.provides}
    return [what for what in of.provides if what not in earlier]


def taken_by_down(standing: Iterable[Status], *, to: int) -> list[Status]:
    """Choose what `down` to number *to* takes away, in its order."""
    return sorted(
        (one for one in standing if one.number > to and (one.recorded_checksum or one.partly_there)),
        key=lambda one: one.number,
        reverse=True,
    )


def needs_down(files: Sequence[Migration], one: Status) -> bool:
    """Tell whether anything is left to take back; one that made no object of its own always has something."""
    return one.partly_there or not own_objects(files, next(file for file in files if file.number == one.number))
