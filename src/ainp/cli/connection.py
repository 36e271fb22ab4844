"""How commands reach the database: the one of DATABASE_URL, the running broker's, or one started for as long."""

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
import typer

from ainp.cli.exits import CANNOT
from ainp.core.errors import BrokerError, DatabaseUnavailable
from ainp.settings import Settings, SettingsError
from ainp.store.backup_file import BackupError
from ainp.store.embedded import DataDirInUse, EmbeddedPostgres, EmbeddedPostgresError
from ainp.store.migrate import MigrationError

_REFUSALS = (
    SettingsError,
    MigrationError,
    BackupError,
    EmbeddedPostgresError,
    BrokerError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    OSError,
)


@contextmanager
def database_url(settings: Settings) -> Iterator[str]:
    """Where the configured database is; an embedded one is stopped afterwards unless a broker runs it."""
    if settings.postgres is not None:
        yield settings.postgres
        return
    server = EmbeddedPostgres(settings.data_dir)
    try:
        server.start()
    except DataDirInUse:  # the broker is running: its database will do
        yield server.dsn
        return
    try:
        yield server.dsn
    finally:
        server.stop()


@contextmanager
def in_one_line(command: str) -> Iterator[None]:
    """Turn what went wrong into one line, and exit as one who can't."""
    try:
        yield
    except _REFUSALS as error:
        typer.echo(f"ainp {command}: {reason_of(error)}", err=True)
        raise typer.Exit(CANNOT) from error


def reason_of(error: Exception) -> str:
    """Why something can't be done: of a database that can't be used, what the driver says."""
    unavailable = isinstance(error, DatabaseUnavailable) and error.__cause__ is not None
    cause = error.__cause__ if unavailable else error
    return str(cause) or ("no answer in time" if isinstance(cause, TimeoutError) else type(cause).__name__)
