"""A real NATS with JetStream, started by the tests: one server, or several as a cluster."""

import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nats.aio.client import Client
from nats.js.api import ConsumerConfig
from nats.js.errors import APIError

from ainp.core.bus import Stream
from support.serving import a_free_port, wait_until

PROGRAM = Path(sys.executable).parent / "nats-server"


@dataclass
class NatsServer:
    """A server on a port of its own, which it and its data keep over its restarts."""

    folder: Path
    name: str = "alone"
    options: Mapping[str, Any] = field(default_factory=dict)
    scheme: str = "nats"
    port: int = field(default_factory=a_free_port)
    cluster_port: int = field(default_factory=a_free_port)
    peers: Sequence["NatsServer"] = ()
    _process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        """Where it is, for whoever needs no password."""
        return self.url_for("")

    @property
    def log(self) -> Path:
        """What it says."""
        return self.folder / f"{self.name}.log"

    def url_for(self, user: str) -> str:
        """Where it is for *user*, written `name:password@`."""
        return f"{self.scheme}://{user}127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it listens; a cluster may still have to agree on who leads."""
        config = self.folder / f"{self.name}.json"
        config.write_text(json.dumps(self._configuration()))
        said = self.log.stat().st_size if self.log.exists() else 0
        process = subprocess.Popen(
            [PROGRAM, "--config", config, "--log", self.log], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._process = process

        def up() -> bool:
            assert process.poll() is None, f"it ended with {process.returncode}: {self.log.read_text()[said:]}"
            return self.log.exists() and "Server is ready" in self.log.read_text()[said:]

        wait_until(up)

    def kill(self) -> None:
        """Kill it, as a machine that loses its power does."""
        self._signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Let it keep its connections and say nothing."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def _configuration(self) -> dict[str, Any]:
        alone = {
            "host": "127.0.0.1",
            "port": self.port,
            "server_name": self.name,
            "jetstream": {"store_dir": str(self.folder / f"{self.name}.data"), "max_file_store": "100G"},
        }
        if not self.peers:
            return {**alone, **self.options}
        routes = [f"nats://127.0.0.1:{peer.cluster_port}" for peer in self.peers]
        cluster = {"name": "tests", "host": "127.0.0.1", "port": self.cluster_port, "routes": routes}
        return {**alone, "cluster": cluster, **self.options}

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)


@contextmanager
def a_nats(*, running: bool = True, scheme: str = "nats", **options: Any) -> Iterator[NatsServer]:  # noqa: ANN401 - of its configuration
    """One server with these *options*."""
    with tempfile.TemporaryDirectory(prefix="ainp-test-nats-") as folder:
        server = NatsServer(Path(folder), options=options, scheme=scheme)
        try:
            if running:
                server.start()
            yield server
        finally:
            server.kill()


@contextmanager
def a_cluster(size: int = 3) -> Iterator[list[NatsServer]]:
    """Several servers that keep things together."""
    with tempfile.TemporaryDirectory(prefix="ainp-test-nats-") as folder, ExitStack() as stack:
        servers = [NatsServer(Path(folder), name=f"node-{number}") for number in range(1, size + 1)]
        for server in servers:
            server.peers = servers
            stack.callback(server.kill)
        for server in servers:
            server.start()
        yield servers


def urls_of(servers: Sequence[NatsServer]) -> str:
    """What NATS_URL is for a broker that may use any of them."""
    return ",".join(server.url for server in servers)


@dataclass
class Kept:
    """A letter as a stream keeps it."""

    subject: str
    number: int
    event: str
    payload: bytes
    headers: Mapping[str, str]


@asynccontextmanager
async def a_client(*servers: NatsServer, **options: Any) -> AsyncIterator[Client]:  # noqa: ANN401 - of the library
    """Somebody who reads."""
    client = Client()
    await client.connect([server.url for server in servers], error_cb=_ignore, **options)
    try:
        yield client
    finally:
        await client.close()


async def _ignore(error: Exception) -> None:
    """What matters is what arrives."""


async def kept(
    client: Client, subject: str, *, durable: str, stream: Stream = Stream.EVENTS, upto: int | None = None
) -> list[Kept]:
    """What a durable consumer has not acknowledged yet, at least up to the number *upto*; it does so now."""
    config = ConsumerConfig(filter_subject=subject, ack_wait=30)
    reader = await client.jetstream().pull_subscribe(subject, durable, stream=stream, config=config)
    found: list[Kept] = []
    while True:
        try:
            messages = await reader.fetch(500, timeout=0.5)
        except (TimeoutError, APIError):  # nothing more; or a cluster that still agrees on who leads
            if upto is None or (found and found[-1].number >= upto):
                return found
            continue
        for message in messages:
            headers = message.headers or {}
            found.append(
                Kept(message.subject, int(headers["Ainp-Number"]), headers["Ainp-Event"], message.data, headers)
            )
            await message.ack()
