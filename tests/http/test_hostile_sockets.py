"""WebSockets that flood, and thousands of connections that do nothing."""

import asyncio
import resource
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, suppress

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from ainp.core.limits import MAX_FRAME_BYTES, MAX_FRAMES_PER_SECOND
from ainp.http.admission import Admission
from ainp.http.protocol import Allowance
from support.builders import agents as dids
from support.listening import Telling, a_telling_broker, listening
from support.races import wait_until
from support.socket import a_socket
from support.world import World

FLOODER = dids(1, "flooder")[0]
MASKED_PING, MASKED_PONG, MASKED_TEXT = (bytes([0x80 | opcode, 0x80, 0, 0, 0, 0]) for opcode in (9, 10, 1))


@pytest.fixture(scope="module")
async def broker(module_database_url: str, anyio_backend: str) -> AsyncIterator[Telling]:
    async with a_telling_broker(module_database_url) as telling:
        yield telling


@pytest.mark.parametrize("frame", [MASKED_PING, MASKED_PONG, MASKED_TEXT], ids=["pings", "pongs", "messages"])
async def test_who_sends_frame_after_frame_is_closed_with_the_reason(broker: Telling, frame: bytes) -> None:
    async with listening(broker.port, FLOODER) as listener:
        listener.socket.transport.write(frame * 6 * MAX_FRAMES_PER_SECOND)
        code, reason = await listener.closed()

    assert (code, reason) == (1008, f"too many: {MAX_FRAMES_PER_SECOND} frames a second are taken")
    await wait_until(lambda: broker.api.broker.events.count(FLOODER) == 0)


async def test_who_sends_byte_after_byte_is_closed_with_the_reason(broker: Telling) -> None:
    async with listening(broker.port, FLOODER) as listener:
        with suppress(ConnectionClosed):
            for _ in range(32):
                await listener.socket.send("x" * (MAX_FRAME_BYTES - 100))
        code, _ = await listener.closed()

    assert code == 1008
    await wait_until(lambda: broker.api.broker.events.count(FLOODER) == 0)


async def test_an_agent_may_say_a_few_things_at_once(broker: Telling) -> None:
    async with connect(f"ws://127.0.0.1:{broker.port}/ws?did={FLOODER}") as client:
        for _ in range(100):
            await client.ping()
        await client.send("{}")

        assert "INVALID_ENVELOPE" in str(await client.recv())


def test_an_allowance_comes_back_with_time_and_not_once_it_was_overdrawn() -> None:
    allowance = Allowance(10, at_once=20)

    assert all(allowance.take(5, 100) for _ in range(4))
    assert all(allowance.take(10, 100 + second) for second in range(1, 60))
    assert allowance.take(20, 1000)
    assert not allowance.take(1, 1000)
    assert allowance.spent


@pytest.fixture
def many_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 12_000:
        pytest.skip(f"the process may have {hard} open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (12_000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.long
async def test_who_asks_is_answered_while_five_thousand_do_nothing(many_files: None, world: World) -> None:
    admission = Admission()
    async with a_socket(world.api.broker, admission=admission) as raw:
        with ExitStack() as stack:
            loop = asyncio.get_running_loop()
            for number in range(5000):
                client = stack.enter_context(socket.socket())
                client.setblocking(False)
                await loop.sock_connect(client, ("127.0.0.1", raw.port))
                if number % 2:
                    client.send(b"GET /api/rec")
            async with asyncio.timeout(60):
                while len(admission.connections) < 5000:  # noqa: ASYNC110 - nobody tells
                    await asyncio.sleep(0.01)

            for _ in range(20):
                assert (await raw.get(b"/api/receipts")).status == 200
            admission.look(loop.time() + 3600)
            async with asyncio.timeout(60):
                while admission.connections:  # noqa: ASYNC110 - nobody tells
                    await asyncio.sleep(0.01)
        assert (await raw.get(b"/api/receipts")).status == 200
