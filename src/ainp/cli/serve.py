"""`ainp serve`: one process of the broker, with its own PostgreSQL unless it is given one."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Annotated

import asyncpg
import typer
import uvicorn
import uvloop

from ainp.broker import Broker, make_broker
from ainp.core.errors import BrokerError
from ainp.http.app import App
from ainp.operations import accounts
from ainp.settings import Settings, SettingsError, load_settings
from ainp.store import migrate as migrations
from ainp.store.db import Database
from ainp.store.embedded import EmbeddedPostgres, EmbeddedPostgresError
from ainp.store.migrate import MigrationError
from ainp.telemetry import configure_logging, logger
from ainp.worker.jobs import scheduled
from ainp.worker.schedule import run_forever
from ainp.worker.upkeep import notice_forever

_CANNOT = 2
_DRAIN_S = 10  # what a request may take after the signal to stop
_BACKLOG = 2048
_WATCH_EVERY_S = 1.0


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; HOST.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on, 0 for a free one; PORT.")] = None,
    migrate: Annotated[
        bool | None, typer.Option(help="Apply pending migrations first; default: with the embedded PostgreSQL.")
    ] = None,
) -> None:
    """Start the broker and its jobs; Ctrl-C ends it cleanly."""
    given = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    try:
        settings = load_settings(**given)
        listener = _listen(settings)
    except SettingsError as error:
        typer.echo(f"ainp: {error}", err=True)
        raise typer.Exit(_CANNOT) from error
    configure_logging(settings.log_level)
    try:
        uvloop.run(_serve(settings, listener, migrate=migrate))
    except (EmbeddedPostgresError, MigrationError, BrokerError, asyncpg.PostgresError, OSError) as error:
        logger().error("Fatal error starting broker", error=str(error))
        raise typer.Exit(1) from error
    finally:
        listener.close()


async def _serve(settings: Settings, listener: socket.socket, *, migrate: bool | None) -> None:
    async with _database_url(settings) as url:
        if migrate if migrate is not None else settings.database_url is None:
            await _migrate(url)
        database = Database(url, size=settings.pool_size)
        await database.open()
        try:
            await _run(make_broker(settings, database), listener)
        finally:
            await database.close()


async def _run(broker: Broker, listener: socket.socket) -> None:
    _say_what_to_know(broker.settings)
    with suppress(BrokerError):  # without its tables the broker still starts, and readiness says so
        await accounts.prepare_broker_account(broker.database, broker.terms.settlement.broker)
    background = [asyncio.create_task(notice_forever(broker), name="notice")]
    if broker.settings.jobs_enabled:
        background.append(asyncio.create_task(run_forever(broker.database, scheduled(broker)), name="jobs"))
    try:
        await _Server(App(broker)).serve(sockets=[listener])
    finally:
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        logger().info("AINP Broker stopped")


class _Server(uvicorn.Server):
    """uvicorn, told to leave logging, headers and proxies alone."""

    def __init__(self, app: App) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                loop="none",
                http="httptools",
                ws="none",
                lifespan="off",
                access_log=False,
                log_config=None,
                log_level="warning",
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=_DRAIN_S,
            )
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        assert sockets is not None
        port = sockets[0].getsockname()[1]
        logger().info(f"AINP Broker started on port {port}", port=port)


def _listen(settings: Settings) -> socket.socket:
    """Take the port first: a broker that can't listen should not start a database."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host.strip("[]"), settings.port), family=family, backlog=_BACKLOG)
    except OSError as error:
        reason = error.strerror or str(error)
        raise SettingsError(f"can't listen on {settings.host} port {settings.port}: {reason}") from error


@asynccontextmanager
async def _database_url(settings: Settings) -> AsyncIterator[str]:
    if settings.database_url is not None:
        yield settings.database_url
        return
    server = EmbeddedPostgres(settings.data_dir)
    url = await asyncio.to_thread(server.start)
    logger().info("Embedded PostgreSQL started", data_dir=str(settings.data_dir))
    watch = asyncio.create_task(_keep_alive(server), name="postgres")
    try:
        yield url
    finally:
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)
        await asyncio.to_thread(server.stop)


async def _keep_alive(server: EmbeddedPostgres) -> None:
    """Start the database again when it was killed."""
    while True:
        await asyncio.sleep(_WATCH_EVERY_S)
        if not await asyncio.to_thread(server.alive):
            logger().error("Embedded PostgreSQL is gone, starting it again")
            try:
                await asyncio.to_thread(server.start)
            except EmbeddedPostgresError as error:
                logger().error("Embedded PostgreSQL does not start", error=str(error))


async def _migrate(url: str) -> None:
    connection = await asyncpg.connect(url, timeout=5)
    try:
        applied = await migrations.up(connection)
    finally:
        await connection.close()
    if applied:
        logger().info("Migrations applied", migrations=applied)


def _say_what_to_know(settings: Settings) -> None:
    logger().info("Database connected")
    logger().warning(f"AUTH_MODE={settings.mode}: the DID that a request names is believed, not proven")
    for warning in settings.warnings:
        logger().warning(warning)
