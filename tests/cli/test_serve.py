"""`ainp serve` with real processes: how it starts, what it says, and that nothing of it is left."""

import fcntl
import os
import pty
import pwd
import signal
import socket
import subprocess
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from ainp.cli import app
from support.serving import (
    AINP,
    a_data_dir,
    a_free_port,
    an_environment,
    commands_on,
    nothing_runs_on,
    postgres_on,
    postmaster_of,
    run_serve,
    serving,
    status_of,
    wait_until,
)

HEALTHY_AFTER_S = 30  # one to three on an idle machine, with a database made from nothing
AGENT = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"


@pytest.fixture
def data_dir() -> Iterator[Path]:
    with a_data_dir() as folder:
        yield folder


@pytest.fixture(scope="module")
def used_data_dir() -> Iterator[Path]:
    """A data folder that a broker has used before: starts on it are quick."""
    with a_data_dir() as folder:
        with serving(folder) as broker:
            broker.wait_for("AINP Broker started")
            assert broker.end() == 0
        yield folder


def test_a_first_start_is_healthy_in_seconds_and_says_what_operators_look_for(data_dir: Path) -> None:
    began = time.monotonic()
    port = a_free_port()
    (data_dir.parent / ".env").write_text(
        f"PORT={port}  # here\nAINP_DATA_DIR={data_dir.name}\nPOU_FINALIZER_CRON=*/1 * * * *  # each minute\n"
    )
    with serving(data_dir, PORT="", AINP_DATA_DIR="") as broker:
        broker.wait_for(f"AINP Broker started on port {port}")
        health = broker.get("/health").json()
        took_s = time.monotonic() - began
        ready = broker.get("/health/ready")

        assert took_s < HEALTHY_AFTER_S
        assert health["status"] == "healthy"
        assert health["connections"] == {"db": True, "redis": True, "nats": True}
        assert health["modes"]["db"] == "embedded"
        assert ready.status_code == 200, ready.text
        assert {"Embedded PostgreSQL started", "[PoU Finalizer] Cron job scheduled (*/1 * * * *)"} <= {*broker.messages}
        assert all({"timestamp", "level", "service", "message"} <= line.keys() for line in broker.lines)
        assert broker.end(signal.SIGTERM) == 0
        assert broker.messages[-1] == "AINP Broker stopped"
        assert nothing_runs_on(data_dir)


def test_ctrl_c_stops_broker_and_database_cleanly(used_data_dir: Path) -> None:
    with serving(used_data_dir) as broker:
        broker.wait_for("AINP Broker started")
        os.killpg(broker.process.pid, signal.SIGINT)

        assert broker.process.wait(30) == 0
        assert nothing_runs_on(used_data_dir)
        assert "database system is shut down" in (used_data_dir / "postgres.log").read_text().splitlines()[-1]


def test_an_open_connection_does_not_hold_up_the_end(used_data_dir: Path) -> None:
    with serving(used_data_dir) as broker, socket.create_connection(("127.0.0.1", broker.port)) as idle:
        idle.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert idle.recv(15).startswith(b"HTTP/1.1 200")
        began = time.monotonic()

        assert broker.end() == 0
        assert time.monotonic() - began < 8


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_a_signal_during_the_start_leaves_nothing_running(data_dir: Path, how: signal.Signals) -> None:
    with serving(data_dir) as broker:
        wait_until(lambda: list(data_dir.glob("postgres*")))

        assert broker.end(how) == 0
        assert nothing_runs_on(data_dir)
        wait_until(lambda: not commands_on(data_dir), 10)  # an initdb that was begun ends by itself


def test_after_kill_9_the_next_start_has_the_data(used_data_dir: Path) -> None:
    with serving(used_data_dir) as broker:
        registered = httpx.post(
            f"{broker.url}/api/agents/register", json={"address": {"did": AGENT, "capabilities": []}}
        )
        assert registered.status_code == 200
        broker.end(signal.SIGKILL)
        assert postgres_on(used_data_dir)

    with serving(used_data_dir) as broker:
        assert broker.get(f"/api/agents/{AGENT}").json()["did"] == AGENT
        assert broker.end() == 0


def test_a_killed_database_is_503_and_then_healthy_again_by_itself(used_data_dir: Path) -> None:
    with serving(used_data_dir) as broker:
        assert status_of(broker) == 200
        os.kill(postmaster_of(used_data_dir), signal.SIGKILL)
        statuses: list[int | None] = []

        def says_so() -> bool:
            statuses.append(status_of(broker))
            return 503 in statuses

        wait_until(says_so)
        wait_until(lambda: status_of(broker) == 200)

        assert set(statuses) <= {200, 503}
        assert broker.get(f"/api/credits/{AGENT}").status_code in (200, 404)
        assert "Embedded PostgreSQL is gone, starting it again" in broker.messages
        assert broker.end() == 0
        assert nothing_runs_on(used_data_dir)


def test_a_second_broker_on_the_same_data_is_refused_in_one_line(used_data_dir: Path) -> None:
    with serving(used_data_dir) as first:
        first.wait_for("AINP Broker started")
        second = run_serve(used_data_dir.parent, AINP_DATA_DIR=str(used_data_dir))

        assert second.returncode == 1
        assert (second.stdout + second.stderr).count("\n") == 1
        assert f"another broker (process {first.process.pid}) already uses {used_data_dir}" in second.stdout
        assert status_of(first) == 200


def test_a_taken_port_is_refused_in_one_line_before_a_database_is_started(data_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = run_serve(data_dir.parent, PORT=str(port))

    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == f"ainp: can't listen on 127.0.0.1 port {port}: Address already in use\n"
    assert not data_dir.exists()


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"HOST": "0.0.0.0"}, ["AUTH_MODE=strict needs PUBLIC_BASE_URL", "HOST=0.0.0.0"]),
        ({"HOST": "0.0.0.0", "AUTH_MODE": "compat"}, ["HOST=0.0.0.0", "AINP_PROXY_SECRET"]),
        ({"DATABASE_URL": "mysql://user:secret@127.0.0.1/x"}, ["DATABASE_URL: expected", "postgresql://"]),
        ({"POU_K": "9", "POU_M": "5"}, ["POU_K=9 is more than POU_M=5"]),
        (
            {"POU_K": "many", "POU_FINALIZER_CRON": "often"},
            ["POU_K: ", "POU_FINALIZER_CRON: expected five cron fields"],
        ),
    ],
    ids=["any address", "compat on any address", "not PostgreSQL", "k above m", "two at once"],
)
def test_what_cannot_work_is_said_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    refused = CliRunner().invoke(app, ["serve"], env=environment)

    assert (refused.exit_code, refused.stdout) == (2, "")
    assert refused.stderr.startswith("ainp: ")
    assert refused.stderr.count("\n") == 1
    assert [word for word in words if word not in refused.stderr] == []


def test_a_variable_wins_over_the_dotenv_file_and_nothing_is_started(data_dir: Path) -> None:
    (data_dir.parent / ".env").write_text("POU_K=9\n")
    refused = run_serve(data_dir.parent, POU_K="7")

    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == "ainp: POU_K=7 is more than POU_M=5: no committee could reach it\n"
    assert not data_dir.exists()


@pytest.mark.parametrize(
    ("migrate", "url", "reason"),
    [
        (
            "--no-migrate",
            "postgresql://nobody:secret@127.0.0.1:1/nothing",
            "(127.0.0.1:1/nothing) can't be used: Connection refused",
        ),
        ("--migrate", "postgresql://user:secret@host/nothing?sslmode=no", "(host/nothing) can't be used: `sslmode` "),
    ],
    ids=["nobody there", "no such mode"],
)
def test_a_database_that_cannot_be_used_is_said_in_one_line(
    data_dir: Path, migrate: str, url: str, reason: str
) -> None:
    refused = run_serve(data_dir.parent, migrate, DATABASE_URL=url)
    fatal = [line for line in refused.stdout.splitlines() if '"level":"ERROR"' in line]

    assert refused.returncode == 1
    assert (len(fatal), refused.stderr) == (1, "")
    assert "Fatal error starting broker" in fatal[0]
    assert f"DATABASE_URL {reason}" in fatal[0]
    assert "secret" not in refused.stdout
    assert not data_dir.exists()


def test_an_existing_database_is_used_and_what_it_lacks_is_named(data_dir: Path, empty_database_url: str) -> None:
    data_dir.mkdir()
    with serving(data_dir, "--no-migrate", DATABASE_URL=empty_database_url, POOL_SIZE="500") as broker:
        ready = broker.get("/health/ready")

        assert ready.status_code == 503
        assert any("017_add_task_receipts" in missing for missing in ready.json()["missing"])
        assert broker.get("/health").json()["modes"]["db"] == "configured"
        assert broker.get(f"/api/receipts?agent_did={AGENT}").json()["error"] == "SCHEMA_BEHIND"
        assert broker.wait_for("Migrations are missing") in broker.messages
        assert broker.wait_for("WORKERS=1 with POOL_SIZE=500 and one for events are 501 connections, PostgreSQL gives ")
        assert broker.end() == 0

    with serving(data_dir, "--migrate", DATABASE_URL=empty_database_url) as broker:
        assert broker.get("/health/ready").status_code == 200
        assert broker.end() == 0
    assert list(data_dir.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become an ordinary user; without root all tests are one's")
def test_an_ordinary_user_runs_it_as_well(data_dir: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    if not runs_as(nobody):
        pytest.skip(f"`nobody` can't run {AINP}: this is not tested here")
    data_dir.mkdir()
    os.chown(data_dir, nobody.pw_uid, nobody.pw_gid)
    with serving(data_dir, user=nobody) as broker:
        assert status_of(broker) == 200
        assert (data_dir / "postgres").owner() == "nobody"
        assert broker.end() == 0
        assert nothing_runs_on(data_dir)


def test_on_a_terminal_the_log_is_text_and_ctrl_c_is_a_key(used_data_dir: Path) -> None:
    terminal, its_end = pty.openpty()
    broker = subprocess.Popen(
        [AINP, "serve"],
        env=an_environment(PORT="0", AINP_DATA_DIR=str(used_data_dir), TERM="xterm"),
        stdin=its_end,
        stdout=its_end,
        stderr=its_end,
        start_new_session=True,
        preexec_fn=own_terminal,  # noqa: PLW1509 - no threads here
    )
    os.close(its_end)
    shown = read_until(terminal, b"Broker started on port")
    os.write(terminal, b"\x03")
    shown += read_until(terminal, b"Broker stopped")

    assert broker.wait(30) == 0
    assert "AINP Broker started on port" in shown
    assert '{"timestamp"' not in shown
    assert "Traceback" not in shown
    assert nothing_runs_on(used_data_dir)
    os.close(terminal)


def runs_as(user: pwd.struct_passwd) -> bool:
    try:
        return subprocess.run([AINP, "version"], check=False, capture_output=True, user=user.pw_uid).returncode == 0
    except PermissionError:
        return False


def own_terminal() -> None:
    """Make standard input the terminal whose Ctrl-C reaches this process."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def read_until(terminal: int, words: bytes) -> str:
    shown = b""
    while words not in shown:
        shown += os.read(terminal, 65536)
    return shown.decode()
