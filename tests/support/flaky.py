"""A server that answers as it is told to, and remembers what it was asked."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

HANG_UP = b""
STALL = b"stall"


@dataclass(frozen=True)
class Asked:
    """A request: its first line, its fields by their names in small letters, its body."""

    line: str
    fields: dict[str, str]
    body: bytes


@dataclass
class Flaky:
    """Where it is, and what it was asked."""

    port: int
    asked: list[Asked] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"


def answer(status: int, body: bytes = b"{}", **headers: str) -> bytes:
    """An answer, as bytes."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


@asynccontextmanager
async def a_flaky_server(answers: Sequence[bytes]) -> AsyncIterator[Flaky]:
    """Give these answers, one after the other, the last one for ever."""
    left = list(answers)
    flaky = Flaky(0)
    over, served = asyncio.Event(), set[asyncio.Task[None] | None]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.add(asyncio.current_task())
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            flaky.asked.append(await _request(reader))
            said = left.pop(0) if len(left) > 1 else left[0]
            if said == STALL:
                await over.wait()
            else:
                writer.write(said)
                await writer.drain()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        flaky.port = server.sockets[0].getsockname()[1]
        yield flaky
        over.set()
        await asyncio.gather(*filter(None, served))


async def _request(reader: asyncio.StreamReader) -> Asked:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    fields = {name.lower(): value for name, value in (line.split(": ", 1) for line in head[1:] if line)}
    body = await reader.readexactly(int(fields.get("content-length", "0")))
    return Asked(head[0], fields, body)
