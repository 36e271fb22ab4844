"""Agents that listen on a socket, and brokers that tell them."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from ainp.worker.delivery import deliver_forever
from ainp.worker.publisher import publish_forever
from support.api import Api, an_api
from support.socket import a_socket

_PATIENCE_S = 20
Frame = dict[str, Any]


@dataclass
class Listener:
    """One agent at one socket; remembers what it was told."""

    socket: ClientConnection
    told: list[Frame] = field(default_factory=list)

    async def next(self) -> Frame:
        """The next frame."""
        async with asyncio.timeout(_PATIENCE_S):
            frame: Frame = json.loads(await self.socket.recv())
        self.told.append(frame)
        return frame

    async def until(self, number: int) -> list[Frame]:
        """Everything up to the event of this number."""
        while (await self.next()).get("number") != number:
            pass
        return self.told

    async def closed(self) -> tuple[int, str]:
        """Why the broker has closed it."""
        with suppress(ConnectionClosed):
            async with asyncio.timeout(_PATIENCE_S):
                while True:
                    await self.socket.recv()
        assert self.socket.close_code is not None
        return self.socket.close_code, self.socket.close_reason or ""

    @property
    def numbers(self) -> list[int]:
        """The numbers of what it was told."""
        return [frame["number"] for frame in self.told]

    @property
    def names(self) -> list[str]:
        """What it was told of."""
        return [frame["event"] for frame in self.told]


@asynccontextmanager
async def listening(
    port: int,
    did: str,
    since: int | None = None,
    *,
    path: str = "/ws",
    headers: Mapping[str, str] | None = None,
) -> AsyncIterator[Listener]:
    """Connect an agent, from where it was if *since* says so."""
    resume = "" if since is None else f"&since={since}"
    url = f"ws://127.0.0.1:{port}{path}?did={quote(did, safe='')}{resume}"
    async with connect(url, additional_headers=headers) as socket:
        yield Listener(socket)


@dataclass
class Telling:
    """A broker on a port, with its API."""

    api: Api
    port: int


@asynccontextmanager
async def a_telling_broker(database_url: str, *, publishes: bool = True, **settings: object) -> AsyncIterator[Telling]:
    """One process' worth of `ainp serve` without jobs: requests, sockets, the feed, and the publisher or not."""
    async with an_api(database_url, **settings) as api:
        tasks = [
            asyncio.create_task(api.broker.events.follow_forever()),
            asyncio.create_task(deliver_forever(api.broker)),
        ]
        if publishes:
            tasks.append(asyncio.create_task(publish_forever(api.broker.database, talked=api.broker.talked)))
        try:
            async with a_socket(api.broker) as raw:
                yield Telling(api, raw.port)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def a_whole_job(api: Api, client: str, agent: str) -> tuple[str, list[str]]:
    """From the first offer to the judgement; the task and its committee."""
    opened = await api.initiate(client, agent)
    path = f"/api/negotiations/{opened['id']}"
    for proposer, price in ((agent, 120), (client, 110)):
        await api.call("POST", f"{path}/propose", {"proposer_did": proposer, "proposal": {"price": price}})
    await api.call("POST", f"{path}/accept", {}, by=agent)
    await api.call("POST", f"{path}/deliver", {}, by=agent)
    settled = await api.call("POST", f"{path}/settle", {}, by=client)
    committee = settled["receipt"]["committee"]
    for member in committee:
        await api.attest(settled["task_id"], member, "AUDIT_PASS")
    await api.attest(settled["task_id"], client, "ACCEPTED")
    return settled["task_id"], committee


async def tell(api: Api, did: str, *names: str) -> None:
    """Let things happen that concern nobody but *did*."""
    await api.broker.database.execute(
        "INSERT INTO outbox (event, recipients, body) SELECT 'test.' || name, ARRAY[$1],"
        " json_build_object('@type', 'NOTIFICATION', 'event', name) FROM unnest($2::text[]) AS said (name)",
        did,
        names,
    )


async def published(api: Api, did: str, number: int) -> None:
    """Wait until a receiver has so many events."""
    async with asyncio.timeout(_PATIENCE_S):
        while True:
            if await api.broker.database.fetchval("SELECT last FROM receivers WHERE did = $1", did) == number:
                return
            await asyncio.sleep(0.01)
