"""A wire between the broker and PostgreSQL that can be made slow, or go dead; PostgreSQL itself is the real one."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

_CHUNK = 65536
_NAME = ".s.PGSQL.5432"


@dataclass
class Wire:
    """What the connections through it are like now; bytes on their way keep their order."""

    url: str
    delay_s: float = 0.0  # of everything that PostgreSQL says
    dead: bool = False  # connections stay, and nothing comes
    _connections: set[asyncio.Task[None]] = field(default_factory=set)

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, socket: Path) -> None:
        """Carry one connection's bytes both ways until either side ends it."""
        own = asyncio.current_task()
        assert own is not None
        self._connections.add(own)
        try:
            there, to = await asyncio.open_unix_connection(str(socket))
            try:
                await asyncio.gather(self._copy(reader, to, slow=False), self._copy(there, writer, slow=True))
            finally:
                to.close()
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._connections.discard(own)
            writer.close()

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, slow: bool) -> None:
        while data := await reader.read(_CHUNK):
            if slow and self.delay_s:
                await asyncio.sleep(self.delay_s)
            while self.dead:  # noqa: ASYNC110 - another thread says so
                await asyncio.sleep(0.01)
            writer.write(data)
            await writer.drain()
        writer.close()

    def set(self, *, delay_s: float = 0.0, dead: bool = False) -> None:
        """Make it so from now on."""
        self.delay_s, self.dead = delay_s, dead

    async def end(self) -> None:
        """Hang up every connection."""
        ending = list(self._connections)
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        await asyncio.sleep(0)  # a transport closes its socket in the turn after


@contextmanager
def a_wire(dsn: str, folder: Path) -> Iterator[Wire]:
    """Stand between whoever uses the wire's url and the PostgreSQL at *dsn*, which listens on a Unix socket."""
    parts = urlsplit(dsn)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    socket = Path(query["host"]) / _NAME
    wire = Wire(parts._replace(query=urlencode({**query, "host": str(folder)})).geturl())
    ready, loop = threading.Event(), asyncio.new_event_loop()

    async def run() -> None:
        server = await asyncio.start_unix_server(lambda r, w: wire.carry(r, w, socket), str(folder / _NAME))
        (folder / _NAME).chmod(0o777)
        ready.set()
        try:
            await asyncio.Event().wait()
        finally:
            server.close()
            await wire.end()

    def serve() -> None:
        with suppress(asyncio.CancelledError):
            loop.run_until_complete(serving)
        loop.close()

    serving = loop.create_task(run())
    thread = threading.Thread(target=serve, name="wire")
    thread.start()
    assert ready.wait(10)
    try:
        yield wire
    finally:
        loop.call_soon_threadsafe(serving.cancel)
        thread.join(10)
