"""Two brokers, a worker, a cluster of NATS, Redis and PostgreSQL, and what is accepted and heard while parts fail."""

import asyncio
import os
import random
import signal
import subprocess
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

import httpx
from nats.errors import TimeoutError as NatsTimeout

from ainp.core.bus import Stream
from ainp.store.embedded import EmbeddedPostgres
from support.builders import agents
from support.database import a_folder
from support.mail import an_intent
from support.nats import NatsServer, a_client, a_cluster, kept, urls_of
from support.receivers import Heard, listening, until_heard
from support.redis import RedisServer, a_redis
from support.serving import AINP, Served, a_free_port, an_environment, postgres_on, serving, working
from support.signing import identity
from support.trading import Answered, check_over_http, trading

AGENTS = agents(12)
WRITERS = [identity(f"writer {number}") for number in range(4)]
READERS = [identity(f"reader {number}") for number in range(6)]
JSON = {"content-type": "application/json"}


@dataclass
class Deployment:
    """Everything that runs, and how each part is killed and started again."""

    postgres: EmbeddedPostgres
    redis: RedisServer
    nats: list[NatsServer]
    folder: Path
    settings: Mapping[str, str]
    ports: tuple[int, int]
    stack: ExitStack
    running: dict[str, Served] = field(default_factory=dict)
    all_that_ran: list[Served] = field(default_factory=list)

    @property
    def urls(self) -> list[str]:
        """The brokers."""
        return [f"http://127.0.0.1:{port}" for port in self.ports]

    def start(self, name: str) -> None:
        """Start a broker or the worker."""
        number = len(self.all_that_ran)
        if name == "worker":
            made = working(self.folder / f"{name}-{number}", **self.settings)
        else:
            port = str(self.ports[0 if name == "first" else 1])
            given = {**self.settings, "PORT": port, "JOBS_ENABLED": "false"}
            made = serving(self.folder / f"{name}-{number}", "--migrate", **given)  # type: ignore[arg-type]  # no user
        self.running[name] = self.stack.enter_context(made)
        self.all_that_ran.append(self.running[name])
        if name == "worker":  # one that finds no database when it starts ends, and is for its supervisor to start
            self.running[name].wait_for("AINP Worker started")

    def kill(self, name: str) -> None:
        """Kill a broker or the worker."""
        self.running[name].process.kill()
        self.running[name].process.wait()

    def kill_postgres(self) -> None:
        """Kill every process of it."""
        for process in postgres_on(self.postgres.data_dir):
            with suppress(ProcessLookupError):  # it ended with its leader
                os.kill(process, signal.SIGKILL)
        while self.postgres.alive():
            time.sleep(0.01)


@contextmanager
def deployed() -> Iterator[Deployment]:
    with (
        a_folder() as folder,
        a_folder() as home,
        EmbeddedPostgres(home / "postgres") as postgres,
        a_redis() as redis,
        a_cluster() as nats,
        ExitStack() as stack,
    ):
        settings = {
            "DATABASE_URL": postgres.dsn,
            "REDIS_URL": redis.url,
            "NATS_URL": urls_of(nats),
            "NATS_REPLICAS": "3",
            "RATE_LIMIT_ENABLED": "true",
            "RATE_LIMIT_MAX": "1000000",
            "RATE_LIMIT_INTENTS_PER_MIN": "1000000",
            "RATE_LIMIT_BURST": "100000",
            "INITIAL_CREDITS": "1000000000",
        }
        deployment = Deployment(postgres, redis, nats, folder, settings, (a_free_port(), a_free_port()), stack)
        for name in ("first", "second", "worker"):
            deployment.start(name)
        for name in ("first", "second"):
            deployment.running[name].wait_for("AINP Broker started")
        yield deployment


@dataclass
class Story:
    """What was accepted, and what was heard of it."""

    deployment: Deployment
    step: int  # settlements and messages between two kills
    answered: list[Answered] = field(default_factory=lambda: [Answered(), Answered()])
    heard: list[Heard] = field(default_factory=lambda: [Heard(did) for did in [*AGENTS, *(r.did for r in READERS)]])
    sent: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))  # envelopes by reader and id
    refused: list[str] = field(default_factory=list)
    healthy_after: dict[str, float] = field(default_factory=dict)

    @asynccontextmanager
    async def load(self) -> AsyncIterator[None]:
        """Trade through both brokers, send messages through both, and listen at both, until the block ends."""
        first, second = self.deployment.urls
        async with (
            listening([first, second], self.heard),
            trading(first, self.answered[0], AGENTS, flows=1),
            trading(second, self.answered[1], AGENTS, flows=1),
        ):
            posting = [asyncio.create_task(self._post()) for _ in range(2)]
            try:
                yield
            finally:
                for task in posting:
                    task.cancel()
                ended = await asyncio.gather(*posting, return_exceptions=True)
        assert {type(end) for end in ended} == {asyncio.CancelledError}, ended

    async def _post(self) -> None:
        chance = random.Random()
        async with httpx.AsyncClient(timeout=20) as client:
            while True:
                writer, reader = chance.choice(WRITERS), chance.choice(READERS)
                raw = an_intent(writer, reader.did, ttl=3_600_000)
                with suppress(httpx.TransportError):
                    url = chance.choice(self.deployment.urls)
                    answer = await client.post(f"{url}/api/intents/send", content=raw, headers=JSON)
                    if answer.status_code == 200:
                        self.sent[reader.did][answer.json()["id"]] = raw.decode()
                    elif answer.status_code != 503:
                        self.refused.append(answer.text)
                await asyncio.sleep(0.02)

    @property
    def settled(self) -> int:
        """Jobs that were paid."""
        return sum(len(answered.settled) for answered in self.answered)

    @property
    def messages(self) -> int:
        """Messages that were accepted."""
        return sum(map(len, self.sent.values()))

    async def more(self) -> None:
        """Wait until enough was accepted."""
        wanted = self.settled + self.step, self.messages + self.step
        async with asyncio.timeout(60 + 4 * self.step):
            while self.settled < wanted[0] or self.messages < wanted[1]:  # noqa: ASYNC110 - any flow may bring it
                await asyncio.sleep(0.01)

    async def until_healthy(self, after: str) -> None:
        """Wait until every broker says that all it needs is there."""
        began = time.monotonic()
        async with httpx.AsyncClient(timeout=5) as client, asyncio.timeout(60):
            while not all([await _is_healthy(client, url) for url in self.deployment.urls]):  # noqa: ASYNC110 - they tell nobody
                await asyncio.sleep(0.05)
        self.healthy_after[after] = round(time.monotonic() - began, 1)

    async def disturb(
        self, what: str, kill: Callable[[], object], start: Callable[[], object], *, serves: bool = True
    ) -> None:
        """Kill something and start it again, with load before, between and after; *serves* if requests go on."""
        await self.more()
        await asyncio.to_thread(kill)
        await (self.more() if serves else asyncio.sleep(2))
        await asyncio.to_thread(start)
        await self.until_healthy(what)

    def expected(self) -> dict[str, dict[str, str]]:
        """The settlements that each agent is to be told of."""
        by_agent: dict[str, dict[str, str]] = {heard.did: {} for heard in self.heard}
        for answered in self.answered:
            for negotiation, task in answered.settled.items():
                for party in answered.asked[negotiation]:
                    by_agent[party][negotiation] = task
        return by_agent

    async def check(self) -> None:
        """Everything that was accepted has come, to those it concerns."""
        for url, answered in zip(self.deployment.urls, self.answered, strict=True):
            await check_over_http(url, answered)
            assert answered.refused == []
        assert self.refused == []
        async with listening(self.deployment.urls, self.heard):
            await until_heard(self.heard, self.expected())
            await _until(self._every_message_came, 120)
        parties = {negotiation: who for answered in self.answered for negotiation, who in answered.asked.items()}
        for heard in self.heard:
            sent = self.sent.get(heard.did, {})
            assert {id_: heard.envelopes[id_] for id_ in sent} == sent  # byte for byte
            told = [frame for frame in heard.frames if frame["type"] == "negotiation_event"]
            assert all(heard.did in parties.get(frame["negotiation_id"], [heard.did]) for frame in told)

    async def _every_message_came(self) -> bool:
        return all(self.sent[heard.did].keys() <= heard.envelopes.keys() for heard in self.heard)

    async def check_bus(self) -> int:
        """NATS has kept every event of every receiver, in order; how many there are."""
        numbers: dict[str, list[int]] = defaultdict(list)
        async with a_client(*self.deployment.nats) as client:
            wanted = {heard.did: len(heard.frames) for heard in self.heard}

            async def all_of_it() -> bool:
                for stream in Stream:
                    of_stream: dict[str, list[int]] = defaultdict(list)
                    letters = []
                    with suppress(NatsTimeout):  # a cluster that has just come together answers late; it is asked again
                        letters = await kept(client, stream.subjects, durable=f"check-{stream}", stream=stream)
                    for letter in letters:
                        did = unquote(letter.subject.rpartition(".")[2])
                        of_stream[did].append(letter.number)
                    for did, found in of_stream.items():
                        assert found == sorted(set(found)), (stream, did)
                        numbers[did].extend(found)
                return all(len(numbers[did]) >= count for did, count in wanted.items())

            await _until(all_of_it, 60)
        for did, found in numbers.items():
            assert sorted(found) == list(range(1, len(found) + 1)), did
        return sum(map(len, numbers.values()))


async def _until(condition: Callable[[], Awaitable[bool]], patience_s: float) -> None:
    async with asyncio.timeout(patience_s):
        while not await condition():  # noqa: ASYNC110 - of many
            await asyncio.sleep(0.1)


async def _is_healthy(client: httpx.AsyncClient, url: str) -> bool:
    with suppress(httpx.TransportError):
        found = (await client.get(f"{url}/health")).json()
        return bool(found["status"] == "healthy" and all(found["connections"].values()))
    return False


def prove(settings: Mapping[str, str]) -> None:
    environment = an_environment(**settings)
    proof = subprocess.run([AINP, "fsck"], env=environment, check=False, capture_output=True, text=True)
    assert proof.returncode == 0, proof.stdout + proof.stderr
