"""
A PostgreSQL of the broker's own, for those who did not bring one.

Two locks, both released by the kernel however a process ends: `broker.lock` is
held by the broker that owns the data folder; `server.lock` is inherited by every
PostgreSQL process, so that holding it proves that none of them is left.
"""

import fcntl
import os
import secrets
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self
from urllib.parse import quote

from ainp.store.postgres_home import EmbeddedPostgresError, Home, cluster_of, find_home, sockets_of
from ainp.store.postgres_processes import lines_of, processes_of, signal_processes

__all__ = ["CONNECTIONS_FOR_REQUESTS", "DataDirInUse", "EmbeddedPostgres", "EmbeddedPostgresError"]

CONNECTIONS_FOR_REQUESTS = 84  # what is left is for jobs, for commands such as fsck, and PostgreSQL's own reserve
_CONNECTIONS = 120
_PORT = 5432  # of the socket's name; nothing listens on TCP
_LOG_BYTES_MAX = 1 << 20
_POLL_S = 0.01
_LET_GO_S = 2.0
_READY_S = 300.0  # a crash with 1 GB of WAL to replay takes minutes on a slow disk

# What is asked of a server, and how long it may take: no new work and a checkpoint; no checkpoint; nothing.
_WAYS_TO_STOP = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))

_SETTINGS = {
    "listen_addresses": "",
    "port": str(_PORT),
    "unix_socket_permissions": "0700",
    "max_connections": str(_CONNECTIONS),
    "shared_buffers": "128MB",
    "max_wal_size": "1GB",
    "checkpoint_timeout": "5min",
    "checkpoint_completion_target": "0.9",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # Refused statements are reported by whoever sent them; this log is for the server's own troubles.
    "log_min_messages": "log",
    "log_checkpoints": "off",
}
_THROW_AWAY = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}


class DataDirInUse(EmbeddedPostgresError):
    """Another broker owns the folder; its `dsn` can still be connected to."""


class EmbeddedPostgres:
    """
    One cluster below *data_dir*, started, watched and stopped by the broker that holds its lock.

    `durable=False` is for tests: a crash of the machine may lose or spoil the data.
    """

    def __init__(self, data_dir: Path, *, durable: bool = True) -> None:
        self.data_dir = data_dir.expanduser().resolve()
        self._durable = durable
        self._guard = threading.RLock()
        self._owned: int | None = None
        self._home: Home | None = None
        self._server: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def dsn(self) -> str:
        """Where the database is once somebody, perhaps another process, has started it."""
        return f"postgresql://ainp@/ainp?host={quote(str(sockets_of(self.data_dir)), safe='/')}&port={_PORT}"

    @property
    def exists(self) -> bool:
        """Whether there is a cluster, running or not."""
        return cluster_of(self.data_dir).exists()

    def alive(self) -> bool:
        return self._server is not None and self._server.poll() is None

    def start(self) -> str:
        """
        Have the server running, and return its DSN.

        Cheap when it runs already: call it again to revive a server that was killed.
        What a killed broker or a killed server left behind is stopped first.
        """
        with self._guard:
            if not self.alive():
                try:
                    self._own()
                    self._home = find_home(self.data_dir)
                    self._launch(self._home)
                except OSError as error:
                    self._disown()
                    raise EmbeddedPostgresError(f"cannot run PostgreSQL in {self.data_dir}: {error}") from error
                except BaseException:
                    self._disown()
                    raise
            return self.dsn

    def stop(self) -> None:
        """Stop the server and all it started, politely first; the data folder is free afterwards."""
        with self._guard:
            try:
                if self._home is not None:
                    os.close(self._clear(self._home))
            finally:
                self._disown()

    def _own(self) -> None:
        if self._owned is not None:
            return
        self.data_dir.mkdir(mode=0o755, parents=True, exist_ok=True)  # whatever the umask, nobody else writes
        lock = _open_lock(self.data_dir / "broker.lock")
        if not _lock_soon(lock):
            pid = os.read(lock, 20).decode().strip()
            os.close(lock)
            raise DataDirInUse(
                f"another broker (process {pid}) already uses {self.data_dir}: "
                "stop it, set AINP_DATA_DIR to another folder, or set DATABASE_URL"
            )
        os.truncate(lock, 0)
        os.write(lock, f"{os.getpid()}\n".encode())
        self._owned = lock

    def _disown(self) -> None:
        if self._server is not None:
            if self.alive():
                self._server.send_signal(signal.SIGQUIT)
            self._server.wait()
        self._server = self._home = None
        if self._owned is not None:
            os.close(self._owned)
            self._owned = None

    def _launch(self, home: Home) -> None:
        lock = self._clear(home)
        try:
            if not (home.cluster / "PG_VERSION").exists():
                self._create(home)
            with _open_log(self.data_dir / "postgres.log") as log:
                start_of_log = log.tell()
                command = [home.program("postgres"), "-D", str(home.cluster), *self._settings(home)]
                self._server = home.account.spawn(command, output=log, pass_fds=[lock])
        finally:
            os.close(lock)
        try:
            self._wait_until_ready(home, start_of_log)
        except BaseException:
            os.close(self._clear(home))
            raise

    def _create(self, home: Home) -> None:
        """
        Make the cluster in a draft folder and rename it, so that an interrupted attempt leaves no half of one.

        Each attempt has its own folder: what an interrupted one started may still be writing to the old one.
        """
        for left_over in home.cluster.parent.glob(f"{home.cluster.name}.new-*"):
            shutil.rmtree(left_over, ignore_errors=True)
        draft = home.cluster.with_name(f"{home.cluster.name}.new-{secrets.token_hex(4)}")
        draft.mkdir(mode=0o700)
        home.account.give(draft)
        initdb = [home.program("initdb"), "-D", str(draft), "--username=ainp", "--auth-local=trust"]
        initdb += ["--auth-host=reject", "--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8"]
        home.account.run(initdb if self._durable else [*initdb, "--no-sync"])
        single = [home.program("postgres"), "--single", "-j", "-D", str(draft), "-c", "exit_on_error=on"]
        single += ["-c", "log_checkpoints=off", *([] if self._durable else ["-c", "fsync=off"]), "postgres"]
        home.account.run(single, feed=b"CREATE DATABASE ainp;\n")
        draft.rename(home.cluster)
        _sync_folder(home.cluster.parent)

    def _settings(self, home: Home) -> Iterator[str]:
        own = {"unix_socket_directories": f'"{home.sockets}"', "cluster_name": home.name}
        for name, value in (_SETTINGS | own | ({} if self._durable else _THROW_AWAY)).items():
            yield from ("-c", f"{name}={value}")

    def _wait_until_ready(self, home: Home, start_of_log: int) -> None:
        ready = _within(_READY_S, lambda: not self.alive() or self._is_ready(home))
        if not ready or not self.alive():
            with (self.data_dir / "postgres.log").open("rb") as log:
                log.seek(start_of_log)
                lines = log.read().decode(errors="replace").splitlines()[-5:]
            what = "ended at once" if ready else f"was not ready after {_READY_S:.0f} s"
            raise EmbeddedPostgresError(f"PostgreSQL in {home.cluster} {what}:\n" + "\n".join(lines))

    def _is_ready(self, home: Home) -> bool:
        """The eighth line of postmaster.pid is what pg_ctl waits for, too."""
        lines = lines_of(home.cluster / "postmaster.pid")
        return self._server is not None and lines[:1] == [str(self._server.pid)] and lines[7:] == ["ready"]

    def _clear(self, home: Home) -> int:
        """Stop whatever still runs on the cluster; the result is the server lock, to be closed by the caller."""
        lock = _open_lock(self.data_dir / "server.lock")

        def vacant() -> bool:
            return _try_lock(lock) and not processes_of(home.cluster, home.name)

        for how, patience_s in _WAYS_TO_STOP:
            if vacant():
                break
            signal_processes(home.cluster, home.name, how)
            _within(patience_s, vacant)
        if not vacant():
            os.close(lock)
            pids = ", ".join(map(str, processes_of(home.cluster, home.name))) or "unknown"
            raise EmbeddedPostgresError(f"processes of an earlier PostgreSQL do not end in {home.cluster}: {pids}")
        # Their pids may belong to others by now, and PostgreSQL would take those for itself.
        for stale in (home.cluster / "postmaster.pid", *home.sockets.glob(".s.PGSQL.*")):
            stale.unlink(missing_ok=True)
        return lock


def _open_lock(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


def _lock_soon(lock: int) -> bool:
    """Take the lock, also from a child that a killed broker had just begun to start and that lets go in a moment."""
    deadline = time.monotonic() + _LET_GO_S
    while not _try_lock(lock):
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_S)
    return True


def _try_lock(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _open_log(path: Path) -> BinaryIO:
    if path.exists() and path.stat().st_size > _LOG_BYTES_MAX:
        path.replace(path.with_suffix(".log.1"))
    return path.open("ab")


def _sync_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


def _within(limit_s: float, condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
    return True
