"""The commands of the pages on operating and upgrading, run in their order as they stand there."""

import asyncio
import os
import re
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ainp.cli import app
from ainp.store import migrate
from support.api import an_api
from support.migrating import ROLLBACK, connected
from support.reader import ROOT, blocks
from support.serving import AINP

OPERATE = (ROOT / "docs" / "operate.md").read_text()
UPGRADE = (ROOT / "docs" / "upgrade.md").read_text()
BEFORE = 21  # a schema of long ago, for a page that brings it up


def shell(script: str, folder: Path, url: str) -> str:
    run = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env={"PATH": f"{AINP.parent}{os.pathsep}{os.environ['PATH']}", "DATABASE_URL": url, "LANG": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, f"{script}: {run.stdout}{run.stderr}"
    return run.stdout


def execute(url: str, *statements: str) -> None:
    async def run() -> None:
        async with connected(url) as db:
            for statement in statements:
                await db.execute(statement)

    asyncio.run(run())


async def _play(url: str) -> None:
    async with an_api(url) as api:
        client, agent, *_ = await api.register(8)
        await api.finalized(client, agent)


def test_the_day_s_commands_work_on_a_broker_that_has_worked(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asyncio.run(_play(database_url))
    monkeypatch.chdir(tmp_path)
    # What the shell makes of them is run in this process: each of its own would take a second.
    commands = shell('ainp() { echo "$@"; }\n' + "\n".join(blocks(OPERATE, "sh")), tmp_path, database_url).splitlines()
    results = [CliRunner().invoke(app, one.split(), env={"DATABASE_URL": database_url}) for one in commands]
    said = "".join(result.output for result in results)
    execute(database_url, *blocks(OPERATE, "sql"))

    assert [result.exit_code for result in results] == [0] * 7
    assert "nothing wrong was found" in said
    assert "(hidden)" in said
    assert "no receipt is stuck" in said
    assert re.search(r"^  3 +5 +5\.3 % .*now", said, re.MULTILINE)
    assert re.search(r"^  5 +9 +1\.5 %", said, re.MULTILINE)
    assert [path.stat().st_mode & 0o777 for path in tmp_path.glob("ainp-*.zip")] == [0o600]


@pytest.mark.long
def test_an_upgrade_goes_up_and_back_as_it_is_written(empty_database_url: str, tmp_path: Path) -> None:
    async def earlier() -> None:
        async with connected(empty_database_url) as db:
            await migrate.up(db, to=BEFORE)
            await db.execute("INSERT INTO agents (did, public_key) VALUES ('did:key:zEarlier', 'x')")

    asyncio.run(earlier())
    *there, back = blocks(UPGRADE, "sh")
    said = shell("\n".join(there), tmp_path, empty_database_url)
    execute(empty_database_url, *blocks(UPGRADE, "sql"))
    restored = shell(back, tmp_path, empty_database_url)

    assert said.count("would apply ") == said.count("\napplied ") == len(migrate.packaged()) - _made(BEFORE)
    assert "rows have something that would be lost\nnothing was changed\n" in said
    assert "restored " in restored
    assert "nothing wrong was found" in restored


def test_the_rollback_is_the_checklist_s_word_for_word() -> None:
    [shown] = blocks(UPGRADE, "sql")

    assert shown.split("\n") == [line for text in ROLLBACK.values() for line in text.strip().split("\n")] + [""]


def _made(number: int) -> int:
    return sum(one.number <= number for one in migrate.packaged())
