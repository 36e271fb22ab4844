"""`ainp serve --workers N` with real processes: one parent, one port, and nothing left of it however it ends."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ainp.cli import app
from ainp.cli.supervisor import DRAIN_S, pause_s
from support.serving import (
    Served,
    a_data_dir,
    a_free_port,
    nothing_runs_on,
    postmaster_of,
    runs,
    serving,
    status_of,
    wait_until,
)

PROCESSES = {"serve-1", "serve-2", "work"}


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    """One folder for all: starts on a database that is there are quick."""
    with a_data_dir() as folder:
        yield folder


def test_several_processes_share_a_port_and_a_database_and_end_together(data_dir: Path) -> None:
    with serving(data_dir, "--workers", "2") as broker:
        assert status_of(broker) == 200
        pids = broker.children
        assert pids.keys() == PROCESSES

        os.kill(pids["serve-1"], signal.SIGSTOP)
        assert {status_of(broker) for _ in range(5)} == {200}
        os.kill(pids["serve-1"], signal.SIGCONT)

        os.kill(postmaster_of(data_dir), signal.SIGKILL)
        broker.wait_for("Embedded PostgreSQL is gone, starting it again")
        wait_until(lambda: {status_of(broker) for _ in range(20)} == {200})
        assert broker.children == pids

        with a_slow_request(broker) as (request, rest):
            os.killpg(broker.process.pid, signal.SIGINT)
            wait_until(lambda: sum(map(runs, pids.values())) == 1)  # only the one that has the request is left
            request.sendall(rest)
            assert request.recv(15).startswith(b"HTTP/1.1 200")
            assert broker.process.wait(10) == 0

    for once in ("AINP Broker started", "AINP Broker stopped", "Database connected", "AUTH_MODE"):
        assert len([message for message in broker.messages if message.startswith(once)]) == 1, once
    assert broker.messages.count("[PoU Finalizer] Cron job scheduled (*/1 * * * *)") == 1
    assert "Traceback" not in broker.log.read_text()
    assert nothing_runs_on(data_dir)


@contextmanager
def a_slow_request(broker: Served) -> Iterator[tuple[socket.socket, bytes]]:
    """A request of which the broker has only the beginning, and its rest."""
    body = b'{"address": {"did": "did:key:slow", "capabilities": []}}'
    head = b"POST /api/agents/register HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    with socket.create_connection(("127.0.0.1", broker.port)) as request:
        request.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body[:10])
        time.sleep(0.2)  # nobody says when it was read
        yield request, body[10:]


def test_a_process_that_dies_is_started_again_with_the_settings_of_the_start(data_dir: Path) -> None:
    dotenv = data_dir.parent / ".env"
    dotenv.write_text("WORKERS=2\nADMIN_TOKEN=hunter2\n")
    try:
        with serving(data_dir) as broker:
            assert status_of(broker) == 200
            dotenv.write_text("POU_K=9\n")
            for name in sorted(PROCESSES):
                os.kill(broker.children[name], signal.SIGKILL)
            for name in sorted(PROCESSES):
                assert broker.wait_for(f"Process {name} was ended by SIGKILL, starting it again")
            wait_until(lambda: broker.messages.count("[PoU Finalizer] Cron job scheduled (*/1 * * * *)") == 2)
            assert {status_of(broker) for _ in range(10)} == {200}
            assert len([message for message in broker.messages if message.startswith("AINP Broker started")]) == 1
            assert "hunter2" not in broker.log.read_text()
            assert broker.end() == 0
    finally:
        dotenv.unlink()


def test_a_killed_parent_leaves_nobody_behind_and_a_second_signal_waits_for_nobody(data_dir: Path) -> None:
    port = str(a_free_port())
    with serving(data_dir, WORKERS="2", PORT=port) as broker:
        assert status_of(broker) == 200
        pids = broker.children.values()
        broker.process.kill()
        wait_until(lambda: not any(map(runs, pids)), 15)

    with serving(data_dir, WORKERS="2", PORT=port, JOBS_ENABLED="false") as broker:
        assert status_of(broker) == 200
        assert broker.children.keys() == {"serve-1", "serve-2"}
        with a_slow_request(broker):
            broker.process.send_signal(signal.SIGTERM)
            broker.wait_for("AINP Broker is stopping")
            began = time.monotonic()
            assert broker.end(signal.SIGTERM) == 0
            assert time.monotonic() - began < DRAIN_S
        assert nothing_runs_on(data_dir)


def test_a_process_that_ends_before_the_broker_is_up_is_a_failed_start(data_dir: Path) -> None:
    with serving(data_dir, "--workers", "2") as broker:
        wait_until(lambda: "serve-2" in broker.children)
        os.kill(broker.children["serve-2"], signal.SIGKILL)

        assert broker.process.wait(30) == 1
        assert broker.lines[-1]["message"] == "Fatal error starting broker"
        assert broker.lines[-1]["error"] == "process serve-2 was ended by SIGKILL before the broker was up"
        assert nothing_runs_on(data_dir)


def test_more_connections_than_the_embedded_database_has_are_refused_in_one_line(tmp_path: Path) -> None:
    refused = CliRunner().invoke(app, ["serve", "--workers", "5"], env={"AINP_DATA_DIR": str(tmp_path / "data")})

    assert (refused.exit_code, refused.stdout) == (2, "")
    assert refused.stderr == (
        "ainp: WORKERS=5 with POOL_SIZE=20 and one for events are 105 connections, the embedded PostgreSQL has 84 for"
        " them: set POOL_SIZE=15 or less\n"
    )


def test_who_dies_at_once_again_and_again_waits_longer_and_longer() -> None:
    waits = [pause_s(lives) for lives in range(20)]

    assert waits[0] == 0
    assert waits[1:4] == [0.5, 1, 2]
    assert max(waits) == 30
