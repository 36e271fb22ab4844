"""What would be lost is what is lost."""

from pathlib import Path

from ainp.store import migrate
from ainp.store.migration_losses import Loss, losses
from support.migrating import catalog, connected, tiny

DATA = ("table ", "column ")


async def test_it_names_exactly_the_tables_and_columns_that_then_go(empty_database_url: str) -> None:
    async with connected(empty_database_url) as db:
        await migrate.up(db)
        for one in reversed(migrate.packaged()):
            before = await catalog(db)
            (step,) = await losses(db, to=one.number - 1)
            await migrate.down(db, to=one.number - 1)
            gone = before - await catalog(db)
            named = {f"{loss.kind} {loss.name}" for loss in step.losses}
            tables = {what.removeprefix("table ") for what in named if what.startswith("table ")}
            of_tables = {
                what for what in gone if what.startswith("column ") and what.split()[1].split(".")[0] in tables
            }

            assert step.name == one.name
            assert {what for what in gone if what.startswith(DATA)} - of_tables == named


async def test_rows_and_values_are_counted(empty_database_url: str, tmp_path: Path) -> None:
    files = tiny(
        tmp_path,
        _001_things="-- Things.\n-- provides: table things\nCREATE TABLE IF NOT EXISTS things (id int);\n-- down\n"
        "DROP TABLE IF EXISTS things;",
        _002_names="-- Names.\n-- provides: column things.name\n"
        "ALTER TABLE things ADD COLUMN IF NOT EXISTS name text;\n-- down\n"
        "ALTER TABLE IF EXISTS things DROP COLUMN IF EXISTS name;",
    )
    async with connected(empty_database_url) as db:
        await migrate.up(db, migrations=files)
        await db.execute("INSERT INTO things VALUES (1, 'one'), (2, NULL), (3, 'three')")
        newest = await losses(db, to=1, migrations=files)
        both = await losses(db, to=0, migrations=files)
        await db.execute("ALTER TABLE things DROP COLUMN name")
        by_hand = await losses(db, to=0, migrations=files)

    assert [step.losses for step in newest] == [(Loss("column", "things.name", 2),)]
    assert [str(loss) for step in both for loss in step.losses] == [
        "column things.name: 2 rows with a value",
        "table things: 3 rows",
    ]
    assert [step.rows for step in both] == [2, 3]
    assert [step.losses for step in by_hand] == [(), (Loss("table", "things", 3),)]
