"""
What taking migrations back would lose: tables and columns that are there, and what is in them.

It only counts, in one transaction that reads; nothing is tried and undone, so it may be asked of a database at work.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from ainp.store.migration_files import Migration, packaged
from ainp.store.migration_state import absent, look, own_objects, taken_by_down


@dataclass(frozen=True, slots=True)
class Loss:
    """A table with its *rows*, or a column (`table.column`) with the rows that have a value in it."""

    kind: str
    name: str
    rows: int

    def __str__(self) -> str:
        unit = "row" if self.rows == 1 else "rows"
        return f"{self.kind} {self.name}: {self.rows} {unit}{' with a value' if self.kind == 'column' else ''}"


@dataclass(frozen=True, slots=True)
class Step:
    """A migration that would be taken back, the tables and columns that go with it, and how much else."""

    name: str
    losses: tuple[Loss, ...]
    others: int  # indexes, functions, triggers and the like: nothing that anybody has written

    @property
    def rows(self) -> int:
        """How many rows have something that would be gone."""
        return sum(loss.rows for loss in self.losses)


async def losses(
    connection: asyncpg.Connection, *, to: int, migrations: Sequence[Migration] | None = None
) -> list[Step]:
    """Say what `down` to number *to* would take away, in its order."""
    files = packaged() if migrations is None else migrations
    by_number = {one.number: one for one in files}
    going = [one for one in taken_by_down(await look(connection, files), to=to) if one.number in by_number]
    steps, gone = [], set[str]()
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        await connection.execute("SET LOCAL statement_timeout = 0")
        for status in going:
            objects = own_objects(files, by_number[status.number])
            lacking = set(await absent(connection, objects))
            there = [what for what in objects if what not in lacking]
            tables = [what.removeprefix("table ") for what in there if what.startswith("table ")]
            gone.update(tables)
            columns = [what.removeprefix("column ") for what in there if what.startswith("column ")]
            columns = [name for name in columns if name.partition(".")[0] not in gone]
            found = [Loss("table", name, await _rows(connection, name)) for name in tables]
            found += [Loss("column", name, await _values(connection, name)) for name in columns]
            steps.append(Step(status.name, tuple(found), len(there) - len(found)))
    return steps


# The names are those of migration files, which lets letters, digits and underscores through alone.
async def _rows(connection: asyncpg.Connection, table: str) -> int:
    return int(await connection.fetchval(f"SELECT count(*) FROM {table}"))  # noqa: S608


async def _values(connection: asyncpg.Connection, name: str) -> int:
    table, _, column = name.partition(".")
    return int(await connection.fetchval(f"SELECT count({column}) FROM {table}"))  # noqa: S608
