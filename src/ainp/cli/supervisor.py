"""
The parent of `ainp serve --workers N`: it keeps processes running and answers nothing itself.

Each process is started afresh, never forked from one that runs a loop. It has the listening socket and one end of a
socket pair: it says there when it is ready, and when the other end closes, its parent is gone and it ends, too.
"""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from pydantic import SecretStr

from ainp.cli.signals import TO_STOP
from ainp.settings import Settings, variable_of
from ainp.telemetry import logger
from ainp.telemetry.counting import forget_gauges

DRAIN_S = 10  # what a request may take after the signal to stop
_PATIENCE_S = DRAIN_S + 5.0  # then a process that has not ended is killed
_STEADY_S = 10.0  # who lived so long did not die of its start
_PAUSE_S, _PAUSE_MOST_S = 0.5, 30.0


class NotStarted(Exception):
    """A process ended before the broker was up."""


@dataclass(frozen=True, slots=True)
class Role:
    """What a process is for: its name in the log, and the arguments it is started with."""

    name: str
    arguments: tuple[str, ...]
    answers: bool = False


def roles(settings: Settings, listener: int) -> list[Role]:
    """As many processes that answer as WORKERS says, and one for what happens without a request."""
    answering = [
        Role(f"serve-{number}", ("serve", "--listener", str(listener)), answers=True)
        for number in range(1, settings.workers + 1)
    ]
    return [*answering, Role("work", ("work",))] if settings.jobs_enabled else answering


def pause_s(short_lives: int) -> float:
    """How long to wait before the next life after so many short ones in a row: not at all, then twice as long."""
    return 0.0 if short_lives == 0 else min(_PAUSE_MOST_S, _PAUSE_S * 2.0 ** min(short_lives - 1, 10))


class Supervisor:
    """Starts its processes, starts them again, and ends with the last of them."""

    def __init__(
        self, settings: Settings, listener: socket.socket, *, metrics: Path, started: Callable[[], None]
    ) -> None:
        self._listener = listener
        self._metrics = metrics  # where its processes count, so that each can show the sum
        self._environment = _environment(settings)
        self._started = started
        self._roles = roles(settings, listener.fileno())
        self._waited_for = {role.name for role in self._roles}
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._ready: set[str] = set()
        self._renews = settings.ainp_tls_cert is not None
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Run until a signal says stop; raises NotStarted if a process ends before all have been ready."""
        loop = asyncio.get_running_loop()
        for number in TO_STOP:
            loop.add_signal_handler(number, self._told_to_stop)
        if self._renews:
            loop.add_signal_handler(signal.SIGHUP, self._renew)
        keepers = [asyncio.create_task(self._keep(role), name=role.name) for role in self._roles]
        try:
            await asyncio.gather(*keepers)
        finally:
            self._stop()
            await asyncio.wait(keepers)

    def _told_to_stop(self) -> None:
        if not self._stopping.is_set():
            logger().info("AINP Broker is stopping", processes=len(self._running))
            self._stop()
        else:
            self._send(signal.SIGINT)  # the second time it means: don't wait for requests

    def _renew(self) -> None:
        """Have those that answer read the certificate again; one that is starting reads it anyhow."""
        for role in self._roles:
            if role.name in self._ready and role.answers:
                with suppress(ProcessLookupError):
                    self._running[role.name].send_signal(signal.SIGHUP)

    def _stop(self) -> None:
        if not self._stopping.is_set():
            self._stopping.set()
            self._send(signal.SIGTERM)
            asyncio.get_running_loop().call_later(_PATIENCE_S, self._send, signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        for process in self._running.values():
            with suppress(ProcessLookupError):
                process.send_signal(number)

    async def _keep(self, role: Role) -> None:
        short_lives = 0
        while not self._stopping.is_set():
            began = monotonic()
            end = await self._live(role)
            if self._stopping.is_set():
                return
            if self._waited_for:
                raise NotStarted(f"process {role.name} {end} before the broker was up")
            wait_s = pause_s(short_lives)
            short_lives = short_lives + 1 if monotonic() - began < _STEADY_S else 0
            logger().error(f"Process {role.name} {end}, starting it again", process=role.name, wait_s=wait_s)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), wait_s)

    async def _live(self, role: Role) -> str:
        """One life of a process; how it ended."""
        ours, theirs = socket.socketpair()
        with closing(ours), closing(theirs):
            ours.setblocking(False)
            try:
                process = await self._start(role, theirs.fileno())
            except OSError as error:  # no memory, too many processes: it may pass
                return f"could not be started ({error})"
            theirs.close()
            self._running[role.name] = process
            if self._stopping.is_set():
                self._send(signal.SIGTERM)
            ready = asyncio.create_task(self._notice_ready(role, ours))
            try:
                return _how(await process.wait())
            finally:
                del self._running[role.name]
                self._ready.discard(role.name)
                forget_gauges(self._metrics, role.name)
                ready.cancel()
                await asyncio.wait([ready])  # before its socket is closed

    async def _start(self, role: Role, parent: int) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *_command(role, parent=parent, metrics=self._metrics),
            stdin=asyncio.subprocess.DEVNULL,
            env=self._environment,
            pass_fds=[self._listener.fileno(), parent],
            start_new_session=True,  # Ctrl-C is for the parent, which passes it on once
        )

    async def _notice_ready(self, role: Role, channel: socket.socket) -> None:
        said = await asyncio.get_running_loop().sock_recv(channel, 1)
        if said:
            self._ready.add(role.name)
        if said and role.name in self._waited_for:
            self._waited_for.remove(role.name)
            if not self._waited_for:
                self._started()


def _command(role: Role, *, parent: int, metrics: Path) -> Sequence[str]:
    # -P: a folder named `ainp` where the broker is started must not take the package's place.
    return [
        sys.executable,
        "-P",
        "-m",
        "ainp",
        "process",
        *role.arguments,
        "--name",
        role.name,
        "--parent",
        str(parent),
        "--metrics",
        str(metrics),
    ]


def _environment(settings: Settings) -> dict[str, str]:
    """The settings as they were read at start, so that a process started later has them, too."""
    given = {variable_of(name): _written(getattr(settings, name)) for name in settings.model_fields_set}
    inherited = {name: value for name, value in os.environ.items() if name.upper() not in given}
    return inherited | {name: value for name, value in given.items() if value}


def _written(value: object) -> str:
    if value is None:
        return ""
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)


def _how(code: int) -> str:
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
