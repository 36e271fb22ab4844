"""`ainp work`: what happens without a request, in a process of its own."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing, nullcontext

import typer
import uvloop

from ainp.broker import Broker, make_broker
from ainp.cli.exits import CANNOT
from ainp.cli.log import begin_log
from ainp.cli.names import unread_names
from ainp.cli.postgres import NoDatabase, connected, say_what_is_missing
from ainp.cli.server import SideServer, address_of, listen
from ainp.cli.signals import cancel_on_signals, interrupt_on_signals
from ainp.cli.tls import Certificate, certificate_of, renew_on_hangup
from ainp.http.app import App
from ainp.http.auth import METRICS
from ainp.http.routes import SCRAPED
from ainp.settings import Settings, SettingsError, load_settings
from ainp.telemetry import logger
from ainp.telemetry.counting import call_process
from ainp.worker import usefulness
from ainp.worker.jobs import scheduled
from ainp.worker.publisher import publish_forever
from ainp.worker.schedule import run_forever
from ainp.worker.upkeep import measure_forever

POOL_SIZE = 16  # a job works with one at a time, and seldom do so many run at once
_LOOK_AGAIN_S = 1.0


def work() -> None:
    """
    Run the jobs and publish the events, apart from requests; Ctrl-C ends it cleanly.

    It works on DATABASE_URL, or on the embedded PostgreSQL of the `ainp serve` that uses the same AINP_DATA_DIR, and
    waits until that runs. With JOBS_ENABLED=false the broker leaves all this to this command; without it, and with
    several of these commands, each run of a job is done by one of them, and one publishes.
    """
    try:
        settings = load_settings()
        certificate = None if settings.metrics_port is None else certificate_of(settings)
        listener = None if settings.metrics_port is None else listen(settings.host, settings.metrics_port)
        begin_log(settings)
    except SettingsError as error:
        typer.echo(f"ainp: {error}", err=True)
        raise typer.Exit(CANNOT) from error
    call_process("work")
    try:
        interrupt_on_signals()
        with closing(listener) if listener else nullcontext():
            uvloop.run(_work(settings, listener, certificate))
    except (KeyboardInterrupt, asyncio.CancelledError):
        pass  # told to stop
    except NoDatabase as error:
        logger().error("Fatal error starting worker", error=str(error))
        raise typer.Exit(1) from error
    logger().info("AINP Worker stopped")


async def _work(settings: Settings, listener: socket.socket | None, certificate: Certificate | None) -> None:
    cancel_on_signals()
    for stranger in unread_names():
        logger().warning(str(stranger))
    embedded = settings.database_url is None
    if embedded:
        await _wait_for_broker(settings)
    async with connected(settings, size=POOL_SIZE) as database:
        if not embedded:  # the broker that owns the embedded one migrates it
            await say_what_is_missing(database)
        logger().info("AINP Worker started")
        broker = make_broker(settings, database)
        async with AsyncExitStack() as beside:
            if listener is not None:
                await beside.enter_async_context(_scraped(broker, listener, certificate))
            await work_and_measure(broker)


async def _wait_for_broker(settings: Settings) -> None:
    """Wait for the broker's PostgreSQL; taking it would keep the broker from starting."""
    said = False
    while True:
        try:
            async with connected(settings, size=1):
                return
        except NoDatabase:
            if not said:
                said = True
                logger().warning(
                    "Waiting for the broker's PostgreSQL: start `ainp serve`, or set DATABASE_URL",
                    data_dir=str(settings.data_dir.resolve()),
                )
            await asyncio.sleep(_LOOK_AGAIN_S)


@asynccontextmanager
async def _scraped(broker: Broker, listener: socket.socket, certificate: Certificate | None) -> AsyncIterator[None]:
    """Answer scrapes and probes, and nobody else."""
    server = SideServer(App(broker, SCRAPED, documents=()), certificate=certificate)
    task = asyncio.create_task(server.serve(sockets=[listener]), name="metrics")
    logger().info("Metrics are shown", url=address_of(listener, encrypted=certificate is not None) + METRICS)
    try:
        with renew_on_hangup(certificate):
            yield
    finally:
        server.should_exit = True
        await asyncio.gather(task, return_exceptions=True)


async def work_and_measure(broker: Broker) -> None:
    """Do what needs no request, in a process that does nothing else."""
    async with asyncio.TaskGroup() as group:
        group.create_task(work_forever(broker), name="work")
        group.create_task(measure_forever(broker), name="measure")
        if broker.bus is not None:
            group.create_task(broker.bus.keep_connected(), name="bus")


async def work_forever(broker: Broker) -> None:
    """Do everything that needs no request, until cancelled."""
    async with asyncio.TaskGroup() as group:
        group.create_task(run_forever(broker.database, scheduled(broker)), name="jobs")
        group.create_task(publish_forever(broker.database, broker.bus, talked=broker.talked), name="publisher")
        if broker.settings.aggregates:
            group.create_task(usefulness.at_start(broker), name="usefulness")
