"""Buckets in a real Redis: the same rule, all nodes together, and what happens without it."""

import asyncio
import itertools
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ainp.adapters.rate_limits import LocalBuckets
from ainp.adapters.redis_buckets import RedisBuckets
from ainp.core.rate import SECOND_US, Limit, take
from ainp.telemetry.metrics import RATE_LIMITS_DEGRADED
from support.certificates import a_certificate
from support.fixtures import log
from support.redis import RedisServer, a_redis

__all__ = ["log"]
LIMIT = Limit(amount=5, window_us=60 * SECOND_US, burst=5)
AWAY = "[RateLimit] Redis unavailable - limits are counted on this node alone"
PASSWORD = "correct-horse"
USER = "broker:s3cret@"


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with a_redis("--requirepass", PASSWORD) as server:
        yield server


@asynccontextmanager
async def connected(url: str, *, ca: Path | None = None, at_once: bool = False) -> AsyncIterator[RedisBuckets]:
    """Buckets that are kept connected; entered once they are, unless *at_once*."""
    buckets = RedisBuckets(url, LocalBuckets(), ca=ca)
    keeper = asyncio.create_task(buckets.keep_connected())
    try:
        if not at_once:
            await come(buckets, connected=True)
        yield buckets
    finally:
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)


async def come(buckets: RedisBuckets, *, connected: bool) -> None:
    """Wait until Redis is there, or is gone."""
    await until(lambda: buckets.connected is connected and buckets.degraded is not connected)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)


async def said(log: StringIO, message: str, times: int = 1) -> list[dict[str, str]]:
    """The lines with this message, once there are as many."""
    async with asyncio.timeout(20):
        while True:
            lines = [json.loads(line) for line in log.getvalue().splitlines()]
            if len(found := [line for line in lines if line["message"] == message]) >= times:
                return found
            await asyncio.sleep(0.01)


def of_default(redis: RedisServer) -> str:
    return redis.url_for(f":{PASSWORD}@")


limits = st.builds(
    Limit, st.integers(1, 100), st.integers(10**9, 10**11), st.integers(1, 20)
)  # no key expires meanwhile
calls = st.lists(
    st.tuples(st.sampled_from("ab"), st.integers(0, 10**10), st.sampled_from((1, 1, -1))), min_size=1, max_size=20
)


def test_the_script_decides_as_the_rule_does(redis: RedisServer) -> None:
    examples = itertools.count()

    @given(limits, calls)
    @settings(max_examples=50, deadline=None)
    def decide(limit: Limit, calls: list[tuple[str, int, int]]) -> None:
        example, arrivals, now = next(examples), dict.fromkeys("ab", 0), 1_800_000_000 * SECOND_US
        for name, wait, cost in calls:
            now += wait
            expected, arrivals[name] = take(limit, arrival_us=arrivals[name], now_us=now, cost=cost)

            assert loop.run(buckets.take_many([(f"{example}:{name}", limit, cost)], now_us=now)) == [expected]

    with asyncio.Runner() as loop:
        buckets = RedisBuckets(of_default(redis), LocalBuckets())
        try:
            decide()
        finally:
            loop.run(buckets.disconnect())


async def test_nodes_count_together_and_calls_that_come_together_are_each_answered(redis: RedisServer) -> None:
    async with connected(of_default(redis)) as one, connected(of_default(redis)) as other:
        answers = await asyncio.gather(*(buckets.take("together", LIMIT) for buckets in (one, other) * 10))

        assert sorted(answer.remaining for answer in answers if answer.allowed) == [0, 1, 2, 3, 4]
        assert not one.degraded
        names = [f"each {number}" for number in range(600)]  # more than one batch
        assert all(answer.remaining == 4 for answer in await asyncio.gather(*(one.take(name, LIMIT) for name in names)))


async def test_a_redis_that_is_killed_under_load_is_stood_in_for_until_it_is_back(log: StringIO) -> None:
    with a_redis() as redis:
        async with connected(redis.url) as buckets:
            stop = asyncio.Event()

            async def load(number: int) -> int:
                answered = 0
                while not stop.is_set():
                    answered += bool(await buckets.take(f"agent {number}", LIMIT))
                    await asyncio.sleep(0)
                return answered

            agents = [asyncio.create_task(load(number)) for number in range(20)]
            await asyncio.sleep(0.1)
            redis.kill()
            (line,) = await said(log, AWAY)
            assert buckets.degraded
            assert RATE_LIMITS_DEGRADED.of().values[RATE_LIMITS_DEGRADED.of().at] == 1
            assert [(await buckets.take("one", LIMIT)).remaining for _ in range(2)] == [4, 3]

            redis.start()
            await come(buckets, connected=True)
            stop.set()
            assert all(answered > 0 for answered in await asyncio.gather(*agents))
            assert not buckets.degraded
            assert len(await said(log, "Redis connected", times=2)) == 2
            assert len(await said(log, AWAY)) == 1
            assert line["redis"] == f"127.0.0.1:{redis.port}"
            assert RATE_LIMITS_DEGRADED.of().values[RATE_LIMITS_DEGRADED.of().at] == 0


async def test_a_redis_that_says_nothing_keeps_nobody_waiting_and_is_found_dead(log: StringIO) -> None:
    with a_redis() as redis:
        async with connected(redis.url) as buckets:
            redis.freeze()
            answers = await asyncio.gather(*(buckets.take("me", LIMIT) for _ in range(10)))
            assert sum(answer.allowed for answer in answers) == 5  # by this node, before the connection is given up
            assert buckets.degraded
            await said(log, AWAY)
            redis.thaw()
            await come(buckets, connected=True)


async def test_without_requests_a_dead_redis_is_noticed_too() -> None:
    with a_redis() as redis:
        async with connected(redis.url) as buckets:
            redis.kill()
            await come(buckets, connected=False)


@pytest.mark.parametrize("user", ["", ":wrong@", "nobody:wrong@"])
async def test_a_wrong_password_is_said_once_without_it_and_this_node_counts(
    redis: RedisServer, log: StringIO, user: str
) -> None:
    async with connected(redis.url_for(user), at_once=True) as buckets:
        (line,) = await said(log, AWAY)

        assert "wrong" not in log.getvalue().replace("WRONGPASS", "").replace("wrong number", "")
        assert re.match("Authentication required|invalid username-password pair", line["error"])
        assert (await buckets.take("me", LIMIT)).allowed
        assert buckets.degraded


async def test_a_user_of_an_acl_needs_these_commands_and_keys_alone(log: StringIO) -> None:
    may = "~ainp:1:rate:* +eval +evalsha +script|load +get +set +time +ping"
    with a_redis(*_acl(may)) as redis:
        async with connected(redis.url_for(USER)) as buckets:
            assert (await buckets.take("me", LIMIT)).remaining == 4
            assert not buckets.degraded
    with a_redis(*_acl("~other:* +@all")) as redis:
        async with connected(redis.url_for(USER), at_once=True) as buckets:
            (line,) = await said(log, AWAY)
            assert "permission" in line["error"].lower()
            assert "s3cret" not in log.getvalue()
            assert (await buckets.take("me", LIMIT)).allowed


def _acl(may: str) -> list[str]:
    return ["--user", "broker", "on", ">s3cret", *may.split(), "--user", "default", "off"]


async def test_tls_is_checked_against_the_ca_that_is_given(tmp_path: Path, log: StringIO) -> None:
    ca, certificate, key = a_certificate(tmp_path)
    files = ("--tls-cert-file", str(certificate), "--tls-key-file", str(key), "--tls-auth-clients", "no")
    with a_redis(*files, "--requirepass", PASSWORD, tls=True) as redis:
        async with connected(of_default(redis), ca=ca) as buckets:
            assert (await buckets.take("me", LIMIT)).remaining == 4
        async with connected(of_default(redis), at_once=True) as buckets:
            (line,) = await said(log, AWAY)
            assert "certificate" in line["error"].lower()
            assert (await buckets.take("me", LIMIT)).allowed


async def test_a_script_that_redis_has_forgotten_is_sent_again(redis: RedisServer) -> None:
    async with connected(of_default(redis)) as buckets:
        await buckets._client.script_flush()

        assert (await buckets.take("flushed", LIMIT)).remaining == 4
        assert not buckets.degraded
