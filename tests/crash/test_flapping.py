"""
Redis or NATS is gone for a second, back for a second, and so on, under load; nobody needs either.

Every request is answered, `/health` stays 200 and tells of it within ten seconds, and it is used again by itself.
"""

import asyncio
import time
from pathlib import Path

import httpx
import pytest

from support.nats import NatsServer, a_nats
from support.redis import RedisServer, a_redis
from support.serving import Served, a_data_dir, serving
from support.story import RICH, Story, bugs_of, prove
from support.trading import polled

TIMES = 10
TRUTH_S = 10
LIMITED = {"RATE_LIMIT_ENABLED": "true", "RATE_LIMIT_MAX": "1000000", "RATE_LIMIT_BURST": "100000"}
pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]


async def told(broker: Served, part: str, *, there: bool) -> float:
    """Seconds until `/health` says whether Redis or NATS is there."""
    began = time.monotonic()
    async with httpx.AsyncClient(base_url=broker.url, timeout=TRUTH_S) as client, asyncio.timeout(60):
        while (await client.get("/health")).json()["connections"][part] is not there:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.05)
    return time.monotonic() - began


async def flap(story: Story, broker: Served, part: str, server: RedisServer | NatsServer) -> None:
    """Down for a second, up for a second; then down and up for as long as it takes to be told."""
    async with story.load(broker), polled(broker.url, "/health") as statuses:
        assert await told(broker, part, there=True) < TRUTH_S
        for _ in range(TIMES):
            await asyncio.to_thread(server.kill)
            await asyncio.sleep(1)
            await asyncio.to_thread(server.start)
            await asyncio.sleep(1)
        assert await told(broker, part, there=True) < TRUTH_S
        await asyncio.to_thread(server.kill)
        assert await told(broker, part, there=False) < TRUTH_S
        await asyncio.to_thread(server.start)
        assert await told(broker, part, there=True) < TRUTH_S
        await story.settle_more()
    assert set(statuses) == {200}
    assert story.answered.unanswered == 0
    await story.check(broker)


def run(data_dir: Path, part: str, server: RedisServer | NatsServer) -> None:
    settings = {f"{part.upper()}_URL": server.url, "INITIAL_CREDITS": RICH, **LIMITED}
    with serving(data_dir, **settings) as broker:  # type: ignore[arg-type]  # no user
        asyncio.run(flap(Story(data_dir, settlements=30), broker, part, server))
        prove(data_dir)
        assert bugs_of(broker) == []
        assert broker.end() == 0


def test_a_redis_that_comes_and_goes_stops_nothing() -> None:
    with a_redis() as redis, a_data_dir() as data_dir:
        run(data_dir, "redis", redis)


def test_a_nats_that_comes_and_goes_stops_nothing() -> None:
    with a_nats() as nats, a_data_dir() as data_dir:
        run(data_dir, "nats", nats)
