"""`ainp work` with real processes: beside a broker, without one, and when the database goes away."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.serving import a_data_dir, postmaster_of, run_ainp, serving, status_of, wait_until, working

SCHEDULED = "[PoU Finalizer] Cron job scheduled (*/1 * * * *)"


@pytest.fixture
def data_dir() -> Iterator[Path]:
    with a_data_dir() as folder:
        yield folder


def test_it_waits_for_the_broker_of_its_data_folder_and_does_the_jobs_for_it(data_dir: Path) -> None:
    data_dir.mkdir()
    with working(data_dir) as worker:
        assert "start `ainp serve`" in worker.wait_for("Waiting for the broker's PostgreSQL")
        with serving(data_dir, JOBS_ENABLED="false") as broker:
            assert worker.wait_for("AINP Worker started")
            assert worker.wait_for(SCHEDULED)
            broker.wait_for("AINP Broker started")
            os.kill(postmaster_of(data_dir), signal.SIGKILL)
            broker.wait_for("Embedded PostgreSQL is gone")
            wait_until(lambda: status_of(broker) == 200)

            assert worker.end() == 0
            assert worker.messages[-1] == "AINP Worker stopped"
            assert (
                worker.messages.count("Waiting for the broker's PostgreSQL: start `ainp serve`, or set DATABASE_URL")
                == 1
            )
            assert SCHEDULED not in broker.messages
            assert status_of(broker) == 200
            assert broker.end() == 0


def test_ctrl_c_ends_it_while_it_waits(tmp_path: Path) -> None:
    with working(tmp_path / "data") as worker:
        worker.wait_for("Waiting for the broker's PostgreSQL")

        assert worker.end(signal.SIGINT) == 0
        assert not (tmp_path / "data").exists()


def test_a_database_that_cannot_be_used_is_said_in_one_line(tmp_path: Path) -> None:
    refused = run_ainp(tmp_path, "work", DATABASE_URL="postgresql://nobody:secret@127.0.0.1:1/nothing")

    assert (refused.returncode, refused.stdout.count("\n"), refused.stderr) == (1, 1, "")
    assert "DATABASE_URL (127.0.0.1:1/nothing) can't be used" in refused.stdout
    assert "secret" not in refused.stdout
