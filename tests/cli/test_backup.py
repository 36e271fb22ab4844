"""`ainp backup` and `ainp restore`: what comes back is what was there, or it is refused and nothing is touched."""

import asyncio
import json
import re
import shutil
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from typer.testing import CliRunner, Result

from ainp.cli import app
from ainp.store import migrate
from ainp.store.backup_file import Reader
from ainp.worker.jobs import scheduled
from support.api import an_api
from support.database import Databases, a_folder
from support.lived import live
from support.migrating import connected
from support.ticks import a_tick

CAPABILITY = """
INSERT INTO capabilities (agent_id, description, tags, version)
SELECT id, 'translates', '{}', '1.0.0' FROM agents LIMIT 1
"""
VECTOR = """
INSERT INTO capability_vectors
SELECT c.id, m.id, array_fill(0.1, ARRAY[256])::real[]::halfvec FROM capabilities c, embedding_models m
"""


@pytest.fixture(scope="module")
def lived(databases: Databases, migrated_template: str) -> Iterator[str]:
    """A database where everything has happened."""
    with databases.fresh(template=migrated_template) as url:
        asyncio.run(live(url))
        sql(url, CAPABILITY, VECTOR, "SELECT nextval('cohort_numbers')")
        yield url


@pytest.fixture(scope="module")
def saved(lived: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its backup."""
    file = tmp_path_factory.mktemp("backup") / "ainp.zip"
    made = ainp("backup", str(file), url=lived)

    assert made.exit_code == 0, made.output
    return file


def ainp(*arguments: str, url: str) -> Result:
    return CliRunner().invoke(app, list(arguments), env={"DATABASE_URL": url})


def sql(url: str, *statements: str) -> None:
    async def execute() -> None:
        async with connected(url) as db:
            for statement in statements:
                await db.execute(statement)

    asyncio.run(execute())


def value(url: str, query: str) -> object:
    async def fetch() -> object:
        async with connected(url) as db:
            found: object = await db.fetchval(query)
            return found

    return asyncio.run(fetch())


def digests(file: Path) -> dict[str, tuple[int, str]]:
    with Reader(file) as reader:
        return {table.name: (table.rows, table.sha256) for table in reader.manifest.tables}


def counters(file: Path) -> dict[str, int]:
    with Reader(file) as reader:
        return {counter.name: counter.last for counter in reader.manifest.counters}


def test_what_comes_back_is_what_was_there_and_is_proven(saved: Path, empty_database_url: str, tmp_path: Path) -> None:
    restored = ainp("restore", str(saved), url=empty_database_url)
    again = ainp("backup", str(tmp_path / "again.zip"), url=empty_database_url)

    assert restored.exit_code == 0, restored.output
    assert "nothing wrong was found" in restored.stdout
    assert again.exit_code == 0, again.output
    assert digests(tmp_path / "again.zip") == digests(saved)
    assert digests(saved)["capability_vectors"][0] == 1
    assert counters(tmp_path / "again.zip") == counters(saved)
    assert {"cohort_numbers", "outbox_id_seq"} <= counters(saved).keys()
    assert min(rows for name, (rows, _) in digests(saved).items() if name in ("agents", "task_receipts")) > 5
    sql(empty_database_url, "INSERT INTO outbox (event, recipients, body) VALUES ('x', '{}', '{}')")
    with pytest.raises(Exception, match="its rows are statements and never change"):
        sql(empty_database_url, "DELETE FROM ledger_entries")


def test_every_table_is_in_it(lived: str, saved: Path) -> None:
    there = value(
        lived,
        "SELECT array_agg(relname::text) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace",
    )

    assert isinstance(there, list)
    assert set(there) - {"schema_migrations"} == digests(saved).keys()


def test_the_file_is_its_owner_s_alone_and_can_be_read_without_a_broker(saved: Path) -> None:
    with zipfile.ZipFile(saved) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        agents = archive.read("agents.copy").splitlines()

    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]
    assert {table["name"]: table["rows"] for table in manifest["tables"]}["agents"] == len(agents)
    assert manifest["migrations"][-1]["name"] == migrate.packaged()[-1].name


def test_a_file_that_is_there_is_not_replaced_unless_told_so(lived: str, tmp_path: Path) -> None:
    file = tmp_path / "ainp.zip"
    file.write_text("something")
    refused = ainp("backup", str(file), url=lived)
    kept = file.read_text()
    forced = ainp("backup", "--force", str(file), url=lived)

    assert (refused.exit_code, kept) == (2, "something")
    assert f"{file} is there already" in refused.stderr
    assert forced.exit_code == 0
    assert re.search(r"^SHA-256 [0-9a-f]{64}$", forced.stdout, re.MULTILINE)


def test_a_backup_is_of_one_moment_while_the_broker_works(database_url: str, tmp_path: Path) -> None:
    """Settlements go on meanwhile; the ledger of the copy sums up to nothing all the same."""

    async def play() -> Result:
        async with an_api(database_url) as api:
            client, agent, *_ = await api.register(8)
            backup = asyncio.create_task(
                asyncio.to_thread(ainp, "backup", str(tmp_path / "ainp.zip"), url=database_url)
            )
            while not backup.done():
                await api.settled(client, agent, price=1)
            return await backup

    made = asyncio.run(play())

    assert made.exit_code == 0, made.output
    sql(database_url, "INSERT INTO greylist SELECT 'x', 'y', now() WHERE false")
    restored = ainp("restore", "--replace", str(tmp_path / "ainp.zip"), url=database_url)
    assert restored.exit_code == 0, restored.output


def test_a_database_with_something_in_it_is_refused_unless_it_is_to_be_replaced(saved: Path, database_url: str) -> None:
    sql(database_url, "INSERT INTO agents (did, public_key) VALUES ('did:key:zOther', 'x')")
    refused = ainp("restore", str(saved), url=database_url)
    kept = value(database_url, "SELECT count(*) FROM agents")
    replaced = ainp("restore", "--replace", str(saved), url=database_url)

    assert (refused.exit_code, kept) == (2, 1)
    assert "the database is not empty: there are rows in agents. --replace throws away" in refused.stderr
    assert replaced.exit_code == 0, replaced.output
    assert value(database_url, "SELECT count(*) FROM agents WHERE did = 'did:key:zOther'") == 0


def test_what_a_broker_without_agents_has_written_by_itself_does_not_count(saved: Path, database_url: str) -> None:
    async def every_job_once() -> None:
        async with an_api(database_url, usefulness_reward_pool_enabled=True) as api:
            await api.get("/health/ready")
            for job in scheduled(api.broker):
                await a_tick(api.broker.database, job)

    asyncio.run(every_job_once())
    restored = ainp("restore", str(saved), url=database_url)

    assert restored.exit_code == 0, restored.output


def test_a_database_in_use_is_refused(saved: Path, database_url: str) -> None:
    async def with_a_broker() -> Result:
        async with an_api(database_url) as api:
            await api.get("/health")
            return await asyncio.to_thread(ainp, "restore", str(saved), url=database_url)

    refused = asyncio.run(with_a_broker())

    assert refused.exit_code == 2
    assert "brokers, workers or commands use the database" in refused.stderr


def test_a_damaged_file_is_refused_before_anything_is_touched(
    saved: Path, empty_database_url: str, tmp_path: Path
) -> None:
    damaged, cut, forged = tmp_path / "damaged.zip", tmp_path / "cut.zip", tmp_path / "forged.zip"
    with zipfile.ZipFile(saved) as archive:
        begins = archive.getinfo("agents.copy").header_offset
    data = bytearray(saved.read_bytes())
    data[begins + 200] ^= 0xFF
    damaged.write_bytes(data)
    cut.write_bytes(saved.read_bytes()[:-1000])
    with zipfile.ZipFile(saved) as whole, zipfile.ZipFile(forged, "w") as archive:
        for name in whole.namelist():
            archive.writestr(name, whole.read(name).replace(b"available:", b"available_"))
    results = [ainp("restore", str(file), url=empty_database_url) for file in (damaged, cut, forged)]

    assert [result.exit_code for result in results] == [2, 2, 2]
    assert "is damaged" in results[0].stderr
    assert "is no backup, or not all of one" in results[1].stderr
    assert "accounts has" in results[2].stderr
    assert value(empty_database_url, "SELECT count(*) FROM pg_class WHERE relname = 'schema_migrations'") == 0


def test_an_ordinary_owner_restores_it_without_the_vectors_that_need_an_extension(
    saved: Path, empty_database_url: str
) -> None:
    name = urlsplit(empty_database_url).path.removeprefix("/")
    role = f"owner_of_{name}"
    sql(empty_database_url, f"CREATE ROLE {role} LOGIN PASSWORD 'x'", f"ALTER DATABASE {name} OWNER TO {role}")
    host = urlsplit(empty_database_url)
    own = host._replace(netloc=f"{role}:x@{host.netloc.rpartition('@')[2]}").geturl()
    try:
        restored = ainp("restore", str(saved), url=own)
    finally:
        sql(
            empty_database_url,
            f"REASSIGN OWNED BY {role} TO CURRENT_USER",
            f"ALTER DATABASE {name} OWNER TO CURRENT_USER",
            f"DROP OWNED BY {role}",
            f"DROP ROLE {role}",
        )

    assert restored.exit_code == 0, restored.output
    assert "left out capability_vectors: this PostgreSQL has no pgvector" in restored.stdout


def test_check_looks_at_the_file_alone(saved: Path) -> None:
    checked = ainp("restore", "--check", str(saved), url="postgresql://nobody@127.0.0.1:1/nothing")

    assert checked.exit_code == 0, checked.output
    assert f"{saved} is whole: " in checked.stdout


def test_a_backup_of_a_later_release_is_refused_with_what_to_do(
    saved: Path, empty_database_url: str, tmp_path: Path
) -> None:
    later, form, edited = tmp_path / "later.zip", tmp_path / "form.zip", tmp_path / "edited.zip"
    changes = {
        later: ('"migrations": [', '"migrations": [{"number": 999, "name": "999_later", "checksum": "x"},'),
        form: ('"format": 1', '"format": 2'),
        edited: (migrate.packaged()[0].checksum, "0" * 64),
    }
    for file, (old, new) in changes.items():
        rewritten(saved, file, old, new)
    refused = {file: ainp("restore", str(file), url=empty_database_url) for file in changes}

    assert {result.exit_code for result in refused.values()} == {2}
    assert "this release does not know: 999_later" in refused[later].stderr
    assert "this release reads form 1" in refused[form].stderr
    assert "001_agents is not this release's" in refused[edited].stderr


def test_a_backup_of_an_earlier_schema_is_brought_up(
    databases: Databases, empty_database_url: str, tmp_path: Path
) -> None:
    async def some_migrations() -> None:
        async with connected(empty_database_url) as db:
            await migrate.up(db, to=28)
            await db.execute("INSERT INTO agents (did, public_key) VALUES ('did:key:zOld', 'x')")

    asyncio.run(some_migrations())
    made = ainp("backup", str(tmp_path / "old.zip"), url=empty_database_url)
    with databases.fresh() as url:
        restored = ainp("restore", str(tmp_path / "old.zip"), url=url)
        there = value(url, "SELECT count(*) FROM agents WHERE did = 'did:key:zOld'")

    assert (made.exit_code, restored.exit_code, there) == (0, 0, 1), restored.output
    assert "applied 029_audit_log" in restored.stdout


def test_a_schema_that_was_rolled_back_by_hand_is_not_backed_up(database_url: str, tmp_path: Path) -> None:
    sql(database_url, "DROP TABLE agent_stakes")
    refused = ainp("backup", str(tmp_path / "ainp.zip"), url=database_url)

    assert refused.exit_code == 2
    assert "021_add_agent_stakes (rolled_back)" in refused.stderr
    assert list(tmp_path.iterdir()) == []


def test_nothing_to_back_up_is_said(empty_database_url: str, tmp_path: Path) -> None:
    refused = ainp("backup", str(tmp_path / "ainp.zip"), url=empty_database_url)

    assert refused.exit_code == 2
    assert "there is nothing to back up" in refused.stderr


@pytest.mark.long
def test_a_data_folder_of_its_own_is_made_for_a_backup(saved: Path) -> None:
    with a_folder() as folder:
        env = {"DATABASE_URL": "", "AINP_DATA_DIR": str(folder / "data")}
        restored = CliRunner().invoke(app, ["restore", str(saved)], env=env)
        back = CliRunner().invoke(app, ["backup", str(folder / "back.zip")], env=env)
        same = digests(folder / "back.zip") == digests(saved)
        shutil.rmtree(folder / "data")

    assert (restored.exit_code, back.exit_code, same) == (0, 0, True), restored.output + back.output


def rewritten(old: Path, new: Path, found: str, put: str) -> None:
    """The same backup with another manifest."""
    with zipfile.ZipFile(old) as whole, zipfile.ZipFile(new, "w") as archive:
        for name in whole.namelist():
            data = whole.read(name)
            if name == "manifest.json":
                assert found in data.decode()
                data = data.decode().replace(found, put, 1).encode()
            archive.writestr(name, data)
