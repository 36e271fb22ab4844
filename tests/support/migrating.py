"""What the migration tests share: a connection, tiny migrations, and the mission's rollback as it stands."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from ainp.store import migrate
from ainp.store.migrate import Migration, State

# Word for word from the production deployment checklist, "Rollback Plan".
ROLLBACK = {
    21: "DROP TABLE IF EXISTS agent_stakes;",
    20: """
ALTER TABLE task_receipts DROP COLUMN IF EXISTS status;
ALTER TABLE task_receipts DROP COLUMN IF EXISTS committee;
ALTER TABLE task_receipts DROP COLUMN IF EXISTS k;
ALTER TABLE task_receipts DROP COLUMN IF EXISTS m;
ALTER TABLE task_receipts DROP COLUMN IF EXISTS finalized_at;
""",
    19: "DROP TABLE IF EXISTS agent_reputation;",
    18: "DROP TABLE IF EXISTS task_attestations;",
    17: "DROP TABLE IF EXISTS task_receipts;",
}


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


async def roll_back_by_hand(connection: asyncpg.Connection, numbers: Iterable[int]) -> None:
    for number in numbers:
        await connection.execute(ROLLBACK[number])


async def states(connection: asyncpg.Connection, migrations: Sequence[Migration] | None = None) -> dict[int, State]:
    return {one.number: one.state for one in await migrate.status(connection, migrations=migrations)}


async def catalog(connection: asyncpg.Connection) -> set[str]:
    """List the objects of the schema as `-- provides:` names them, without what belongs to a table or key."""
    rows = await connection.fetch("""
        WITH relation AS (SELECT * FROM pg_class WHERE relnamespace = 'public'::regnamespace)
        SELECT CASE relkind WHEN 'v' THEN 'view ' WHEN 'm' THEN 'view ' WHEN 'S' THEN 'sequence '
                            WHEN 'i' THEN 'index ' ELSE 'table ' END || relname
          FROM relation WHERE NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = relation.oid)
           AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = relation.oid AND deptype IN ('a', 'i')
                              AND classid = 'pg_class'::regclass AND relkind = 'S')
        UNION ALL
        SELECT 'column ' || relname || '.' || attname FROM relation JOIN pg_attribute ON attrelid = relation.oid
         WHERE attnum > 0 AND NOT attisdropped AND relkind IN ('r', 'p')
        UNION ALL
        SELECT 'trigger ' || relname || '.' || tgname FROM relation JOIN pg_trigger ON tgrelid = relation.oid
         WHERE NOT tgisinternal
        UNION ALL
        SELECT 'function ' || proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
        UNION ALL
        SELECT 'extension ' || extname FROM pg_extension WHERE extname <> 'plpgsql'
        """)
    return {row[0] for row in rows if "schema_migrations" not in row[0]}


async def not_applied(connection: asyncpg.Connection) -> dict[int, State]:
    return {one.number: one.state for one in await migrate.missing(connection)}


def tiny(folder: Path, **texts: str) -> tuple[Migration, ...]:
    """Write `_001_name="up -- down down"` as migrations into *folder* and load them."""
    for name, text in texts.items():
        up, _, down = text.partition("-- down\n")
        (folder / f"{name[1:]}.sql").write_text(up, "utf-8")
        (folder / f"{name[1:]}.down.sql").write_text(down, "utf-8")
    return migrate.load(folder)
