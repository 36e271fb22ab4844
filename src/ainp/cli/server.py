"""The HTTP server: uvicorn on a socket that was opened before anything else was started."""

import asyncio
import os
import resource
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import uvicorn

from ainp.cli.signals import TO_STOP, cancel_on_signals
from ainp.cli.supervisor import DRAIN_S
from ainp.cli.tls import GOODBYE_S, HANDSHAKE_S, Certificate
from ainp.http.admission import Admission
from ainp.http.app import App
from ainp.http.connection import RequestProtocol
from ainp.http.protocol import SOCKETS
from ainp.settings import Settings, SettingsError
from ainp.telemetry import logger

_BACKLOG = 2048
_OTHER_FILES = 200  # listeners, logs, libraries, requests to elsewhere
_TICKS_A_SECOND = 10


class Server(uvicorn.Server):
    """uvicorn, told to leave logging, headers, proxies and the process alone."""

    _options: dict[str, Any] = SOCKETS

    def __init__(
        self,
        app: App,
        started: Callable[[], None] = lambda: None,
        *,
        admission: Admission | None = None,
        certificate: Certificate | None = None,
    ) -> None:
        self._say_started = started
        self._certificate = certificate
        self._admission = admission or Admission()
        super().__init__(
            uvicorn.Config(
                app,
                loop="none",
                http=RequestProtocol,
                **self._options,
                lifespan="off",
                access_log=False,
                log_config=None,
                log_level="warning",
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=DRAIN_S,
            )
        )
        self.server_state = self._admission

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        if self._certificate is None:
            await super().startup(sockets)
        else:
            await self._listen_with_tls(sockets or [], self._certificate)
        self._say_started()

    async def _listen_with_tls(self, sockets: list[socket.socket], certificate: Certificate) -> None:
        """As the base class does it, with an end to a handshake that nobody finishes."""

        def protocol() -> asyncio.Protocol:
            return RequestProtocol(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)

        loop = asyncio.get_running_loop()
        self.servers = [
            await loop.create_server(
                protocol,
                sock=each,
                backlog=_BACKLOG,
                ssl=certificate.context,
                ssl_handshake_timeout=HANDSHAKE_S,
                ssl_shutdown_timeout=GOODBYE_S,
            )
            for each in sockets
        ]
        self.started = True

    async def on_tick(self, counter: int) -> bool:
        """Look at every connection, once a second as the base class counts."""
        if counter % _TICKS_A_SECOND == 0:
            self._admission.look(asyncio.get_running_loop().time())
        return await super().on_tick(counter)

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


class SideServer(Server):
    """One beside the work of its process: without WebSockets, and signals are none of its business."""

    _options: dict[str, Any] = {"ws": "none"}  # noqa: RUF012 - read only, as the one it replaces

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them to who works."""
        yield


def admission(settings: Settings) -> Admission:
    """
    How many may connect, and as many open files as that takes, as far as the process may have them.

    Behind a proxy that proves itself all come from its address.
    """
    others = settings.pool_size + _OTHER_FILES
    files = _raise_open_files(settings.max_connections + others)
    most = min(settings.max_connections, max(files - others, 1))
    if most < settings.max_connections:
        logger().warning(
            f"MAX_CONNECTIONS={settings.max_connections} needs {settings.max_connections + others} open files, this"
            f" process may have {files}: {most} connections are taken; raise `ulimit -n`"
        )
    behind_proxy = settings.ainp_proxy_secret is not None
    return Admission(most, per_address=None if behind_proxy else settings.max_connections_per_address)


def _raise_open_files(needed: int) -> int:
    """Ask for so many open files; how many there may be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return needed
    wanted = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return wanted
    return soft


def listen(host: str, port: int) -> socket.socket:
    """Take the port first: a broker that can't listen should not start a database."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host.strip("[]"), port), family=family, backlog=_BACKLOG)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or str(error)
        raise SettingsError(f"can't listen on {host} port {port}: {reason}") from error


def address_of(listener: socket.socket, *, encrypted: bool) -> str:
    """Where it listens, as a URL."""
    host, port = listener.getsockname()[:2]
    return f"{'https' if encrypted else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"
