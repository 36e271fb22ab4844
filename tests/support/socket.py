"""The broker behind a real socket, configured as `ainp serve` does, and requests as raw bytes."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from ainp.broker import Broker
from ainp.cli.server import Server
from ainp.http.admission import Admission
from ainp.http.app import App


@dataclass(frozen=True)
class Answer:
    """What came back: the status, the header lines in small letters, the body."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:  # noqa: ANN401 - any JSON
        """The decoded body."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Raw:
    """Sends bytes to a port of this machine."""

    port: int

    async def send(self, *parts: bytes) -> Answer:
        """Open a connection, send *parts*, read one answer."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=2**24)
        try:
            with contextlib.suppress(ConnectionError):  # who is refused early may find the door shut
                for part in parts:
                    writer.write(part)
                    await writer.drain()
            return await asyncio.wait_for(_answer(reader), 10)
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def get(self, path: bytes, *headers: bytes, method: bytes = b"GET", host: bytes = b"127.0.0.1") -> Answer:
        """A request without a body."""
        lines = [b"%s %s HTTP/1.1" % (method, path), b"Host: " + host, b"Connection: close", *headers]
        return await self.send(b"\r\n".join(lines) + b"\r\n\r\n")

    async def post(self, path: bytes, body: bytes, *headers: bytes) -> Answer:
        """A JSON body."""
        return await self.send(
            b"\r\n".join(
                [
                    b"POST %s HTTP/1.1" % path,
                    b"Host: 127.0.0.1",
                    b"Connection: close",
                    b"Content-Type: application/json",
                    b"Content-Length: %d" % len(body),
                    *headers,
                ]
            )
            + b"\r\n\r\n",
            body,
        )


async def _answer(reader: asyncio.StreamReader) -> Answer:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    length = headers.get("content-length")
    body = await reader.read() if length is None else await _up_to(int(length), reader)
    return Answer(int(head[0].split()[1]), headers, body)


async def _up_to(length: int, reader: asyncio.StreamReader) -> bytes:
    """A body of that length; of an answer to HEAD there is none."""
    try:
        return await reader.readexactly(length)
    except asyncio.IncompleteReadError as error:
        return error.partial


@asynccontextmanager
async def a_socket(broker: Broker, *, admission: Admission | None = None) -> AsyncIterator[Raw]:
    """Serve *broker* on a free port until the block ends."""
    listener = socket.create_server(("127.0.0.1", 0))
    # As uvloop does by itself: else every second answer on a connection waits 40 ms for the other side.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    server = Server(App(broker, port=listener.getsockname()[1]), admission=admission)
    # The signals belong to the tests.
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started:  # noqa: ASYNC110 - uvicorn tells nobody
            await asyncio.sleep(0.01)
        yield Raw(listener.getsockname()[1])
    finally:
        server.should_exit = True
        await task
        listener.close()
