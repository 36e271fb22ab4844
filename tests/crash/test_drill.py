"""
The whole drill of an operator, by command: the release before, an upgrade to the wheel, a rollback, a restore.

The broker is the wheel that would be released, in an environment of its own, with its own PostgreSQL.
"""

import asyncio
import subprocess
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from ainp.store.embedded import EmbeddedPostgres
from support.migrating import ROLLBACK, connected, roll_back_by_hand
from support.releases import (
    EARLIER,
    call,
    earlier_source,
    installed_wheel,
    play,
    register,
    serving_earlier,
    serving_with,
)
from support.serving import Served, a_data_dir, a_free_port, an_environment, status_of

JOBS = 5


@dataclass(frozen=True)
class Operator:
    """Somebody with the wheel's command and a data folder."""

    command: Path
    data_dir: Path
    settings: Mapping[str, str]

    def ainp(self, *arguments: str, code: int = 0) -> str:
        """Run a command as the broker would be run."""
        run = subprocess.run(
            [self.command, *arguments],
            cwd=self.data_dir.parent,
            env=an_environment(**self.settings),
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert run.returncode == code, f"{arguments}: {run.stdout}{run.stderr}"
        return run.stdout if code != 2 else run.stdout + run.stderr

    def serving(self) -> AbstractContextManager[Served]:
        """The broker."""
        return serving_with([str(self.command), "serve"], self.data_dir, **self.settings)

    def rolls_back(self) -> None:
        """The mission's own lines, in its order, while the broker runs."""

        async def run() -> None:
            async with connected(EmbeddedPostgres(self.data_dir).dsn) as db:
                await roll_back_by_hand(db, ROLLBACK)

        asyncio.run(run())


def receipts_of(broker: Served) -> set[str]:
    return {one["id"] for one in call(broker, "GET", "/api/receipts?limit=200")["receipts"]}


@pytest.mark.long
@pytest.mark.timeout(900)
def test_an_upgrade_a_rollback_and_a_restore_end_with_a_green_doctor(tmp_path: Path) -> None:
    source = earlier_source(tmp_path / EARLIER)
    with a_data_dir() as data_dir:
        settings = {"AINP_DATA_DIR": str(data_dir), "PORT": str(a_free_port()), "POU_FINALIZER_CRON": "* * * * * *"}
        operator = Operator(installed_wheel(tmp_path), data_dir, settings)
        with serving_earlier(source, data_dir, AINP_DATA_DIR=str(data_dir)) as broker:
            dids = register(broker)
            done = [play(broker, broker, dids)["id"] for _ in range(JOBS)]
            assert broker.end() == 0

        with operator.serving() as broker:  # upgraded by its start
            broker.wait_for("AINP Broker started")
            assert receipts_of(broker) == set(done)
            operator.ainp("doctor")
            done += [play(broker, broker, dids)["id"] for _ in range(JOBS)]
            operator.ainp("backup", "drill.zip")
            roll_back_and_forth(operator, broker)
            assert "use the database" in operator.ainp("restore", "drill.zip", "--replace", code=2)
            assert broker.end() == 0

        assert "nothing wrong was found" in operator.ainp("restore", "drill.zip", "--replace")
        with operator.serving() as broker:
            broker.wait_for("AINP Broker started")
            assert receipts_of(broker) >= set(done)  # the doctor's own is there, too
            operator.ainp("doctor")
            assert play(broker, broker, dids)["status"] == "finalized"
            assert broker.end() == 0
        assert "nothing wrong was found" in operator.ainp("fsck")


def roll_back_and_forth(operator: Operator, broker: Served) -> None:
    """By the mission's lines and by command; the broker says so, and goes on when the tables are there again."""
    operator.rolls_back()
    refused = httpx.get(f"{broker.url}/api/receipts", timeout=30)
    assert (refused.status_code, refused.json()["error"]) == (503, "SCHEMA_BEHIND")
    assert status_of(broker, "/health/ready") == 503
    assert "rolled_back" in operator.ainp("migrate", "status", code=1)
    operator.ainp("migrate", "up")
    assert receipts_of(broker) == set()
    operator.ainp("doctor", "--only", "canary")  # the whole would say that receipts are missing, as they are
    assert "table task_receipts: 1 row" in operator.ainp("migrate", "down", "--to", "16", "--dry-run")  # the doctor's
    operator.ainp("migrate", "down", "--to", "16", "--yes")
    operator.ainp("migrate", "up")
    assert status_of(broker, "/health/ready") == 200
    operator.ainp("doctor", "--only", "canary")
