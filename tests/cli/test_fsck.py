"""`ainp fsck` on an existing database, beside a running broker, and on its own."""

import asyncio
import json
from pathlib import Path

import asyncpg
import pytest
from typer.testing import CliRunner, Result

from ainp.cli import app
from ainp.store import migrate
from ainp.store.embedded import EmbeddedPostgres
from support.api import an_api
from support.database import a_folder
from support.migrating import connected


@pytest.fixture
def url(database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("DATABASE_URL", database_url)
    return database_url


def ainp_fsck(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["fsck", *arguments])


def sql(url: str, *statements: str) -> None:
    async def execute() -> None:
        async with connected(url) as db:
            for statement in statements:
                await db.execute(statement)

    asyncio.run(execute())


def play(url: str) -> None:
    async def flow() -> None:
        async with an_api(url) as api:
            client, agent, *_ = await api.register(8)
            await api.finalized(client, agent)

    asyncio.run(flow())


def test_a_clean_database_exits_with_0_and_a_table(url: str) -> None:
    play(url)
    result = ainp_fsck()

    assert result.exit_code == 0, result.output
    assert result.stdout.endswith("nothing wrong was found\n")
    parts = {line.split()[0]: line.split()[1:4] for line in result.stdout.splitlines() if line.strip()}
    assert parts["receipts"] == ["1", "receipts", "0"]
    assert parts["attestations"] == ["6", "attestations", "0"]


def test_what_is_wrong_is_a_line_and_exits_with_1(url: str) -> None:
    play(url)
    sql(
        url,
        "UPDATE accounts SET balance = balance + 7 WHERE account = 'pool'",
        "DROP TRIGGER ledger_entries_immutable ON ledger_entries",
    )
    result = ainp_fsck()

    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert "ledger-sum: all accounts together: found 7, expected 0" in lines
    assert "account-balance: pool: found 10007, expected 10000 by its entries" in lines
    assert any(line.startswith("schema: migration 002_ledger: found rolled_back, without trigger") for line in lines)
    assert lines[-1] == "3 findings"


def test_json_is_an_object_a_line(url: str) -> None:
    sql(url, "INSERT INTO accounts VALUES ('available:x\x1b[31m', 7)")
    result = ainp_fsck("--json")

    *findings, summary = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 1
    assert findings[1] == {
        "check": "account-balance",
        "subject": "available:x\x1b[31m",
        "found": "7",
        "expected": "0 by its entries",
    }
    assert (summary["clean"], summary["findings"]) == (False, 2)
    assert summary["parts"]["accounts"] == {"looked_at": 3, "findings": 2, "missing_migrations": []}


def test_missing_migrations_are_named_and_exit_with_2(url: str) -> None:
    sql(url, "DROP TABLE task_attestations")
    result = ainp_fsck()
    as_json = ainp_fsck("--json")

    assert (result.exit_code, as_json.exit_code) == (2, 2)
    assert "migrations are missing: 018_add_task_attestations (rolled_back); see `ainp migrate status`" in result.stdout
    assert "not looked at" in result.stdout
    summary = json.loads(as_json.stdout)
    assert not summary["clean"]
    assert summary["parts"]["receipts"]["missing_migrations"] == ["018_add_task_attestations (rolled_back)"]


def test_what_can_be_looked_at_is_wrong_also_where_migrations_are_missing(url: str) -> None:
    sql(url, "DROP TABLE task_attestations", "UPDATE accounts SET balance = 7 WHERE account = 'pool'")

    assert ainp_fsck().exit_code == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing"), ("DATABASE_URL", "nonsense"), ("POU_K", "many")],
)
@pytest.mark.parametrize("command", [["fsck"], ["migrate", "status"]], ids=["fsck", "migrate"])
def test_what_cannot_run_is_one_line(
    command: list[str], name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    result = CliRunner().invoke(app, command)

    assert result.exit_code == 2
    assert result.stderr.startswith(f"ainp {command[0]}: ")
    assert result.stderr.count("\n") == 1


def test_a_database_that_does_not_answer_is_named_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://ainp:7f3e9a1c@127.0.0.1:1/nothing")
    result = ainp_fsck()

    assert result.stderr.startswith("ainp fsck: DATABASE_URL (127.0.0.1:1/nothing): Connect")


@pytest.mark.parametrize(
    "command", [["fsck"], ["migrate", "status"], ["migrate", "down", "--to", "16"], ["receipts", "stuck"]]
)
def test_a_folder_without_a_database_gets_none_from_who_only_looks(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setenv("AINP_DATA_DIR", str(tmp_path / "mistaken"))
    result = CliRunner().invoke(app, command)

    assert result.exit_code == 2
    assert result.stderr.startswith(f"ainp {command[0]}: there is no database in {tmp_path / 'mistaken'}: set ")
    assert not (tmp_path / "mistaken").exists()


def test_it_looks_while_the_broker_runs_and_after_it_has_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    with a_folder() as folder:
        monkeypatch.delenv("DATABASE_URL", raising=False)
        monkeypatch.setenv("AINP_DATA_DIR", str(folder))
        with EmbeddedPostgres(folder, durable=False) as running:
            asyncio.run(_migrated(running.dsn))
            beside = ainp_fsck()

            assert (beside.exit_code, running.alive()) == (0, True), beside.output
        alone = ainp_fsck()

        assert alone.exit_code == 0, alone.output
        assert not list(Path(folder).rglob("postmaster.pid"))


async def _migrated(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    await migrate.up(connection)
    await connection.close()
