"""One of the processes of `ainp serve --workers N`, as its parent starts it."""

import asyncio
import signal
import socket
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
import uvloop

from ainp.adapters.broker_key import UnusableKey
from ainp.adapters.rate_limits import BUCKETS
from ainp.broker import make_broker
from ainp.cli.identity import broker_identity
from ainp.cli.log import begin_log
from ainp.cli.postgres import NoDatabase, connected
from ainp.cli.serve import answer_requests
from ainp.cli.signals import cancel_on_signals
from ainp.cli.work import POOL_SIZE, work_and_measure
from ainp.settings import Settings, SettingsError, load_settings
from ainp.telemetry import logger
from ainp.telemetry.counting import share


class Does(StrEnum):
    """What a process is for."""

    SERVE = "serve"
    WORK = "work"


def process(
    does: Does,
    name: Annotated[str, typer.Option(help="What it is called in the log.")],
    parent: Annotated[int, typer.Option(help="File descriptor of the socket to its parent.")],
    metrics: Annotated[Path, typer.Option(help="Folder where its numbers are shared.")],
    listener: Annotated[int, typer.Option(help="File descriptor of the listening socket.")] = -1,
) -> None:
    """Run one process of a broker that has several; `ainp serve --workers` starts it, nobody else."""
    settings = load_settings(_env_file=None)  # the parent has read it, and passes on what it said
    begin_log(settings, process=name)
    share(metrics, name)
    with socket.socket(fileno=parent) as channel:
        try:
            uvloop.run(_run(settings, does, channel, listener, metrics))
        except asyncio.CancelledError:
            pass  # told to stop before it was up
        except (NoDatabase, SettingsError, UnusableKey) as error:
            logger().error("Fatal error starting a process of the broker", error=str(error))
            raise typer.Exit(1) from error


async def _run(settings: Settings, does: Does, channel: socket.socket, listener: int, shared: Path) -> None:
    cancel_on_signals()
    _end_with(channel)

    def ready(*_: object) -> None:
        with suppress(OSError):  # the parent is gone, which is noticed elsewhere
            channel.send(b".")

    size = settings.pool_size if does is Does.SERVE else POOL_SIZE
    async with connected(settings, size=size) as database:
        broker = make_broker(settings, database, identity=broker_identity(settings), buckets=shared / BUCKETS)
        if does is Does.WORK:
            ready()
            await work_and_measure(broker)
        else:
            with socket.socket(fileno=listener) as inherited:
                await answer_requests(broker, inherited, started=ready)


def _end_with(channel: socket.socket) -> None:
    """End as if told to when the parent is gone, however it went."""
    channel.setblocking(False)
    loop = asyncio.get_running_loop()

    def closed() -> None:
        loop.remove_reader(channel)
        logger().warning("The parent process is gone, this one ends")
        signal.raise_signal(signal.SIGTERM)

    loop.add_reader(channel, closed)
