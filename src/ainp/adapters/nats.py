"""
NATS JetStream: keeps a copy of every event for whoever reads it there, and wakes the brokers that tell it on sockets.

PostgreSQL is where events are: without NATS nothing is lost and nobody waits, and what it has missed it gets once it is
back. A connection that ends is made anew here rather than by the library, so that whatever follows a connection
(streams, subscriptions, catching up) follows every one of them alike.
"""

import asyncio
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nats.aio.client import Client, RawCredentials
from nats.aio.msg import Msg
from nats.errors import Error, MaxPayloadError
from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import APIError, NotFoundError

from ainp.core.bus import WAKES, Letter, Stream
from ainp.telemetry import logger
from ainp.telemetry.metrics import BUS_DEGRADED

_CONNECT_S = 2
_PING_EVERY_S = 2  # a server that says nothing is given up after twice as long
_PAUSE_S, _PAUSE_MOST_S = 0.1, 2.0
_ACKNOWLEDGED_S = 3.0
_SAME_FOR_S = 120  # how long a stream remembers ids
_DIGITS = 19  # of a position


class BusAway(Exception):
    """NATS is not there, or does not keep what it is given; it may later."""


@dataclass(frozen=True, slots=True)
class BusPolicy:
    """Where NATS is, who the broker is to it, and how it keeps things."""

    servers: Sequence[str]  # without who one is
    user: str | None = None
    password: str | None = None
    token: str | None = None
    credentials_file: Path | None = None
    nkey_file: Path | None = None
    ca: Path | None = None
    encrypted: bool = False
    replicas: int = 1
    max_bytes: int = 1 << 30
    max_age_s: float = 7 * 86_400


class Bus:
    """The connection of one process."""

    def __init__(self, policy: BusPolicy) -> None:
        self._policy = policy
        self._places = ",".join(server.partition("://")[2] for server in policy.servers)
        self._client: Client | None = None  # as long as it is connected
        self._has_streams = False
        self._listeners: set[Callable[[int], None]] = set()
        self._said = ""

    @property
    def connected(self) -> bool:
        """Whether a server answers."""
        return self._client is not None

    async def keep_connected(self) -> None:
        """Connect, and connect again, until cancelled."""
        pause_s = _PAUSE_S
        BUS_DEGRADED.of().set(1)
        while True:
            ended = asyncio.Event()
            client = _Client(encrypted=self._policy.encrypted)
            try:
                await self._connect(client, ended)
                pause_s = _PAUSE_S
                await ended.wait()
                self._lose(client.why)
            except (Error, OSError, ValueError, TimeoutError) as error:  # ValueError: a file that holds no key
                self._lose(client.why or error)
            except Exception as error:  # noqa: BLE001 - nobody restarts this loop, and a library has many errors
                self._lose(error)
            finally:
                self._client = None
                with suppress(Exception):  # it is given up, whatever it says to that
                    await client.close()
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _PAUSE_MOST_S)

    async def publish(self, letters: Sequence[Letter]) -> None:
        """
        Have every letter kept; a receiver's in their order, each after the one before was acknowledged.

        Those that were kept before fall out. Raises BusAway when one is not acknowledged; the others may be.
        """
        if not self._has_streams:
            await self._make_streams()
        chains: dict[str, list[Letter]] = {}
        for letter in letters:
            chains.setdefault(letter.did, []).append(letter)
        ends = await asyncio.gather(*map(self._publish_in_order, chains.values()), return_exceptions=True)
        for end in ends:
            if isinstance(end, BaseException):
                raise end

    def wake(self, position: int) -> None:
        """Tell the other brokers how far publication is; whoever does not hear it looks by itself."""
        client = self._client
        if client is not None:
            sent = asyncio.get_running_loop().create_task(_send(client, str(position).encode()))
            sent.add_done_callback(lambda done: done.cancelled() or done.exception())  # it is only a hint

    @contextmanager
    def listening(self, hear: Callable[[int], None]) -> Iterator[None]:
        """Let *hear* be told how far publication is, whenever another broker says so."""
        self._listeners.add(hear)
        try:
            yield
        finally:
            self._listeners.discard(hear)

    async def _connect(self, client: "_Client", ended: asyncio.Event) -> None:
        async def closed() -> None:
            ended.set()

        async with asyncio.timeout(_CONNECT_S * (len(self._policy.servers) + 1)):
            await client.connect(closed_cb=closed, **self._options(client))
            await client.subscribe(WAKES, cb=self._hear)
            await client.flush()
        self._client, self._has_streams, self._said = client, False, ""
        BUS_DEGRADED.of().set(0)
        logger().info("NATS connected", nats=client.connected_url.netloc if client.connected_url else self._places)

    def _options(self, client: "_Client") -> dict[str, Any]:
        policy = self._policy
        named: dict[str, object] = {
            "user": policy.user,
            "password": policy.password,
            "token": policy.token,
            "user_credentials": None if policy.credentials_file is None else _credentials(policy.credentials_file),
            "nkeys_seed": policy.nkey_file,
            "tls": None if policy.ca is None else ssl.create_default_context(cafile=policy.ca),
        }
        return {
            **{name: value for name, value in named.items() if value is not None},
            "servers": list(policy.servers),
            "name": "ainp",
            "allow_reconnect": False,
            "max_reconnect_attempts": 1,  # of each server; with 0 the library would go on for ever
            "reconnect_time_wait": 0,
            "connect_timeout": _CONNECT_S,
            "ping_interval": _PING_EVERY_S,
            "error_cb": client.remember,
        }

    def _lose(self, error: Exception | None) -> None:
        BUS_DEGRADED.of().set(1)
        reason = str(error) or type(error).__name__ if error else "the connection was closed"
        if reason != self._said:  # once, not at every try
            self._said = reason
            logger().warning(
                "NATS unavailable - brokers hear of events from PostgreSQL alone", nats=self._places, error=reason
            )

    async def _hear(self, message: Msg) -> None:
        said = message.data
        if said.isdigit() and len(said) < _DIGITS:  # whoever may publish here may say anything
            for hear in tuple(self._listeners):
                hear(int(said))

    async def _publish_in_order(self, letters: Sequence[Letter]) -> None:
        for letter in letters:
            await self._publish_one(letter)

    async def _publish_one(self, letter: Letter) -> None:
        client = self._client
        if client is None:
            raise BusAway("not connected")
        headers = {"Nats-Msg-Id": letter.id, "Ainp-Number": str(letter.number), "Ainp-Event": letter.event}
        stream = client.jetstream(timeout=_ACKNOWLEDGED_S)
        try:
            try:
                await stream.publish(letter.subject, letter.payload, headers=headers)
            except MaxPayloadError:  # the server's limit; who needs the event finds it at the broker by its number
                headers["Ainp-Too-Large"] = str(len(letter.payload))
                await stream.publish(letter.subject, b"", headers=headers)
        except (Error, OSError, TimeoutError) as error:
            self._has_streams = False  # somebody may have deleted them
            raise BusAway(_reason(error)) from error

    async def _make_streams(self) -> None:
        """Make the streams that are not there; one that is stays as it is, as an operator may have made it."""
        client = self._client
        if client is None:
            raise BusAway("not connected")
        manager = client.jsm(timeout=_ACKNOWLEDGED_S)
        try:
            for stream in Stream:
                try:
                    await manager.stream_info(stream)
                except NotFoundError:
                    await manager.add_stream(self._stream(stream))
        except (Error, OSError, TimeoutError) as error:
            raise BusAway(_reason(error)) from error
        self._has_streams = True

    def _stream(self, stream: Stream) -> StreamConfig:
        policy = self._policy
        return StreamConfig(
            name=stream,
            subjects=[stream.subjects],
            retention=RetentionPolicy.LIMITS,
            storage=StorageType.FILE,
            discard=DiscardPolicy.OLD,
            max_age=policy.max_age_s,
            max_bytes=policy.max_bytes,
            duplicate_window=_SAME_FOR_S,
            num_replicas=policy.replicas,
        )


class _Client(Client):
    """The library's client, which would speak without TLS to a server that asks for none, whatever its URL says."""

    def __init__(self, *, encrypted: bool) -> None:
        super().__init__()
        self._encrypted = encrypted
        self.why: Exception | None = None

    async def remember(self, error: Exception) -> None:
        """Keep the reason why it ends; what is refused of a connection that goes on is said at once."""
        if "permissions violation" in str(error).lower():
            logger().warning("NATS refuses something", error=str(error))
        self.why = error

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:  # noqa: FBT001, FBT002 - the library's
        """Before anything was said to the server."""
        if self._encrypted and not info.get("tls_required"):
            raise Error("the server speaks no TLS, expected it as the URL begins with tls:// or NATS_TLS_CA is set")
        await super()._process_info(info, initial_connection)


def _credentials(file: Path) -> RawCredentials:
    """What `nsc` writes; the library would look for ever for what is not in it."""
    text = file.read_text("ascii")
    if not all(part in text for part in ("BEGIN NATS USER JWT-----\n", "BEGIN USER NKEY SEED-----\n")):
        raise ValueError("NATS_CREDENTIALS_FILE has no user's JWT and seed in it")
    return RawCredentials(text)


async def _send(client: Client, position: bytes) -> None:
    await client.publish(WAKES, position)


def _reason(error: Exception) -> str:
    if isinstance(error, APIError):
        return f"{error.description} ({error.err_code})"
    return str(error) or type(error).__name__
