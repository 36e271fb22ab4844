"""`ainp serve` as a process of its own, the way an operator runs it."""

import fcntl
import json
import os
import pwd
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from ainp.store.postgres_home import cluster_of, name_of
from ainp.store.postgres_processes import lines_of, processes_of, signal_processes
from support.database import a_folder

AINP = Path(sys.executable).parent / "ainp"
PATIENCE_S = 60.0  # a machine that runs other tests beside; what is timed has limits of its own
STARTED = "AINP Broker started on port "


@dataclass
class Served:
    """A running `ainp serve` or `ainp work`, leader of its process group."""

    process: "subprocess.Popen[bytes]"
    log: Path
    data_dir: Path

    @property
    def port(self) -> int:
        """The port that it says it listens on."""
        return int(self.wait_for(STARTED).removeprefix(STARTED))

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def children(self) -> dict[str, int]:
        """The processes that it has started to serve and to work, by the names they have in the log."""
        found = {}
        for entry in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it ended just now
                command = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
                parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
                if int(parent) == self.process.pid and "--name" in command:
                    found[command[command.index("--name") + 1]] = int(entry.name)
        return found

    @property
    def memory_mb(self) -> float:
        """What it holds; PostgreSQL and processes that it has started are not in it."""
        [line] = [
            line
            for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
            if line.startswith("VmRSS")
        ]
        return int(line.split()[1]) / 1000

    @property
    def lines(self) -> list[dict[str, Any]]:
        """What it has logged; every complete line is JSON."""
        return [json.loads(line) for line in self.log.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]

    @property
    def messages(self) -> list[str]:
        """What it has logged, without the facts."""
        return [line["message"] for line in self.lines]

    def wait_for(self, beginning: str) -> str:
        """The first message that begins so."""
        found: list[str] = []

        def said() -> bool:
            found[:] = [message for message in self.messages if message.startswith(beginning)]
            return bool(found) or self.process.poll() is not None

        wait_until(said)
        assert found, f"it ended with {self.process.returncode} and said {self.log.read_text()}"
        return found[0]

    def get(self, path: str) -> httpx.Response:
        """Ask it something."""
        return httpx.get(self.url + path, timeout=30)

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Signal it, wait, and tell its exit code."""
        self.process.send_signal(how)
        return self.process.wait(PATIENCE_S)


@contextmanager
def serving(
    data_dir: Path, *arguments: str, user: pwd.struct_passwd | None = None, **environment: str
) -> Iterator[Served]:
    """Run `ainp serve` in *data_dir* with its own PostgreSQL and a free port, unless *environment* says otherwise."""
    with _running(data_dir, data_dir.name, ["serve", *arguments], environment, user=user) as served:
        yield served


@contextmanager
def working(data_dir: Path, name: str = "work", **environment: str) -> Iterator[Served]:
    """Run `ainp work` for the broker in *data_dir*; it has no port."""
    with _running(data_dir, f"{data_dir.name}.{name}", ["work"], environment) as served:
        yield served


@contextmanager
def _running(
    data_dir: Path,
    name: str,
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    user: pwd.struct_passwd | None = None,
) -> Iterator[Served]:
    log = data_dir.with_name(f"{name}.log")
    given = {"PORT": "0", "AINP_DATA_DIR": str(data_dir), **environment}
    with log.open("wb") as out:
        process = subprocess.Popen(
            [AINP, *command],
            cwd=data_dir.parent,
            env=an_environment(**given),
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            user=None if user is None else user.pw_uid,
            group=None if user is None else user.pw_gid,
        )
    try:
        yield Served(process, log, data_dir)
    finally:
        process.kill()
        process.wait()


def run_serve(folder: Path, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run an `ainp serve` that will not stay."""
    return run_ainp(folder, "serve", *arguments, **environment)


def run_ainp(folder: Path, *command: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run a command that will not stay."""
    given = {"PORT": "0", "AINP_DATA_DIR": str(folder / "data")} | environment
    return subprocess.run(
        [AINP, *command],
        cwd=folder,
        env=an_environment(**given),
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )


def an_environment(**environment: str) -> Mapping[str, str]:
    """Nothing that the shell of whoever runs the tests has exported; an empty value takes a name away."""
    base = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "LANG": "C.UTF-8"}
    return {name: value for name, value in (base | environment).items() if value}


@contextmanager
def a_data_dir() -> Iterator[Path]:
    """A data folder of the test's own, with nothing running on it afterwards."""
    with a_folder() as folder:
        data_dir = folder / "data"
        try:
            yield data_dir
        finally:
            while running := postgres_on(data_dir):
                signal_processes(cluster_of(data_dir), name_of(data_dir), signal.SIGKILL)
                wait_until(lambda: postgres_on(data_dir) != running)


def postgres_on(data_dir: Path) -> dict[int, bool]:
    """The processes of PostgreSQL that use *data_dir*."""
    return processes_of(cluster_of(data_dir), name_of(data_dir))


def commands_on(data_dir: Path) -> list[str]:
    """The command lines that name *data_dir*."""
    found = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it ended just now
            found.append(process.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return [command for command in found if str(data_dir) in command]


def nothing_runs_on(data_dir: Path) -> bool:
    """Whether broker and PostgreSQL are gone: the kernel has given their locks back."""
    for name in ("broker.lock", "server.lock"):
        lock = os.open(data_dir / name, os.O_RDWR)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        finally:
            os.close(lock)
    return not postgres_on(data_dir)


def postmaster_of(data_dir: Path) -> int:
    """The process of PostgreSQL that leads the others."""
    return int(lines_of(data_dir / "postgres" / "postmaster.pid")[0])


def runs(pid: int) -> bool:
    """Whether a process is there and has not ended."""
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def a_free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def status_of(served: Served, path: str = "/health") -> int | None:
    """The status of an answer, None if there was none."""
    with suppress(httpx.TransportError):
        return served.get(path).status_code
    return None


def wait_until(condition: Callable[[], object], patience_s: float = PATIENCE_S) -> None:
    """Wait until *condition* holds; fail when patience ends."""
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {patience_s:.0f} s in vain"
        time.sleep(0.02)
