"""The beginning of the SDK, against a broker on a port and a server that breaks off."""

from collections.abc import AsyncIterator
from contextlib import aclosing

import httpx
import pytest
from nacl.signing import SigningKey
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from ainp.cli.keys import written
from ainp.client import Client, Identity, Refused, Told, follow
from support.listening import Telling, a_telling_broker


@pytest.fixture
async def telling(database_url: str) -> AsyncIterator[Telling]:
    async with a_telling_broker(database_url) as telling:
        yield telling


def test_an_identity_is_the_key_that_was_printed() -> None:
    printed = written(SigningKey.generate())

    assert Identity.of(printed["private_key"]).did == printed["did"]
    assert Identity.new().did != Identity.new().did


async def test_an_agent_negotiates_and_is_told(telling: Telling) -> None:
    url = f"http://127.0.0.1:{telling.port}"
    async with httpx.AsyncClient(base_url=url) as http:
        client, agent = Client(http, Identity.new()), Client(http, Identity.new())
        for one in (client, agent):
            await one.register("translates")
        offered = await client.offer("translate-1", agent.identity.did, {"price": 10})
        accepted = await agent.accept(offered)

        assert (accepted.state, accepted.reserved_atomic) == ("accepted", "10000")
        assert (await client.balance()).available == "990000"
        async with aclosing(follow(url, client.identity.did)) as events:
            assert [(told.number, told.name) async for told in some(events, 1)] == [(1, "accepted")]


async def test_a_refusal_has_its_code(telling: Telling) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{telling.port}") as http:
        stranger = Client(http, Identity.new())

        with pytest.raises(Refused, match="404 NOT_FOUND") as refused:
            await stranger.balance()

    assert refused.value.status == 404


async def test_events_go_on_after_a_broken_connection() -> None:
    asked: list[str] = []

    async def tell(socket: ServerConnection) -> None:
        assert socket.request is not None
        asked.append(socket.request.path.partition("&")[2])
        number = len(asked)
        await socket.send(f'{{"type":"test","event":"e{number}","number":{number}}}')
        await socket.close(1012)

    async with serve(tell, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with aclosing(follow(f"http://127.0.0.1:{port}", "did:key:a")) as events:
            assert [told.number async for told in some(events, 2)] == [1, 2]

    assert asked == ["since=0", "since=1"]


async def test_a_number_that_was_never_reached_is_an_error(telling: Telling) -> None:
    with pytest.raises(ConnectionClosed, match="1008"):
        async with aclosing(follow(f"http://127.0.0.1:{telling.port}", "did:key:a", since=7)) as events:
            await anext(events)


async def some(events: AsyncIterator[Told], count: int) -> AsyncIterator[Told]:
    for _ in range(count):
        yield await anext(events)
