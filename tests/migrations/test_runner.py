"""The runner, on migrations of two lines."""

import asyncio
from pathlib import Path

import asyncpg
import pytest

from ainp.store import migrate
from ainp.store.migrate import MigrationError, State
from support.migrating import connected, states, tiny

SHELF = """-- A shelf.
-- provides: table shelf
CREATE TABLE IF NOT EXISTS shelf (id int);
-- down
DROP TABLE IF EXISTS shelf;
"""
BOOK = """-- What stands on it.
-- provides: column shelf.book
-- provides: index idx_shelf_book
ALTER TABLE shelf ADD COLUMN IF NOT EXISTS book text;
CREATE INDEX IF NOT EXISTS idx_shelf_book ON shelf (book);
-- down
ALTER TABLE IF EXISTS shelf DROP COLUMN IF EXISTS book;
"""
ANSWER = """-- A function.
-- provides: function answer
-- provides: column shelf.answered
ALTER TABLE shelf ADD COLUMN IF NOT EXISTS answered int;
CREATE OR REPLACE FUNCTION answer() RETURNS int LANGUAGE sql AS 'SELECT 41';
-- down
DROP FUNCTION IF EXISTS answer();
ALTER TABLE IF EXISTS shelf DROP COLUMN IF EXISTS answered;
"""
BETTER_ANSWER = """-- The same function, corrected.
-- provides: function answer
CREATE OR REPLACE FUNCTION answer() RETURNS int LANGUAGE sql AS 'SELECT 42';
-- down
CREATE OR REPLACE FUNCTION answer() RETURNS int LANGUAGE sql AS 'SELECT 41';
"""
NO_BOOK = """-- Books go away again.
-- removes: column shelf.book
-- removes: index idx_shelf_book
ALTER TABLE shelf DROP COLUMN IF EXISTS book;
-- down
ALTER TABLE IF EXISTS shelf ADD COLUMN IF NOT EXISTS book text;
CREATE INDEX IF NOT EXISTS idx_shelf_book ON shelf (book);
"""


async def test_each_migration_is_applied_once_and_recorded(empty_database_url: str, tmp_path: Path) -> None:
    files = tiny(tmp_path, _001_shelf=SHELF, _002_book=BOOK)
    async with connected(empty_database_url) as db:
        before = await states(db, files)
        steps: list[migrate.Step] = []
        first = await migrate.up(db, migrations=files, report=steps.append)
        second = await migrate.up(db, migrations=files)
        rows = await db.fetch("SELECT number, name, checksum, duration_ms FROM schema_migrations ORDER BY 1")

        assert before == {1: State.PENDING, 2: State.PENDING}
        assert (first, second) == (["001_shelf", "002_book"], [])
        assert [str(step).split(" (")[0] for step in steps] == ["applied 001_shelf", "applied 002_book"]
        assert [row["checksum"] for row in rows] == [one.checksum for one in files]
        assert all(row["duration_ms"] >= 0 for row in rows)
        assert await migrate.missing(db, migrations=files) == []


async def test_up_to_a_number_stops_there(empty_database_url: str, tmp_path: Path) -> None:
    files = tiny(tmp_path, _001_shelf=SHELF, _002_book=BOOK)
    async with connected(empty_database_url) as db:
        await migrate.up(db, to=1, migrations=files)

        assert await states(db, files) == {1: State.APPLIED, 2: State.PENDING}


async def test_down_goes_in_reverse_and_only_strikes_what_is_gone(empty_database_url: str, tmp_path: Path) -> None:
    files = tiny(tmp_path, _001_shelf=SHELF, _002_book=BOOK, _003_answer=ANSWER)
    steps: list[migrate.Step] = []
    async with connected(empty_database_url) as db:
        await migrate.up(db, migrations=files)
        await db.execute("ALTER TABLE shelf DROP COLUMN book")
        gone = await migrate.down(db, to=0, migrations=files, report=steps.append)

        assert gone == ["003_answer", "002_book", "001_shelf"]
        assert [step.action for step in steps] == ["rolled back", "unrecorded", "rolled back"]
        assert set((await states(db, files)).values()) == {State.PENDING}
        assert await db.fetchval("SELECT count(*) FROM schema_migrations") == 0
        assert await migrate.down(db, to=0, migrations=files) == []


async def test_a_partly_gone_migration_is_taken_back_in_full(empty_database_url: str, tmp_path: Path) -> None:
    files = tiny(tmp_path, _001_shelf=SHELF, _002_book=BOOK)
    async with connected(empty_database_url) as db:
        await migrate.up(db, migrations=files)
        await db.execute("DROP INDEX idx_shelf_book")
        await migrate.down(db, to=1, migrations=files)

        assert await states(db, files) == {1: State.APPLIED, 2: State.PENDING}
        assert await db.fetchval("SELECT count(*) FROM pg_attribute WHERE attname = 'book'") == 0


async def test_a_rollback_by_hand_shows_with_what_went_along_and_up_repairs_it(
    empty_database_url: str, tmp_path: Path
) -> None:
    files = tiny(tmp_path, _001_shelf=SHELF, _002_book=BOOK)
    async with connected(empty_database_url) as db:
        await migrate.up(db, migrations=files)
        await db.execute("DROP TABLE shelf")
        lost = await migrate.missing(db, migrations=files)
        again = await migrate.up(db, migrations=files)

        assert [(one.number, one.state, one.missing) for one in lost] == [
            (1, State.ROLLED_BACK, ("table shelf",)),
            (2, State.ROLLED_BACK, ("column shelf.book", "index idx_shelf_book")),
        ]
        assert again == ["001_shelf", "002_book"]
        assert await migrate.missing(db, migrations=files) == []


async def test_what_was_applied_by_hand_is_adopted(empty_database_url: str, tmp_path: Path) -> None:
    files = tiny(tmp_path, _001_shelf=SHELF, _002_book=BOOK)
    async with connected(empty_database_url) as db:
        await db.execute(files[0].up)
        await db.execute("INSERT INTO shelf VALUES (7)")
        seen = await states(db, files)
        await migrate.up(db, migrations=files)

        assert seen == {1: State.UNRECORDED, 2: State.PENDING}
        assert await states(db, files) == {1: State.APPLIED, 2: State.APPLIED}
        assert await db.fetchval("SELECT id FROM shelf") == 7


async def test_a_later_definition_outlives_the_repair_of_an_earlier_one(
    empty_database_url: str, tmp_path: Path
) -> None:
    files = tiny(tmp_path, _001_shelf=SHELF, _002_answer=ANSWER, _003_better=BETTER_ANSWER)
    async with connected(empty_database_url) as db:
        await migrate.up(db, migrations=files)
        await db.execute("ALTER TABLE shelf DROP COLUMN answered")
        again = await migrate.up(db, to=2, migrations=files)

        assert again == ["002_answer", "003_better"]
        assert await db.fetchval("SELECT answer()") == 42


async def test_a_function_that_an_earlier_one_provides_does_not_make_a_later_one_applied(
    empty_database_url: str, tmp_path: Path
) -> None:
    files = tiny(tmp_path, _001_shelf=SHELF, _002_answer=ANSWER, _003_better=BETTER_ANSWER)
    async with connected(empty_database_url) as db:
        await migrate.up(db, migrations=files)
        gone = await migrate.down(db, to=2, migrations=files)

        assert gone == ["003_better"]
        assert await db.fetchval("SELECT answer()") == 41
        assert await states(db, files) == {1: State.APPLIED, 2: State.APPLIED, 3: State.PENDING}


async def test_what_a_later_migration_removes_is_not_missed(empty_database_url: str, tmp_path: Path) -> None:
    files = tiny(tmp_path, _001_shelf=SHELF, _002_book=BOOK, _003_no_book=NO_BOOK)
    async with connected(empty_database_url) as db:
        await migrate.up(db, migrations=files)
        complete = await migrate.missing(db, migrations=files)
        await db.execute("DROP TABLE shelf")
        again = await migrate.up(db, migrations=files)
        await migrate.down(db, to=2, migrations=files)

        assert complete == []
        assert again[0] == "001_shelf"
        assert await states(db, files) == {1: State.APPLIED, 2: State.APPLIED, 3: State.PENDING}


async def test_a_failing_migration_leaves_nothing_behind(empty_database_url: str, tmp_path: Path) -> None:
    broken = "-- Breaks half-way.\n-- provides: table half\nCREATE TABLE half (id int);\nSELECT 1 / 0;\n"
    files = tiny(tmp_path, _001_shelf=SHELF, _002_half=broken, _003_book=BOOK)
    async with connected(empty_database_url) as db:
        with pytest.raises(MigrationError, match=r"002_half\.sql failed and left nothing behind: division"):
            await migrate.up(db, migrations=files)

        assert await states(db, files) == {1: State.APPLIED, 2: State.PENDING, 3: State.PENDING}
        assert await db.fetchval("SELECT to_regclass('half')") is None
        assert await db.fetchval("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 0


async def test_a_migration_must_provide_what_it_says(empty_database_url: str, tmp_path: Path) -> None:
    files = tiny(tmp_path, _001_shelf=SHELF.replace("table shelf", "table shelve"))
    async with connected(empty_database_url) as db:
        with pytest.raises(MigrationError, match="says that it provides table shelve, and found no such"):
            await migrate.up(db, migrations=files)

        assert await db.fetchval("SELECT to_regclass('shelf')") is None


async def test_an_edited_file_is_refused_with_both_checksums(empty_database_url: str, tmp_path: Path) -> None:
    files = tiny(tmp_path, _001_shelf=SHELF)
    async with connected(empty_database_url) as db:
        await migrate.up(db, migrations=files)
        edited = tiny(tmp_path, _001_shelf=SHELF.replace("(id int)", "(id bigint)"), _002_book=BOOK)
        with pytest.raises(MigrationError) as caught:
            await migrate.up(db, migrations=edited)

        assert "001_shelf.sql" in str(caught.value)
        assert edited[0].checksum in str(caught.value)
        assert files[0].checksum in str(caught.value)
        assert await states(db, edited) == {1: State.EDITED, 2: State.PENDING}

        await migrate.down(db, to=0, migrations=edited)
        await migrate.up(db, migrations=edited)

        assert await migrate.missing(db, migrations=edited) == []


async def test_two_runners_at_once_apply_each_migration_once(empty_database_url: str, tmp_path: Path) -> None:
    slow = SHELF.replace("CREATE", "SELECT pg_sleep(0.3);\nCREATE")
    files = tiny(tmp_path, _001_shelf=slow, _002_book=BOOK)
    async with connected(empty_database_url) as one, connected(empty_database_url) as other:
        done = await asyncio.gather(migrate.up(one, migrations=files), migrate.up(other, migrations=files))

        assert sorted(done) == [[], ["001_shelf", "002_book"]]


async def test_a_migration_gives_up_on_a_lock_rather_than_hold_up_everyone(
    empty_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "LOCK_TIMEOUT", "100ms")
    files = tiny(tmp_path, _001_shelf=SHELF, _002_book=BOOK)
    async with connected(empty_database_url) as db, connected(empty_database_url) as reader:
        await migrate.up(db, to=1, migrations=files)
        async with reader.transaction():
            await reader.execute("SELECT * FROM shelf")
            with pytest.raises(MigrationError, match="lock timeout"):
                await migrate.up(db, migrations=files)

        assert await migrate.up(db, migrations=files) == ["002_book"]
        assert await db.fetchval("SHOW lock_timeout") == "0"


async def test_a_runner_that_waits_too_long_says_for_what(
    empty_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "TURN_TIMEOUT_S", 0.0)
    files = tiny(tmp_path, _001_shelf=SHELF)
    async with connected(empty_database_url) as db, connected(empty_database_url) as other:
        await other.execute("SELECT pg_advisory_lock($1)", migrate.LOCK_KEY)

        with pytest.raises(MigrationError, match="another migration of this database is still running"):
            await migrate.up(db, migrations=files)


async def test_a_newer_release_is_left_alone_and_only_it_can_go_down(empty_database_url: str, tmp_path: Path) -> None:
    files = tiny(tmp_path, _001_shelf=SHELF, _002_book=BOOK)
    async with connected(empty_database_url) as db:
        await migrate.up(db, migrations=files)
        older = files[:1]

        assert await migrate.up(db, migrations=older) == []
        assert await migrate.missing(db, migrations=older) == []
        assert await states(db, older) == {1: State.APPLIED, 2: State.UNKNOWN}
        with pytest.raises(MigrationError, match="002_book was applied by another release"):
            await migrate.down(db, to=0, migrations=older)


async def test_an_open_transaction_is_refused(empty_database_url: str, tmp_path: Path) -> None:
    files = tiny(tmp_path, _001_shelf=SHELF)
    async with connected(empty_database_url) as db, db.transaction():
        with pytest.raises(MigrationError, match="found an open transaction"):
            await migrate.up(db, migrations=files)


async def test_a_runner_that_loses_its_connection_leaves_the_database_as_it_was(
    empty_database_url: str, tmp_path: Path
) -> None:
    dies = SHELF.replace("-- down", "SELECT pg_sleep(5);\n-- down")
    files = tiny(tmp_path, _001_shelf=dies)
    async with connected(empty_database_url) as db, connected(empty_database_url) as other:
        running = asyncio.create_task(migrate.up(db, migrations=files))
        await asyncio.sleep(0.3)
        await other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND datname = current_database()"
        )
        with pytest.raises((MigrationError, asyncpg.InterfaceError, OSError)):
            await running

        assert await states(other, files) == {1: State.PENDING}
        assert await migrate.up(other, migrations=tiny(tmp_path, _001_shelf=SHELF)) == ["001_shelf"]
