"""Databases for tests: a throw-away cluster, or the server of AINP_TEST_DATABASE_URL, and fast clones on it."""

import asyncio
import itertools
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import asyncpg

from ainp.store.embedded import EmbeddedPostgres, EmbeddedPostgresError

_FOLDER = "ainp-test-"
_MEMORY = Path("/dev/shm")  # noqa: S108 - a file system in memory, where there is one
_ENOUGH_BYTES = 2 * 1024**3
_ABANDONED_AFTER_S = 60.0  # a run that started just now may not hold its lock yet
_numbers = itertools.count(1)


@contextmanager
def a_server() -> Iterator[str]:
    """The URL of a PostgreSQL where databases may be created."""
    given = os.environ.get("AINP_TEST_DATABASE_URL")
    if given:
        yield given
        return
    _remove_what_killed_runs_left()
    with a_folder() as folder, EmbeddedPostgres(folder, durable=False) as postgres:
        yield postgres.dsn


@contextmanager
def a_folder() -> Iterator[Path]:
    """
    A folder that PostgreSQL's own user can enter when the tests run as root; pytest's tmp_path is not.

    It is in memory if that has room: a database is cloned there in 20 ms, on a disk in 300.
    """
    folder = Path(tempfile.mkdtemp(prefix=_FOLDER, dir=_place()))
    folder.chmod(0o711)
    try:
        yield folder.resolve()
    finally:
        shutil.rmtree(folder)


def _place() -> Path:
    with suppress(OSError):
        if os.access(_MEMORY, os.W_OK | os.X_OK) and shutil.disk_usage(_MEMORY).free > _ENOUGH_BYTES:
            return _MEMORY
    return Path(tempfile.gettempdir())


def _remove_what_killed_runs_left() -> None:
    for folder in _place().glob(f"{_FOLDER}*"):
        with suppress(OSError, EmbeddedPostgresError):  # of others, or in use
            if time.time() - folder.stat().st_mtime < _ABANDONED_AFTER_S or not (folder / "broker.lock").exists():
                continue
            with EmbeddedPostgres(folder, durable=False):
                pass
            shutil.rmtree(folder)


class Databases:
    """Creates and drops databases on a server, over one connection."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._loop = asyncio.Runner()
        self._connection: asyncpg.Connection

    def __enter__(self) -> Self:
        self._connection = self._loop.run(asyncpg.connect(self._server))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.run(self._connection.close())
        self._loop.close()

    @contextmanager
    def fresh(self, *, template: str = "template1") -> Iterator[str]:
        """The URL of a new copy of *template*, dropped afterwards whoever is still connected."""
        name = f"test_{os.getpid()}_{next(_numbers)}"
        # Copying files beats copying through the WAL where fsync is off: nothing has to reach the disk.
        self._run(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')
        try:
            yield urlsplit(self._server)._replace(path=f"/{name}").geturl()
        finally:
            self._run(f'DROP DATABASE "{name}" WITH (FORCE)')

    @contextmanager
    def migrated(self, *, searchable: bool = False) -> Iterator[str]:
        """The name of a database with every migration applied, to be used as a template."""
        with self.fresh() as url:
            self._loop.run(_migrate(url, searchable=searchable))
            yield urlsplit(url).path.removeprefix("/")

    def _run(self, statement: str) -> None:
        self._loop.run(self._connection.execute(statement))


async def _migrate(url: str, *, searchable: bool) -> None:
    # Here and not above: what is wrong with the migrations must not break the tests that need none.
    from ainp.store import migrate  # noqa: PLC0415

    connection = await asyncpg.connect(url)
    try:
        await migrate.up(connection)
        if searchable:  # as the first registration or search would make it; the numbers are the local model's
            await connection.execute("SELECT prepare_vectors('wordllama:l2_supercat_256', 256, 0.0372, 0.4161)")
    finally:
        await connection.close()
