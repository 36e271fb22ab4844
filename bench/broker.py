"""A broker as an operator runs it: `ainp serve` with its own durable PostgreSQL on a folder that is thrown away."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ainp.store.embedded import EmbeddedPostgres
from ainp.store.postgres_home import cluster_of
from ainp.store.postgres_processes import lines_of
from bench import processes
from bench.client import BenchError
from bench.processes import Memory

HOST = "127.0.0.1"
_PATIENCE_S = 120.0
_POLL_S = 0.002


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU seconds so far."""

    broker_s: float
    postgres_s: float


@dataclass
class Served:
    """A running broker."""

    process: "subprocess.Popen[bytes]"
    port: int
    data_dir: Path
    started_s: float = 0.0

    @property
    def dsn(self) -> str:
        """Its database."""
        return EmbeddedPostgres(self.data_dir).dsn

    @property
    def postmaster(self) -> int:
        """The leading process of its PostgreSQL."""
        return int(lines_of(cluster_of(self.data_dir) / "postmaster.pid")[0])

    def cost(self) -> Cost:
        """What both have cost so far."""
        broker, postgres = self._pids()
        return Cost(processes.cpu_s(broker), processes.cpu_s(postgres))

    def memory(self) -> tuple[Memory, Memory]:
        """What broker and PostgreSQL hold."""
        broker, postgres = self._pids()
        return processes.memory(broker), processes.memory(postgres)

    def stop(self) -> None:
        """End it cleanly."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def _pids(self) -> tuple[Collection[int], Collection[int]]:
        postmaster = self.postmaster
        return processes.tree(self.process.pid, without=postmaster), processes.tree(postmaster)


@contextmanager
def a_folder() -> Iterator[Path]:
    """A folder that PostgreSQL's own user can enter, too, when root runs this."""
    folder = Path(tempfile.mkdtemp(prefix="ainp-bench-"))
    folder.chmod(0o711)
    try:
        yield folder.resolve()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def serving(folder: Path, given: Mapping[str, str], *, profile: Path | None = None) -> Iterator[Served]:
    """Run `ainp serve` in *folder*, with *given* settings, until it answers; its log goes to a file."""
    port = a_free_port()
    data_dir = folder / "data"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "PORT": str(port),
        "AINP_DATA_DIR": str(data_dir),
        **given,
    }
    profiled = [] if profile is None else ["-m", "cProfile", "-o", str(profile.resolve())]
    with (folder / "broker.log").open("ab") as log:
        began = time.monotonic()
        process = _spawn([sys.executable, *profiled, "-m", "ainp", "serve"], environment, folder, log)
    served = Served(process, port, data_dir)
    try:
        wait_for(process, port, folder / "broker.log")
        served.started_s = time.monotonic() - began
        yield served
    except BenchError as error:
        raise BenchError("\n".join([str(error), *_complaints(folder / "broker.log")])) from error
    finally:
        served.stop()


def _complaints(log: Path) -> list[str]:
    """The last errors that the broker logged."""
    return [line[:2000] for line in log.read_text(errors="replace").splitlines() if '"level":"ERROR"' in line][-2:]


def _spawn(
    command: list[str], environment: Mapping[str, str], folder: Path, log: BinaryIO
) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
    )


def wait_for(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    """Wait until /health is answered with 200."""
    deadline = time.monotonic() + _PATIENCE_S
    while not _healthy(port):
        if process.poll() is not None or time.monotonic() > deadline:
            lines = log.read_text(errors="replace").splitlines()[-5:] if log.exists() else []
            raise BenchError("\n".join(["the server does not answer", *lines]))
        time.sleep(_POLL_S)


def _healthy(port: int) -> bool:
    with suppress(OSError), socket.create_connection((HOST, port), timeout=30) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n")
        return connection.recv(64).startswith(b"HTTP/1.1 200")
    return False


def a_free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server((HOST, 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
