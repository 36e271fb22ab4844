"""`ainp serve`: one process of the broker, with its own PostgreSQL unless it is given one."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from typing import Annotated
from urllib.parse import urlsplit

import asyncpg
import typer
import uvicorn
import uvloop
from uvicorn.server import HANDLED_SIGNALS

from ainp.broker import Broker, make_broker
from ainp.core.errors import BrokerError
from ainp.http.app import App
from ainp.operations import accounts, health
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


class _NoDatabase(Exception):
    """The database can't be used; the message says why."""


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
        _interrupt_on_signals()
        with closing(listener), _postgres(settings) as server:
            uvloop.run(_serve(settings, listener, server, migrate=migrate))
    except (KeyboardInterrupt, asyncio.CancelledError):
        pass  # told to stop before it was up, or a second time while stopping; what was started is stopped
    except (EmbeddedPostgresError, MigrationError, _NoDatabase) as error:
        logger().error("Fatal error starting broker", error=str(error))
        raise typer.Exit(1) from error
    logger().info("AINP Broker stopped")


async def _serve(
    settings: Settings, listener: socket.socket, server: EmbeddedPostgres | None, *, migrate: bool | None
) -> None:
    _cancel_on_signals()
    url = settings.database_url if server is None else server.dsn
    assert url is not None
    database = Database(url, size=settings.pool_size)
    async with _kept_alive(server):
        try:
            if migrate if migrate is not None else server is not None:
                await _migrate(url)
            await database.open()
        except (BrokerError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, ValueError) as error:
            which = "the embedded PostgreSQL" if server is not None else f"DATABASE_URL ({_place_of(url)})"
            raise _NoDatabase(f"{which} can't be used: {_reason(error)}") from error
        try:
            await _run(make_broker(settings, database), listener)
        finally:
            await database.close()


def _place_of(url: str) -> str:
    """What may be shown of a URL: no user, no password, no parameters."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "not a URL"
    return parts.netloc.rpartition("@")[2] + parts.path


def _reason(error: Exception) -> str:
    cause = error.__cause__ if isinstance(error, BrokerError) and error.__cause__ is not None else error
    return str(cause) or ("no answer in time" if isinstance(cause, TimeoutError) else type(cause).__name__)


async def _run(broker: Broker, listener: socket.socket) -> None:
    _say_what_to_know(broker.settings)
    await _say_what_is_missing(broker.database)
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


class _Server(uvicorn.Server):
    """uvicorn, told to leave logging, headers, proxies and the process alone."""

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
        host, port = sockets[0].getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        logger().info(f"AINP Broker started on port {port}", port=port, docs=f"http://{shown}:{port}/docs")

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Drain on a signal; the original then raises it again, which would end the process before its database."""
        loop = asyncio.get_running_loop()
        for number in HANDLED_SIGNALS:
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            _cancel_on_signals()


def _listen(settings: Settings) -> socket.socket:
    """Take the port first: a broker that can't listen should not start a database."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host.strip("[]"), settings.port), family=family, backlog=_BACKLOG)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or str(error)
        raise SettingsError(f"can't listen on {settings.host} port {settings.port}: {reason}") from error


@contextmanager
def _postgres(settings: Settings) -> Iterator[EmbeddedPostgres | None]:
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
        _interrupt_on_signals()  # the loop took the handlers with it; stopping is hurried, not left, by another signal
        server.stop()


def _interrupt_on_signals() -> None:
    """Outside the loop both signals are a KeyboardInterrupt, so that whatever was begun is cleaned up."""
    for number in HANDLED_SIGNALS:
        signal.signal(number, signal.default_int_handler)


def _cancel_on_signals() -> None:
    """In the loop, while nothing is served, both signals cancel what runs."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    for number in HANDLED_SIGNALS:
        loop.add_signal_handler(number, task.cancel)


@asynccontextmanager
async def _kept_alive(server: EmbeddedPostgres | None) -> AsyncIterator[None]:
    watch = None if server is None else asyncio.create_task(_keep_alive(server), name="postgres")
    try:
        yield
    finally:
        if watch is not None:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)


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
        logger().info("Migrations applied", count=len(applied), first=applied[0], last=applied[-1])


async def _say_what_is_missing(database: Database) -> None:
    with suppress(BrokerError):
        if missing := (await health.standing(database)).missing:
            logger().warning("Migrations are missing: `ainp migrate up` applies them", missing=missing)


def _say_what_to_know(settings: Settings) -> None:
    logger().info("Database connected")
    logger().warning(f"AUTH_MODE={settings.mode}: the DID that a request names is believed, not proven")
    for warning in settings.warnings:
        logger().warning(warning)
