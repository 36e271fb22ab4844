"""`ainp migrate` against an existing database."""

import asyncio

import pytest
from typer.testing import CliRunner, Result

from ainp.cli.migrate import app
from support.migrating import ROLLBACK, connected, roll_back_by_hand


@pytest.fixture
def url(empty_database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("DATABASE_URL", empty_database_url)
    return empty_database_url


def ainp_migrate(*arguments: str, answer: str = "") -> Result:
    return CliRunner().invoke(app, list(arguments), input=answer)


def test_up_tells_what_it_did_and_then_that_nothing_is_to_do(url: str) -> None:
    first, second = ainp_migrate("up"), ainp_migrate("up")

    assert (first.exit_code, second.exit_code) == (0, 0)
    assert "applied 017_add_task_receipts (" in first.stdout
    assert second.stdout == "nothing to do\n"


def test_status_shows_every_migration_and_exits_with_1_when_something_is_to_be_done(url: str) -> None:
    ainp_migrate("up", "--to", "20")
    behind = ainp_migrate("status")
    ainp_migrate("up")
    complete = ainp_migrate("status")

    assert (behind.exit_code, complete.exit_code) == (1, 0)
    lines = [line.split() for line in behind.stdout.splitlines()]
    assert ["021", "021_add_agent_stakes", "pending"] in lines
    assert any(line[:3] == ["020", "020_update_task_receipts_status", "applied"] for line in lines)


def test_status_names_what_was_rolled_back_by_hand(url: str) -> None:
    async def by_hand() -> None:
        async with connected(url) as db:
            await roll_back_by_hand(db, list(ROLLBACK)[:1])

    ainp_migrate("up")
    asyncio.run(by_hand())
    status = ainp_migrate("status")

    assert status.exit_code == 1
    assert "021_add_agent_stakes was rolled back by hand; gone: table agent_stakes" in status.stdout


def test_down_asks_with_the_list_of_what_goes(url: str) -> None:
    ainp_migrate("up", "--to", "19")
    refused = ainp_migrate("down", "--to", "17", answer="n\n")
    kept = _applied(url)
    agreed = ainp_migrate("down", "--to", "17", answer="y\n")

    assert refused.exit_code == 1
    assert "  019_add_agent_reputation\n    table agent_reputation: 0 rows\n  018_add_" in refused.stdout
    assert "Go on?" in refused.stdout
    assert "rolled back" not in refused.stdout
    assert agreed.exit_code == 0
    assert agreed.stdout.count("rolled back") == kept - _applied(url) == 2


def test_down_does_not_ask_when_told_so(url: str) -> None:
    ainp_migrate("up")
    down = ainp_migrate("down", "--to", "0", "--yes")

    assert down.exit_code == 0
    assert "Go on?" not in down.stdout
    assert _applied(url) == 0
    assert ainp_migrate("down", "--to", "0").stdout == "nothing to do\n"


def test_a_dry_run_says_what_would_be_done_and_changes_nothing(url: str) -> None:
    before = ainp_migrate("up", "--to", "19", "--dry-run")
    ainp_migrate("up", "--to", "19")
    asyncio.run(_an_agent(url))
    up = ainp_migrate("up", "--dry-run")
    down = ainp_migrate("down", "--to", "0", "--dry-run")
    behind = ainp_migrate("status")

    assert [one.exit_code for one in (before, up, down, behind)] == [0, 0, 0, 1]
    assert "would apply 019_add_agent_reputation\n" in before.stdout
    assert up.stdout.startswith("would apply 020_update_task_receipts_status\n")
    assert "to apply; nothing was changed\n" in up.stdout
    assert "  001_agents\n    table agents: 1 row\n" in down.stdout
    assert down.stdout.endswith("rows have something that would be lost\nnothing was changed\n")
    assert "020_update_task_receipts_status" in behind.stdout


def test_a_dry_run_without_anything_to_do_says_so(url: str) -> None:
    assert ainp_migrate("down", "--to", "0", "--dry-run").stdout == "nothing to do\n"


def test_a_database_that_cannot_be_reached_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    status = ainp_migrate("status")

    assert status.exit_code == 2
    assert status.stderr.startswith("ainp migrate: ")
    assert status.stderr.count("\n") == 1


async def _an_agent(url: str) -> None:
    async with connected(url) as db:
        await db.execute("INSERT INTO agents (did, public_key) VALUES ('did:key:z1', 'x')")


def _applied(url: str) -> int:
    async def count() -> int:
        async with connected(url) as db:
            found: int = await db.fetchval("SELECT count(*) FROM schema_migrations")
            return found

    return asyncio.run(count())
