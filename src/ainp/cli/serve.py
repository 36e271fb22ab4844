"""`ainp serve`: the broker, with its own PostgreSQL unless it is given one; one process, or several under a parent."""

import asyncio
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from typing import Annotated

import typer
import uvicorn
import uvloop

from ainp.broker import Broker, make_broker
from ainp.cli.connection import CANNOT
from ainp.cli.postgres import NoDatabase, connected, kept_alive, postgres, say_what_is_missing
from ainp.cli.signals import TO_STOP, cancel_on_signals, interrupt_on_signals
from ainp.cli.supervisor import DRAIN_S, NotStarted, Supervisor
from ainp.cli.work import work_forever
from ainp.core.errors import BrokerError
from ainp.http.app import App
from ainp.http.protocol import SOCKETS
from ainp.operations import accounts, health
from ainp.settings import Settings, SettingsError, load_settings
from ainp.store.db import Database
from ainp.store.embedded import EmbeddedPostgres, EmbeddedPostgresError
from ainp.store.migrate import MigrationError
from ainp.telemetry import configure_logging, logger
from ainp.worker.upkeep import notice_forever

_BACKLOG = 2048


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; HOST.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on, 0 for a free one; PORT.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes that answer requests; WORKERS.")] = None,
    migrate: Annotated[
        bool | None, typer.Option(help="Apply pending migrations first; default: with the embedded PostgreSQL.")
    ] = None,
) -> None:
    """Start the broker and its jobs; Ctrl-C ends it cleanly."""
    options = {"host": host, "port": port, "workers": workers}
    try:
        settings = load_settings(**{name: value for name, value in options.items() if value is not None})
        listener = _listen(settings)
    except SettingsError as error:
        typer.echo(f"ainp: {error}", err=True)
        raise typer.Exit(CANNOT) from error
    configure_logging(settings.log_level)
    try:
        interrupt_on_signals()
        with closing(listener), postgres(settings) as server:
            migrate = server is not None if migrate is None else migrate
            if settings.workers == 1:
                uvloop.run(_alone(settings, listener, server, migrate=migrate))
            else:
                asyncio.run(_supervise(settings, listener, server, migrate=migrate))
    except (KeyboardInterrupt, asyncio.CancelledError):
        pass  # told to stop before it was up, or a second time while stopping; what was started is stopped
    except (EmbeddedPostgresError, MigrationError, NoDatabase, NotStarted) as error:
        logger().error("Fatal error starting broker", error=str(error))
        raise typer.Exit(1) from error
    logger().info("AINP Broker stopped")


async def _alone(
    settings: Settings, listener: socket.socket, server: EmbeddedPostgres | None, *, migrate: bool
) -> None:
    cancel_on_signals()
    async with kept_alive(server), connected(settings, size=settings.pool_size, migrate=migrate) as database:
        broker = make_broker(settings, database)
        await _prepare(broker)
        await answer_requests(broker, listener, started=partial(_say_started, listener), jobs=settings.jobs_enabled)


async def _supervise(
    settings: Settings, listener: socket.socket, server: EmbeddedPostgres | None, *, migrate: bool
) -> None:
    cancel_on_signals()
    async with kept_alive(server):
        async with connected(settings, size=1, migrate=migrate) as database:
            await _prepare(make_broker(settings, database))
        await Supervisor(settings, listener, started=partial(_say_started, listener)).run()
        cancel_on_signals()


async def _prepare(broker: Broker) -> None:
    """What is done and said once, however many processes there are."""
    settings, database = broker.settings, broker.database
    logger().info("Database connected")
    logger().warning(f"AUTH_MODE={settings.mode}: the DID that a request names is believed, not proven")
    for warning in settings.warnings:
        logger().warning(warning)
    await say_what_is_missing(database)
    await _say_if_connections_are_few(settings, database)
    with suppress(BrokerError):  # without its tables the broker still starts, and readiness says so
        await accounts.prepare_broker_account(database, broker.terms.settlement.broker)


async def _say_if_connections_are_few(settings: Settings, database: Database) -> None:
    with suppress(BrokerError):
        given = await health.connections(database)
        if settings.connections > given:
            logger().warning(
                f"{settings.connections_in_words}, PostgreSQL gives {given}: requests will be refused under load;"
                " lower POOL_SIZE or raise max_connections"
            )


def _say_started(listener: socket.socket) -> None:
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    logger().info(f"AINP Broker started on port {port}", port=port, docs=f"http://{shown}:{port}/docs")


async def answer_requests(
    broker: Broker, listener: socket.socket, *, started: Callable[[], None], jobs: bool = False
) -> None:
    """Serve, with the jobs beside it or without, until a signal says stop."""
    background = [
        asyncio.create_task(notice_forever(broker), name="notice"),
        asyncio.create_task(broker.events.follow_forever(), name="events"),
    ]
    if jobs:
        background.append(asyncio.create_task(work_forever(broker), name="work"))
    try:
        await _Server(App(broker), started).serve(sockets=[listener])
    finally:
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)


class _Server(uvicorn.Server):
    """uvicorn, told to leave logging, headers, proxies and the process alone."""

    def __init__(self, app: App, started: Callable[[], None] = lambda: None) -> None:
        self._say_started = started
        super().__init__(
            uvicorn.Config(
                app,
                loop="none",
                http="httptools",
                **SOCKETS,
                lifespan="off",
                access_log=False,
                log_config=None,
                log_level="warning",
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=DRAIN_S,
            )
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        self._say_started()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Drain on a signal; the original then raises it again, which would end the process before its database."""
        loop = asyncio.get_running_loop()
        for number in TO_STOP:
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            cancel_on_signals()


def _listen(settings: Settings) -> socket.socket:
    """Take the port first: a broker that can't listen should not start a database."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host.strip("[]"), settings.port), family=family, backlog=_BACKLOG)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or str(error)
        raise SettingsError(f"can't listen on {settings.host} port {settings.port}: {reason}") from error
