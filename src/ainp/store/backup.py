"""
Everything that is stored, into a file and back.

One snapshot is read while the broker works; nothing waits for it but a migration. A restore makes the schema by the
migrations that the backup names, fills it in one transaction, and then applies what this release has beyond them.
Triggers are off meanwhile: they would post every entry of the ledger a second time. `ainp fsck` proves what came of it.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter

import asyncpg

from ainp import __version__
from ainp.core.words import counted
from ainp.store import migrate
from ainp.store.backup_file import Applied, BackupError, Counter, Manifest, Reader, Table, Writer
from ainp.store.migrate import Migration, State
from ainp.store.queries import load

Told = Callable[[int], None]  # how many rows more

_SQL = load("backup")
_VECTORS = "capability_vectors"  # made with the first model of embeddings, not by a migration
_MODELS = "embedding_models"
# What a broker writes by itself when nobody has come yet; money that anything of it has moved is in the ledger.
_HOUSEKEEPING = frozenset(
    (
        *("accounts", "broker_nodes", "committee_epochs", _MODELS, "job_runs", "measurements", "publication"),
        *("reward_hours", "seat_listing", "trust_ranking"),
    )
)


async def estimate(connection: asyncpg.Connection) -> int:
    """About how many rows a backup would have."""
    return sum(max(0, row["estimate"]) for row in await _columns(connection))


async def dump(connection: asyncpg.Connection, out: Writer, told: Told) -> Manifest:
    """Write all tables as they are at one moment; raises BackupError where the schema is not what its record says."""
    if not await connection.fetchval(_SQL["share_turn"], migrate.LOCK_KEY):
        raise BackupError("a migration of this database is running; expected to find none: try again after it")
    applied = await _applied(connection)
    tables: list[Table] = []
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        await connection.execute("SET LOCAL statement_timeout = 0")
        taken_at = await connection.fetchval(_SQL["now"])
        for row in await _columns(connection):
            with out.table(row["name"], told) as member:
                await connection.copy_from_table(row["name"], columns=row["columns"], output=member.write)
            tables.append(Table(row["name"], row["columns"], member.rows, member.bytes, member.sha256))
        counters = await connection.fetch(_SQL["counters"])
    manifest = Manifest(
        broker=__version__,
        taken_at=taken_at.isoformat(timespec="seconds"),
        migrations=applied,
        tables=tables,
        counters=[Counter(*row) for row in counters if row["last"] is not None],
    )
    out.finish(manifest)
    return manifest


def check_release(manifest: Manifest) -> list[Migration]:
    """The migrations of this release that made the backup's tables; raises BackupError if it has others."""
    own = {one.number: one for one in migrate.packaged()}
    later = [one.name for one in manifest.migrations if one.number not in own]
    if later:
        raise BackupError(
            f"the backup has migrations that this release does not know: {', '.join(later)}. It was made by ainp"
            f" {manifest.broker}; restore it with that release or a later one"
        )
    for one in manifest.migrations:
        if own[one.number].checksum != one.checksum:
            raise BackupError(
                f"the backup's {one.name} is not this release's: found checksum {one.checksum}, expected"
                f" {own[one.number].checksum}. Restore it with the release that made it, ainp {manifest.broker}"
            )
    return [own[one.number] for one in manifest.migrations]


async def check_target(connection: asyncpg.Connection, *, replace: bool) -> None:
    """Refuse a database that somebody uses, and one with anything in it unless that is to be replaced."""
    if users := await connection.fetchval(_SQL["in_use"]):
        raise BackupError(
            f"brokers, workers or commands use the database: found {counted(users, 'connection')}, expected none; stop"
            " them first"
        )
    standing = await migrate.status(connection)
    if unknown := [one.name for one in standing if one.state is State.UNKNOWN]:
        raise BackupError(
            f"the database has migrations of another release: {', '.join(unknown)}. Restore into an empty database, or"
            " use that release"
        )
    filled = [
        row["name"]
        for row in await _columns(connection)
        if row["name"] not in _HOUSEKEEPING and await _has_rows(connection, row["name"])
    ]
    if filled and not replace:
        raise BackupError(
            f"the database is not empty: there are rows in {', '.join(filled)}. --replace throws away what is there;"
            " `ainp backup` keeps it"
        )


@dataclass(frozen=True, slots=True)
class Restored:
    """What came of it: migrations that were applied beyond the backup's, and tables that the server can't hold."""

    beyond: Sequence[str]
    left_out: Sequence[str]


async def restore(connection: asyncpg.Connection, reader: Reader, told: Told) -> Restored:
    """
    Put a verified backup in the place of whatever is there.

    Where the schema is the backup's already, all of it happens or nothing.
    """
    made = check_release(reader.manifest)
    there = {one.number for one in await migrate.status(connection) if one.recorded_checksum}
    if there - {one.number for one in made}:
        await migrate.down(connection, to=0)
    await migrate.up(connection, migrations=made)
    async with connection.transaction():
        await connection.execute("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '10s'")
        left_out = await _fill(connection, reader, told)
    beyond = await migrate.up(connection)
    await connection.execute("ANALYZE")
    return Restored(beyond, left_out)


async def _fill(connection: asyncpg.Connection, reader: Reader, told: Told) -> list[str]:
    tables = {table.name: table for table in reader.manifest.tables}
    emptied = [row["name"] for row in await _columns(connection)]
    if lacking := sorted(tables.keys() - {*emptied, _VECTORS}):
        raise BackupError(f"the backup has tables that its migrations do not make: {', '.join(lacking)}")
    for name in emptied:
        await connection.execute(f"ALTER TABLE {_quoted(name)} DISABLE TRIGGER USER")
    await connection.execute(f"TRUNCATE {', '.join(map(_quoted, emptied))}")
    left_out = []
    for name in await _in_order(connection, tables):
        if name == _VECTORS and not await _prepare_vectors(connection):
            left_out.append(name)  # without pgvector searches go by words; once it is there, vectors are made anew
            continue
        await _load(connection, reader, tables[name], told)
    for name in emptied:
        await connection.execute(f"ALTER TABLE {_quoted(name)} ENABLE TRIGGER USER")
    for counter in reader.manifest.counters:
        await connection.fetchval(_SQL["set_counter"], counter.name, counter.last)
    return left_out


async def _load(connection: asyncpg.Connection, reader: Reader, table: Table, told: Told) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for data in reader.read(table.name):
            told(data.count(b"\n"))
            yield data

    try:
        tag = await connection.copy_to_table(table.name, columns=table.columns, source=pieces())
    except asyncpg.PostgresError as error:
        raise BackupError(f"{table.name} can't be filled, and nothing was restored: {error}") from error
    if int(tag.split()[-1]) != table.rows:
        raise BackupError(f"{table.name} got {tag.split()[-1]} rows, expected {table.rows}; nothing was restored")


async def _prepare_vectors(connection: asyncpg.Connection) -> bool:
    """Have the table of embeddings for every model that is stored; not, where the server has no pgvector."""
    made = [await connection.fetchval(_SQL["prepare_vectors"], *row) for row in await connection.fetch(_SQL["models"])]
    return bool(made) and None not in made


async def _in_order(connection: asyncpg.Connection, names: Iterable[str]) -> list[str]:
    """Tables after those that they refer to; the vectors, whose table may be missing yet, as the last."""
    order = TopologicalSorter[str](dict.fromkeys(sorted(names), ()))
    for row in await connection.fetch(_SQL["references"], list(names)):
        order.add(row["name"], row["needs"])
    return sorted((name for name in order.static_order() if name in set(names)), key=lambda name: name == _VECTORS)


async def _applied(connection: asyncpg.Connection) -> list[Applied]:
    recorded = [one for one in await migrate.status(connection) if one.recorded_checksum]
    odd = [f"{one.name} ({one.state})" for one in recorded if one.state is not State.APPLIED]
    if odd:
        raise BackupError(
            f"the schema is not what its record says: {', '.join(odd)}. See `ainp migrate status`; `ainp migrate up`"
            " repairs what was rolled back by hand, and a later release's database is backed up with that release"
        )
    if not recorded:
        raise BackupError("there is nothing to back up: no migration was ever applied to this database")
    return [Applied(one.number, one.name, one.recorded_checksum or "") for one in recorded]


async def _columns(connection: asyncpg.Connection) -> Sequence[asyncpg.Record]:
    made = {what.removeprefix("table ") for one in migrate.packaged() for what in one.provides}
    rows: Sequence[asyncpg.Record] = await connection.fetch(_SQL["columns"], sorted({*made, _VECTORS}))
    return rows


async def _has_rows(connection: asyncpg.Connection, name: str) -> bool:
    return await connection.fetchval(f"TABLE {_quoted(name)} LIMIT 1") is not None


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
