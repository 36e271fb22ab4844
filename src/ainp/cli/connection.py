"""How commands reach the database: the one of DATABASE_URL, the running broker's, or one started for as long."""

from collections.abc import Iterator
from contextlib import contextmanager
from socket import gaierror
from urllib.parse import urlsplit

import asyncpg
import typer

from ainp.cli.exits import CANNOT
from ainp.cli.say import say
from ainp.core.errors import BrokerError, DatabaseUnavailable, SchemaBehind
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
_AWAY = (ConnectionError, TimeoutError, gaierror, DatabaseUnavailable)


class DatabaseAway(OSError):
    """The database that was given does not answer; the message says which."""


@contextmanager
def database_url(settings: Settings, *, new: bool = False) -> Iterator[str]:
    """
    Where the configured database is; an embedded one is stopped afterwards unless a broker runs it.

    Only where it may be a *new* one is it made: who looks at a folder that has none has mistaken the folder.
    """
    if settings.postgres is not None:
        try:
            yield settings.postgres
        except _AWAY as error:
            raise DatabaseAway(f"DATABASE_URL ({place_of(settings.postgres)}): {reason_of(error)}") from error
        return
    server = EmbeddedPostgres(settings.data_dir)
    if not new and not server.exists:
        raise EmbeddedPostgresError(
            f"there is no database in {server.data_dir}: set AINP_DATA_DIR or DATABASE_URL as the broker has it"
        )
    try:
        server.start()
    except DataDirInUse:  # the broker is running: its database will do
        yield server.dsn
        return
    try:
        yield server.dsn
    finally:
        server.stop()


def place_of(url: str) -> str:
    """What may be shown of a URL: no user, no password, no parameters."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "not a URL"
    return parts.netloc.rpartition("@")[2] + parts.path


@contextmanager
def in_one_line(command: str) -> Iterator[None]:
    """Turn what went wrong into one line, and exit as one who can't."""
    try:
        yield
    except _REFUSALS as error:
        fix = "; `ainp migrate up` applies them" if isinstance(error, SchemaBehind) else ""
        say(f"ainp {command}: {reason_of(error)}{fix}", err=True)
        raise typer.Exit(CANNOT) from error


def reason_of(error: Exception) -> str:
    """Why something can't be done: of a database that can't be used, what the driver says; of a file, which."""
    unavailable = isinstance(error, DatabaseUnavailable) and error.__cause__ is not None
    cause = error.__cause__ if unavailable else error
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror if cause.filename is None else f"{cause.filename}: {cause.strerror}"
    return str(cause) or ("no answer in time" if isinstance(cause, TimeoutError) else type(cause).__name__)
