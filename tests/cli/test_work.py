"""`ainp work` with real processes: beside a broker, without one, and when the database goes away."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.serving import Served, a_data_dir, run_ainp, serving, status_of, wait_until, working

SCHEDULED = "[PoU Finalizer] Cron job scheduled (*/1 * * * *)"
IDLE_MB = 120  # of each process, as `python -m bench.starting` measures it; with a list of 100,000 agents it holds more


@pytest.fixture
def data_dir() -> Iterator[Path]:
    with a_data_dir() as folder:
        yield folder


def test_it_waits_for_the_broker_of_its_data_folder_and_does_the_jobs_for_it(data_dir: Path) -> None:
    with working(data_dir, POU_QUORUM="5") as worker:
        assert worker.wait_for("POU_QUORUM is not read: did you mean POU_QUORUM_MODE?")
        waiting = worker.wait_for("Waiting for the broker's PostgreSQL: start `ainp serve`")
        with serving(data_dir, JOBS_ENABLED="false") as broker:
            assert worker.wait_for("AINP Worker started")
            assert worker.wait_for(SCHEDULED)
            broker.wait_for("AINP Broker started")

            assert worker.memory_mb < IDLE_MB
            assert worker.end() == 0
            assert worker.messages[-1] == "AINP Worker stopped"
            assert worker.messages.count(waiting) == 1
            assert SCHEDULED not in broker.messages
            assert status_of(broker) == 200
            assert broker.memory_mb < IDLE_MB
            assert broker.end() == 0


def test_of_two_one_publishes_and_the_other_takes_over_when_it_is_killed(tmp_path: Path, database_url: str) -> None:
    leads = "Event publisher leads"
    with (
        working(tmp_path / "data", "one", DATABASE_URL=database_url) as one,
        working(tmp_path / "data", "two", DATABASE_URL=database_url) as two,
    ):
        wait_until(lambda: leads in [*one.messages, *two.messages])
        for each in (one, two):
            each.wait_for(SCHEDULED)
        leader, other = (one, two) if leads in one.messages else (two, one)
        assert leads not in other.messages
        leader.process.kill()

        assert other.wait_for(leads)
        assert other.end() == 0


@pytest.mark.long
@pytest.mark.timeout(300)
def test_of_two_one_runs_each_tick_of_a_job(tmp_path: Path, database_url: str) -> None:
    with (
        working(tmp_path / "data", "one", DATABASE_URL=database_url) as one,
        working(tmp_path / "data", "two", DATABASE_URL=database_url) as two,
    ):
        wait_until(lambda: len(ticks(one) + ticks(two)) >= 3, 200)
        for each in (one, two):
            assert each.end() == 0

    minutes = [at[:16] for at in ticks(one) + ticks(two)]
    assert len(minutes) == len(set(minutes))


def ticks(worker: Served) -> list[str]:
    """When it ran the finalizer."""
    return [line["timestamp"] for line in worker.lines if line["message"].startswith("[PoU Finalizer] Checking")]


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
