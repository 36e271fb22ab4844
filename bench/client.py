"""
A client that costs little: HTTP/1.1 by hand on uvloop, in processes of its own.

The requests are bytes before the clock starts; of an answer only the status, the length and the body are looked at.
"""

import asyncio
import multiprocessing
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Self, cast

import uvloop

Course = Generator[bytes, bytes, bytes]  # requests out, bodies in; what it returns is the answer that counts
_ID = b'"id":"'
_ID_LENGTH = 36
_PATIENCE_S = 600


class BenchError(Exception):
    """Something answered in a way that makes the figures worthless."""


@dataclass(frozen=True, slots=True)
class Single:
    """One request."""

    request: bytes

    def course(self) -> Course:
        """Send it, return the answer."""
        return (yield self.request)


@dataclass(frozen=True, slots=True)
class Flow:
    """A negotiation from its opening on: each later request is a verb of its path, with headers and body."""

    opening: bytes
    then: tuple[tuple[bytes, bytes], ...]

    def course(self) -> Course:
        """One request after the other; the last answer is returned."""
        body = yield self.opening
        at = body.index(_ID) + len(_ID)
        path = b"POST /api/negotiations/" + body[at : at + _ID_LENGTH] + b"/"
        for verb, rest in self.then:
            body = yield path + verb + rest
        return body


@dataclass(frozen=True, slots=True)
class Job:
    """A flow, and what follows it: the committee's verdicts and a look at the receipt."""

    flow: Flow
    verdicts: int
    make: Callable[[bytes, int], Sequence[bytes]]  # the further requests, made of the settlement's answer

    def course(self) -> Course:
        """All of it; the receipt is returned."""
        body = yield from self.flow.course()
        for request in self.make(body, self.verdicts):
            body = yield request
        return body


Work = Single | Flow | Job


@dataclass(frozen=True, slots=True)
class Batch:
    """
    What one client process does: works over so many connections; the answers are kept if somebody needs them.

    With a *rate*, in works a second, each begins when it is due, or as soon as a connection is free; its latency counts
    from when it was due, so that a broker that stands still is not excused by a client that waits for it.
    """

    port: int
    works: Sequence[Work]
    connections: int
    keep: bool = False
    rate: float | None = None


@dataclass(slots=True)
class Outcome:
    """What came of a batch; times of the machine's monotonic clock, answers in the order of the works."""

    began: float = 0.0
    ended: float = 0.0
    cpu_s: float = 0.0
    latencies_s: list[float] = field(default_factory=list)
    answers: list[bytes] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


class _Link(asyncio.Protocol):
    """One connection, which takes works until none is left."""

    def __init__(self, works: Iterator[tuple[int, Work]], outcome: Outcome, batch: Batch) -> None:
        self._works = works
        self._outcome = outcome
        self._keep = batch.keep
        self._rate = batch.rate
        self._transport: asyncio.WriteTransport
        self._course: Course
        self._rest = b""
        self._number = 0
        self._began = 0.0
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's own is no subclass

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(BenchError(f"the server closed the connection: {exc}"))

    def begin(self) -> None:
        """Take the next work."""
        found = next(self._works, None)
        if found is None:
            self.done.set_result(None)
            return
        self._number, work = found
        self._course = work.course()
        now = time.monotonic()
        self._began = now if self._rate is None else self._outcome.began + self._number / self._rate
        if self._began > now:
            asyncio.get_running_loop().call_later(self._began - now, self._send_first)
        else:
            self._send_first()

    def _send_first(self) -> None:
        self._transport.write(next(self._course))

    def data_received(self, data: bytes) -> None:
        if self._rest:
            data = self._rest + data
        head = data.find(b"\r\n\r\n")
        at = data.find(b"content-length: ", 0, head) + 16
        body = head + 4
        if head < 0 or len(data) < body + int(data[at : data.find(b"\r", at)]):
            self._rest = data
            return
        self._rest = b""
        if data[9:11] == b"20":
            self._go_on(data[body:])
        else:
            self._outcome.refused.append(data[9:400].decode(errors="replace"))
            self.begin()

    def _go_on(self, body: bytes) -> None:
        try:
            self._transport.write(self._course.send(body))
        except StopIteration as end:
            self._outcome.latencies_s.append(time.monotonic() - self._began)
            if self._keep:
                self._outcome.answers[self._number] = end.value
            self.begin()

    def close(self) -> None:
        """Hang up."""
        self._transport.close()


async def _run(batch: Batch, pipe: Connection) -> Outcome:
    outcome = Outcome(answers=[b""] * len(batch.works) if batch.keep else [])
    works = iter(enumerate(batch.works))
    loop = asyncio.get_running_loop()
    links = []
    for _ in range(min(batch.connections, len(batch.works))):
        made = await loop.create_connection(lambda: _Link(works, outcome, batch), "127.0.0.1", batch.port)
        links.append(made[1])
    pipe.send(True)
    pipe.recv()
    outcome.began, cpu = time.monotonic(), time.process_time()
    for link in links:
        link.begin()
    await asyncio.gather(*(link.done for link in links))
    outcome.cpu_s, outcome.ended = time.process_time() - cpu, time.monotonic()
    for link in links:
        link.close()
    return outcome


def _serve(pipe: Connection) -> None:
    while True:
        try:
            batch = pipe.recv()
        except EOFError:  # whoever measures has ended
            return
        try:
            outcome: Outcome | str = uvloop.run(_run(batch, pipe))
        except (BenchError, OSError, ValueError) as error:
            outcome = f"{type(error).__name__}: {error}"
        pipe.send(outcome)


class Clients:
    """Client processes that wait for batches."""

    def __init__(self, count: int) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._pipes: list[Connection] = []
        self._processes = []
        for _ in range(count):
            ours, theirs = spawn.Pipe()
            process = spawn.Process(target=_serve, args=(theirs,), daemon=True)
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pipe in self._pipes:
            pipe.close()
        for process in self._processes:
            process.kill()
            process.join()

    def prepare(
        self, port: int, works: Sequence[Work], *, connections: int, keep: bool, rate: float | None = None
    ) -> None:
        """Hand the works out and connect; *rate* is of all clients together."""
        count = len(self._pipes)
        paced = None if rate is None else rate / count
        for number, pipe in enumerate(self._pipes):
            pipe.send(Batch(port, works[number::count], max(1, connections // count), keep, paced))
        for pipe in self._pipes:
            ready = _heard(pipe)
            if ready is not True:
                raise BenchError(str(ready))

    def go(self) -> Outcome:
        """Run what was prepared, to the end; raises if anything was refused."""
        for pipe in self._pipes:
            pipe.send(True)
        parts = [_heard(pipe) for pipe in self._pipes]
        for part in parts:
            if not isinstance(part, Outcome):
                raise BenchError(str(part))
            if part.refused:
                raise BenchError(f"{len(part.refused)} requests were refused, the first: {part.refused[0]}")
        return _joined([part for part in parts if isinstance(part, Outcome)])


def _heard(pipe: Connection) -> object:
    if not pipe.poll(_PATIENCE_S):
        raise BenchError(f"a client said nothing for {_PATIENCE_S} s")
    try:
        return pipe.recv()
    except EOFError:
        raise BenchError("a client process ended") from None


def _joined(parts: Sequence[Outcome]) -> Outcome:
    count = len(parts)
    answers = [b""] * sum(len(part.answers) for part in parts)
    for number, part in enumerate(parts):
        answers[number::count] = part.answers
    return Outcome(
        began=min(part.began for part in parts),
        ended=max(part.ended for part in parts),
        cpu_s=sum(part.cpu_s for part in parts),
        latencies_s=[latency for part in parts for latency in part.latencies_s],
        answers=answers,
    )
