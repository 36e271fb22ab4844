"""
Buckets in Redis, shared by all nodes; while it does not answer, those of this node.

Calls that come together are one call to Redis, over one connection: a second batch gathers while the first is on its
way. Nobody waits for a dead Redis longer than _PATIENCE_S: then, and until an answer comes, it is this node that
counts. A connection is found dead by a call that takes _DEAD_S, and is made again and again until it is there.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from ainp.adapters.rate_limits import LocalBuckets
from ainp.core.rate import SECOND_US, Limit, Taken
from ainp.telemetry import logger
from ainp.telemetry.metrics import RATE_LIMITS_DEGRADED

PREFIX = "ainp:1:rate:"  # 1 is the format of what is kept under it
_PATIENCE_S = 0.05
_DEAD_S = 1.0
_PING_EVERY_S = 1.0  # without requests: health and the log are to know, too
_PAUSE_S, _PAUSE_MOST_S = 0.1, 2.0
_BATCH = 256  # buckets of one call: Redis does nothing else meanwhile, for about a millisecond
_SCRIPT = Path(__file__).with_suffix(".lua").read_text("utf-8")
_PROBE = Limit(1_000_000, SECOND_US, 1_000_000)


class _Wanted(NamedTuple):
    """A bucket to take from, and who waits for the answer; None is told when it does not come in time."""

    name: str
    limit: Limit
    cost: int
    answer: "asyncio.Future[Taken | None]"


class RedisBuckets:
    """Buckets in the Redis of *url*, certified by *ca* if that is given; *local* stands in."""

    def __init__(self, url: str, local: LocalBuckets, *, ca: Path | None = None) -> None:
        self._local = local
        self._place = urlsplit(url).netloc.rpartition("@")[2]  # without user and password
        self._url = url
        self._options: dict[str, Any] = {
            "single_connection_client": True,
            "protocol": 2,  # nothing is pushed here
            "driver_info": None,  # nobody asks for it, and a user of an ACL would need one more right
            "socket_connect_timeout": _DEAD_S,
            "socket_timeout": _DEAD_S,
            "retry": Retry(NoBackoff(), 0),
            **({} if ca is None else {"ssl_ca_certs": str(ca)}),
        }
        self._client = self._a_client()
        self._connected: bool | None = None  # until somebody keeps it so: who answers no requests needs none
        self._late = False
        self._said = False  # that it is unavailable
        self._queue: list[_Wanted] = []
        self._on_its_way: Sequence[_Wanted] = ()
        self._wanted = asyncio.Event()

    @property
    def degraded(self) -> bool:
        """Whether it is this node alone that counts."""
        return self._late or not self._connected

    @property
    def connected(self) -> bool | None:
        """Whether Redis answers; None where it is not asked."""
        return self._connected

    async def take(self, name: str, limit: Limit, *, cost: int = 1) -> Taken:
        """Take one from the bucket *name*, or another *cost*."""
        if not self.degraded:
            answer: asyncio.Future[Taken | None] = asyncio.get_running_loop().create_future()
            self._queue.append(_Wanted(name, limit, cost, answer))
            self._wanted.set()
            taken = await answer
            if taken is not None:
                return taken
        return await self._local.take(name, limit, cost=cost)

    async def take_many(self, wanted: Sequence[tuple[str, Limit, int]], *, now_us: int = 0) -> list[Taken]:
        """Take from each what it costs; *now_us* is for who has a clock of its own."""
        numbers = [number for _, limit, cost in wanted for number in (limit.interval_us, limit.burst, cost)]
        script = self._client.register_script(_SCRIPT)  # it is sent when Redis does not have it
        said = await script(keys=[PREFIX + name for name, *_ in wanted], args=[now_us, *numbers])
        return [
            Taken(limit, wait_us, reset_us)
            for (_, limit, _), wait_us, reset_us in zip(wanted, said[::2], said[1::2], strict=True)
        ]

    def close(self) -> None:
        """Let go of what is shared with other processes."""
        self._local.close()

    async def keep_connected(self) -> None:
        """Connect, answer, and connect again, until cancelled."""
        self._connected = False
        pause_s = _PAUSE_S
        while True:
            try:
                await self._connect()
                pause_s = _PAUSE_S
                await self._answer_forever()
            except (RedisError, OSError, TimeoutError) as error:
                self._lose(error)
            finally:
                self._connected = self._late = False
                self._tell_nobody_is_there()
                await self.disconnect()
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _PAUSE_MOST_S)

    def _a_client(self) -> Redis:
        return Redis.from_url(self._url, **self._options)

    async def _connect(self) -> None:
        async with asyncio.timeout(2 * _DEAD_S):  # also where a server accepts and says nothing
            await self.take_many(
                [("probe", _PROBE, 1)]
            )  # connects, and is refused where the script or its key would be
        self._connected, self._said = True, False
        RATE_LIMITS_DEGRADED.of().set(0)
        logger().info("Redis connected", redis=self._place)

    async def _answer_forever(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_PING_EVERY_S):
                    await self._wanted.wait()
            self._on_its_way, self._queue = self._queue[:_BATCH], self._queue[_BATCH:]
            if not self._queue:
                self._wanted.clear()
            patience = loop.call_later(_PATIENCE_S, self._is_late)
            try:
                await self._answer(self._on_its_way)
            finally:
                patience.cancel()
            self._late = False

    async def _answer(self, batch: Sequence[_Wanted]) -> None:
        asked = [(one.name, one.limit, one.cost) for one in batch] or [("probe", _PROBE, 1)]
        async with asyncio.timeout(_DEAD_S):
            answers = await self.take_many(asked)
        for one, taken in zip(batch, answers, strict=False):  # of a probe, nobody waits
            if not one.answer.done():
                one.answer.set_result(taken)

    def _is_late(self) -> None:
        self._late = True
        self._tell_nobody_is_there()

    def _lose(self, error: Exception) -> None:
        if not self._said:
            self._said = True
            RATE_LIMITS_DEGRADED.of().set(1)
            why = str(error) or type(error).__name__
            logger().warning(
                "[RateLimit] Redis unavailable - limits are counted on this node alone", redis=self._place, error=why
            )

    def _tell_nobody_is_there(self) -> None:
        for one in (*self._on_its_way, *self._queue):
            if not one.answer.done():
                one.answer.set_result(None)
        self._on_its_way, self._queue = (), []

    async def disconnect(self) -> None:
        """Close the connection; the next call makes another."""
        old, self._client = self._client, self._a_client()
        with suppress(RedisError, OSError, TimeoutError):
            async with asyncio.timeout(_DEAD_S):
                await old.aclose()
