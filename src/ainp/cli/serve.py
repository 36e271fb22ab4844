"""`ainp serve`: the broker, with its own PostgreSQL unless it is given one; one process, or several under a parent."""

import asyncio
import gc
import socket
from collections.abc import Callable
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
import uvloop

from ainp import setting_secrets
from ainp.adapters.broker_key import UnusableKey
from ainp.adapters.rate_limits import BUCKETS, make_table
from ainp.broker import Broker, make_broker
from ainp.cli.exits import CANNOT
from ainp.cli.identity import broker_identity
from ainp.cli.log import begin_log
from ainp.cli.names import unread_names
from ainp.cli.postgres import NoDatabase, connected, kept_alive, postgres, say_what_is_missing
from ainp.cli.server import Server, address_of, admission, listen
from ainp.cli.signals import cancel_on_signals, interrupt_on_signals
from ainp.cli.supervisor import NotStarted, Supervisor
from ainp.cli.tls import certificate_of, renew_on_hangup
from ainp.cli.work import work_forever
from ainp.core.errors import BrokerError
from ainp.http.app import App
from ainp.operations import accounts, health
from ainp.settings import Settings, SettingsError, load_settings
from ainp.store.db import Database
from ainp.store.embedded import EmbeddedPostgres, EmbeddedPostgresError
from ainp.store.migrate import MigrationError
from ainp.telemetry import logger
from ainp.worker.delivery import deliver_forever
from ainp.worker.upkeep import begin_discovery, measure_forever, notice_forever, record_forever

_YOUNG = 10_000  # objects before they are looked through for cycles, of which a request leaves hardly any


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
        certificate_of(settings)  # before anything is started
        listener = listen(settings.host, settings.port)
        begin_log(settings)
    except SettingsError as error:
        typer.echo(f"ainp: {error}", err=True)
        raise typer.Exit(CANNOT) from error
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
    except (EmbeddedPostgresError, MigrationError, NoDatabase, NotStarted, UnusableKey) as error:
        logger().error("Fatal error starting broker", error=str(error))
        raise typer.Exit(1) from error
    logger().info("AINP Broker stopped")


async def _alone(
    settings: Settings, listener: socket.socket, server: EmbeddedPostgres | None, *, migrate: bool
) -> None:
    cancel_on_signals()
    async with kept_alive(server), connected(settings, size=settings.pool_size, migrate=migrate) as database:
        broker = make_broker(settings, database, identity=broker_identity(settings, make=True))
        await _prepare(broker)
        started = partial(_say_started, settings, listener)
        await answer_requests(broker, listener, started=started, jobs=settings.jobs_enabled)


async def _supervise(
    settings: Settings, listener: socket.socket, server: EmbeddedPostgres | None, *, migrate: bool
) -> None:
    cancel_on_signals()
    async with kept_alive(server):
        async with connected(settings, size=1, migrate=migrate) as database:
            await _prepare(make_broker(settings, database, identity=broker_identity(settings, make=True)))
        with TemporaryDirectory(prefix="ainp-metrics-") as metrics:
            if settings.rates is not None:
                make_table(Path(metrics) / BUCKETS)
            started = partial(_say_started, settings, listener)
            await Supervisor(settings, listener, metrics=Path(metrics), started=started).run()
        cancel_on_signals()


async def _prepare(broker: Broker) -> None:
    """What is done and said once, however many processes there are."""
    settings, database = broker.settings, broker.database
    logger().info("Database connected")
    if not settings.strict:
        logger().warning("AUTH_MODE=compat: the DID that a request names is believed, not proven")
    if not settings.signature_verification_enabled:
        logger().warning("SIGNATURE_VERIFICATION_ENABLED=false: envelopes are believed, whoever has signed them")
    if settings.broker_did is not None and broker.identity is None:
        logger().warning(
            "BROKER_DID is set without its key, so the broker signs nothing: set BROKER_PRIVATE_KEY or BROKER_KEY_FILE"
        )
    weak = setting_secrets.warnings(settings.secrets, production=settings.production)  # which is not for everybody
    for warning in [*weak, *settings.warnings, *map(str, unread_names())]:
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


def _say_started(settings: Settings, listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    url = address_of(listener, encrypted=settings.ainp_tls_cert is not None)
    logger().info(f"AINP Broker started on port {port}", port=port, docs=f"{url}/docs")


async def answer_requests(
    broker: Broker, listener: socket.socket, *, started: Callable[[], None], jobs: bool = False
) -> None:
    """Serve, with the jobs beside it or without, until a signal says stop."""
    background = [
        asyncio.create_task(notice_forever(broker), name="notice"),
        asyncio.create_task(measure_forever(broker), name="measure"),
        asyncio.create_task(record_forever(broker), name="audit"),
        asyncio.create_task(begin_discovery(broker), name="discovery"),
        asyncio.create_task(broker.events.follow_forever(), name="events"),
        asyncio.create_task(deliver_forever(broker), name="delivery"),
    ]
    if broker.rates is not None:
        background.append(asyncio.create_task(broker.rates.keep_connected(), name="rates"))
    if broker.bus is not None:
        background.append(asyncio.create_task(broker.bus.keep_connected(), name="bus"))
    if jobs:
        background.append(asyncio.create_task(work_forever(broker), name="work"))
    try:
        app = App(broker, port=listener.getsockname()[1])
        certificate = certificate_of(broker.settings)
        with renew_on_hangup(certificate):
            server = Server(app, started, admission=admission(broker.settings), certificate=certificate)
            gc.freeze()  # what is there now lasts: a full collection would look at it for up to 80 ms, and find nothing
            gc.set_threshold(_YOUNG)
            await server.serve(sockets=[listener])
    finally:
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
