"""
Messages: how many signed intents a broker takes in, and how soon one is at an agent that another broker has.

Both are brokers of one database. What is sent is signed before the clock starts. A latency is from when the intent was
due to be sent until its envelope has come out of the receiver's socket, so a broker that stands still is not excused.
"""

import asyncio
import random
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

import msgspec
import uvloop
from nacl.signing import SigningKey
from websockets.asyncio.client import ClientConnection, connect

from ainp.client import Identity
from bench import processes, requests
from bench.broker import HOST, Served
from bench.client import BenchError, Single
from bench.measure import Bench, Figure, percentile
from bench.operations import Sizes

NAMES = ("intent", "intent-delivered")
_SENDERS, _RECEIVERS = 100, 100
_LISTENING = 8
_CONNECTIONS = 64  # as the known implementation was measured
_RATE = 200  # a second
_TTL_MS = 600_000
_PAYLOAD = {"@type": "Ask", "semantics": {"question": "May I have this translated by noon?"}}
_LATE_S = 30.0


class _Heard(msgspec.Struct):
    """What is looked at in a frame."""

    id: str = ""
    sig: str = ""


class Intents:
    """Agents that write to each other through *one* and *other*."""

    def __init__(self, one: Bench, other: Served, sizes: Sizes) -> None:
        self._one = one
        self._other = other
        self._count = sizes.each
        chance = random.Random("intents")
        keys = [Identity(SigningKey(chance.randbytes(32))) for _ in range(_SENDERS + _RECEIVERS)]
        self._senders, self._receivers = keys[:_SENDERS], keys[_SENDERS:]

    def taken_in(self) -> Figure:
        """Intents to agents that are away."""
        warm_up = self._count // 10
        works = [
            requests.post("/api/intents/send", self._intent(n, self._receivers[_LISTENING:]))
            for n in range(self._count + warm_up)
        ]
        figure, _ = self._one.measure(NAMES[0], works, connections=_CONNECTIONS, warm_up=warm_up)
        return figure

    def delivered(self) -> Figure:
        """Intents at a steady rate through one broker to agents that are connected to the other."""
        count = min(self._count, 10 * _RATE)
        intents = [self._intent(n, self._receivers[:_LISTENING]) for n in range(count + _RATE // 4)]
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
            return loop.run(self._deliver(intents, unmeasured=_RATE // 4))

    def _intent(self, number: int, receivers: Sequence[Identity]) -> dict[str, object]:
        sender, to = self._senders[number % _SENDERS], receivers[number % len(receivers)]
        return sender.envelope("INTENT", _PAYLOAD, to_did=to.did, ttl_ms=_TTL_MS)

    async def _deliver(self, intents: Sequence[dict[str, object]], *, unmeasured: int) -> Figure:
        arrived = _Arrived(len(intents))
        served = self._one.served
        async with AsyncExitStack() as sockets:
            reading = [
                asyncio.create_task(_read(await sockets.enter_async_context(connect(url)), arrived))
                for url in (f"ws://{HOST}:{self._other.port}/?did={who.did}" for who in self._receivers[:_LISTENING])
            ]
            await _send(served.port, intents[:unmeasured])
            before, own, machine = self._cost(), time.process_time(), processes.machine()
            due = await _send(served.port, intents[unmeasured:])
            async with asyncio.timeout(_LATE_S):
                await arrived.all.wait()
            after, busy = self._cost(), processes.machine().busy_s - machine.busy_s
            for task in reading:
                task.cancel()
        latencies = sorted(arrived.at[id_] - at for id_, at in due.items())
        seconds, client = max(arrived.at.values()) - min(due.values()), time.process_time() - own
        ours = after.broker_s - before.broker_s + after.postgres_s - before.postgres_s + client
        return Figure(
            name=NAMES[1],
            count=len(due),
            connections=_LISTENING,
            seconds=seconds,
            p50=1000 * percentile(latencies, 0.50),
            p95=1000 * percentile(latencies, 0.95),
            p99=1000 * percentile(latencies, 0.99),
            broker=1000 * (after.broker_s - before.broker_s) / len(due),
            postgres=1000 * (after.postgres_s - before.postgres_s) / len(due),
            client=1000 * client / len(due),
            others=max(0.0, (busy - ours) / seconds),
        )

    def _cost(self) -> "_Cost":
        one = self._one.served.cost()
        return _Cost(one.broker_s + processes.cpu_s(processes.tree(self._other.process.pid)), one.postgres_s)


@dataclass(frozen=True, slots=True)
class _Cost:
    """Of both brokers, and of their PostgreSQL."""

    broker_s: float
    postgres_s: float


class _Arrived:
    """When envelopes came, by their ids."""

    def __init__(self, expected: int) -> None:
        self.at: dict[str, float] = {}
        self.all = asyncio.Event()
        self._expected = expected

    def note(self, id_: str, at: float) -> None:
        """Note one; the first time counts."""
        self.at.setdefault(id_, at)
        if len(self.at) == self._expected:
            self.all.set()


async def _read(socket: ClientConnection, arrived: _Arrived) -> None:
    async for frame in socket:
        at = time.monotonic()
        heard = msgspec.json.decode(frame, type=_Heard)
        if heard.sig:
            arrived.note(heard.id, at)


async def _send(port: int, intents: Sequence[dict[str, object]]) -> dict[str, float]:
    """Send them at the rate; when each was due."""
    free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    for _ in range(_LISTENING * 2):
        free.put_nowait(await asyncio.open_connection(HOST, port))
    works = [requests.post("/api/intents/send", intent) for intent in intents]
    began, due, tasks = time.monotonic() + 0.05, {}, []
    for number, (intent, work) in enumerate(zip(intents, works, strict=True)):
        at = due[str(intent["id"])] = began + number / _RATE
        await asyncio.sleep(at - time.monotonic())
        tasks.append(asyncio.create_task(_ask(free, work)))
    await asyncio.gather(*tasks)
    while not free.empty():
        free.get_nowait()[1].close()
    return due


async def _ask(free: "asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]]", work: Single) -> None:
    reader, writer = connection = await free.get()
    writer.write(work.request)
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    body = await reader.readexactly(length)
    if not head.startswith(b"HTTP/1.1 200"):
        raise BenchError(f"an intent was refused: {body[:300]!r}")
    free.put_nowait(connection)
