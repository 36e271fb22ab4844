"""The database of processes that stay: the embedded one run and watched, migrated, connected to."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

import asyncpg

from ainp.cli.connection import place_of, reason_of
from ainp.cli.signals import interrupt_on_signals
from ainp.core.errors import BrokerError
from ainp.operations import health
from ainp.settings import Settings
from ainp.store import migrate as migrations
from ainp.store.db import Database
from ainp.store.embedded import EmbeddedPostgres, EmbeddedPostgresError
from ainp.telemetry import logger

_WATCH_EVERY_S = 1.0
_READY = 3  # connections that are there before a burst: to make one takes as long as a dozen requests


class NoDatabase(Exception):
    """The database can't be used; the message says why."""


def url_of(settings: Settings) -> str:
    """Where the database is, whoever runs it."""
    return settings.postgres or EmbeddedPostgres(settings.data_dir).dsn


@contextmanager
def postgres(settings: Settings) -> Iterator[EmbeddedPostgres | None]:
    """Run the broker's own PostgreSQL, unless it was given one."""
    if settings.database_url is not None:
        yield None
        return
    server = EmbeddedPostgres(settings.data_dir)
    try:
        server.start()
        logger().info("Embedded PostgreSQL started", data_dir=str(server.data_dir))
        yield server
    finally:
        interrupt_on_signals()  # the loop took the handlers with it; stopping is hurried, not left, by another signal
        server.stop()


@asynccontextmanager
async def kept_alive(server: EmbeddedPostgres | None) -> AsyncIterator[None]:
    """Start the embedded PostgreSQL again whenever it was killed."""
    watch = None if server is None else asyncio.create_task(_keep_alive(server), name="postgres")
    try:
        yield
    finally:
        if watch is not None:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)


async def _keep_alive(server: EmbeddedPostgres) -> None:
    while True:
        await asyncio.sleep(_WATCH_EVERY_S)
        if not await asyncio.to_thread(server.alive):
            logger().error("Embedded PostgreSQL is gone, starting it again")
            try:
                await asyncio.to_thread(server.start)
            except EmbeddedPostgresError as error:
                logger().error("Embedded PostgreSQL does not start", error=str(error))


@asynccontextmanager
async def connected(settings: Settings, *, size: int, migrate: bool = False) -> AsyncIterator[Database]:
    """Connect to the database, migrated first where that is wanted; raises NoDatabase."""
    url = url_of(settings)
    database = Database(url, size=size, ready=_READY)
    try:
        if migrate:
            await _migrate(url)
        await database.open()
    except (BrokerError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, ValueError) as error:
        given = settings.database_url is not None
        which = f"DATABASE_URL ({place_of(url)})" if given else "the embedded PostgreSQL"
        raise NoDatabase(f"{which} can't be used: {reason_of(error)}") from error
    try:
        yield database
    finally:
        await database.close()


async def say_what_is_missing(database: Database) -> None:
    """Warn of migrations that are not applied."""
    with suppress(BrokerError):
        if missing := (await health.standing(database)).missing:
            logger().warning("Migrations are missing: `ainp migrate up` applies them", missing=missing)


async def _migrate(url: str) -> None:
    connection = await asyncpg.connect(url, timeout=5)
    try:
        applied = await migrations.up(connection)
    finally:
        await connection.close()
    if applied:
        logger().info("Migrations applied", count=len(applied), first=applied[0], last=applied[-1])
