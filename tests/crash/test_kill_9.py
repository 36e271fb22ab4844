"""
kill -9 in the middle of many flows over HTTP.

What was answered is there afterwards, every event arrives once under one number, and the books are in order.
"""

import asyncio
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import pytest

from ainp.store.db import Database
from ainp.store.embedded import EmbeddedPostgres
from support.books import wrong
from support.builders import agents
from support.receivers import Heard, listening, until_heard
from support.serving import AINP, Served, a_data_dir, an_environment, postgres_on, runs, serving, wait_until, working
from support.trading import Answered, check_over_http, trading

AGENTS = agents(14)
FLOWS = 12
RICH = "1000000000"  # nobody runs out of credits
_FINALIZING = "SELECT tick FROM job_runs WHERE job = 'pou-finalizer' AND finished_at IS NULL"


@pytest.fixture
def data_dir() -> Iterator[Path]:
    with a_data_dir() as folder:
        yield folder


@dataclass
class Story:
    """A broker's data, and what the world has heard of it."""

    data_dir: Path
    settlements: int  # between two kills
    answered: Answered = field(default_factory=Answered)
    heard: list[Heard] = field(default_factory=lambda: [Heard(did) for did in AGENTS])

    async def kill_in_turn(self, broker: Served, victims: Sequence[str]) -> None:
        """Trade and listen, and kill one after the other, the broker itself last."""
        async with (
            listening(broker.url, self.heard),
            trading(broker.url, self.answered, AGENTS, flows=FLOWS),
        ):
            for victim in victims:
                await self.settle_more()
                await kill(broker, victim)

    async def trade_for_a_while(self, broker: Served) -> None:
        """Trade, and kill nobody."""
        async with trading(broker.url, self.answered, AGENTS, flows=FLOWS):
            await self.settle_more()

    async def settle_more(self) -> None:
        """Wait until enough was settled."""
        wanted = len(self.answered.settled) + self.settlements
        async with asyncio.timeout(60 + self.settlements):
            while len(self.answered.settled) < wanted:  # noqa: ASYNC110 - any of the flows may bring it about
                await asyncio.sleep(0.005)

    async def check(self, broker: Served) -> None:
        """Everything that was said is true, and is said again in the same words to who asks."""
        await check_over_http(broker.url, self.answered)
        again = [Heard(did) for did in AGENTS]
        async with listening(broker.url, again):
            await until_heard(again, self.expected())
        for first, second in zip(self.heard, again, strict=True):
            assert second.frames[: len(first.frames)] == first.frames
            assert second.told_twice == []
        assert self.answered.refused == []

    def expected(self) -> dict[str, dict[str, str]]:
        """The settlements that each agent is to be told of."""
        by_agent: dict[str, dict[str, str]] = {did: {} for did in AGENTS}
        for negotiation, task in self.answered.settled.items():
            for party in self.answered.asked[negotiation]:
                by_agent[party][negotiation] = task
        return by_agent


async def kill(broker: Served, victim: str) -> None:
    children = broker.children
    if victim in ("database", "both"):
        for process in postgres_on(broker.data_dir):
            with suppress(ProcessLookupError):  # it ended with its leader
                os.kill(process, signal.SIGKILL)
    if victim in ("broker", "both"):
        broker.process.kill()
        await asyncio.to_thread(wait_until, lambda: not any(map(runs, children.values())))
    elif victim != "database":
        os.kill(children[victim], signal.SIGKILL)


def prove(data_dir: Path) -> None:
    """Let `ainp fsck` look at everything while the broker runs, and ask the database what contradicts itself."""
    environment = an_environment(AINP_DATA_DIR=str(data_dir))
    proof = subprocess.run([AINP, "fsck"], env=environment, check=False, capture_output=True, text=True)
    assert proof.returncode == 0, proof.stdout + proof.stderr
    assert asyncio.run(what_is_wrong(EmbeddedPostgres(data_dir).dsn)) == []


async def what_is_wrong(dsn: str) -> list[str]:
    database = Database(dsn, size=2)
    await database.open()
    try:
        return await wrong(database)
    finally:
        await database.close()


def test_what_was_answered_survives_kill_9_and_every_event_arrives_once(data_dir: Path) -> None:
    story = Story(data_dir, settlements=10)
    kill_parts_of_several(story)
    with serving(data_dir, INITIAL_CREDITS=RICH) as broker:
        asyncio.run(story.check(broker))
        prove(data_dir)
        assert broker.end() == 0
        assert bugs_of(broker) == []


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_thousands_of_flows_survive_many_kills(data_dir: Path) -> None:
    story = Story(data_dir, settlements=100)
    for _ in range(5):
        kill_parts_of_several(story)
        kill_who_works_for_it(story)
        kill_a_single_one(story)
        kill_who_works_for_it(story)

    assert len(story.answered.settled) > 3000


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_worker_killed_while_it_finalizes_is_followed_by_another(data_dir: Path) -> None:
    """Windows of seconds, so that nearly all is due at the next minute; a transaction for each receipt takes long."""
    story = Story(data_dir, settlements=300)
    hasty = {"POU_ATTEST_WINDOW_MINUTES": "0.2", "POU_FINALIZER_BATCH": "1", "INITIAL_CREDITS": RICH}
    with ExitStack() as stack:
        broker = stack.enter_context(serving(data_dir, JOBS_ENABLED="false", **hasty))  # type: ignore[arg-type]  # no user
        asyncio.run(story.trade_for_a_while(broker))
        for name in ("first", "second", "third"):
            worker = stack.enter_context(working(data_dir, name, **hasty))
            asyncio.run(kill_in_the_middle_of_finalizing(worker))
        last = stack.enter_context(working(data_dir, "last", **hasty))
        wait_until(lambda: "[PoU Finalizer] Checking 0 pending receipts" in last.messages, 400)
        asyncio.run(story.check(broker))
        prove(data_dir)
        assert "[PoU Finalizer] Extended committee" in last.messages
        assert [*bugs_of(broker), *bugs_of(last)] == []
        assert broker.end() == 0


async def kill_in_the_middle_of_finalizing(worker: Served) -> None:
    connection = await asyncpg.connect(EmbeddedPostgres(worker.data_dir).dsn)
    try:
        before = await connection.fetchval(_FINALIZING)  # what a worker that was killed has begun
        async with asyncio.timeout(90):
            while await connection.fetchval(_FINALIZING) in (None, before):  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)
        worker.process.kill()
        worker.process.wait()
        assert await connection.fetchval(_FINALIZING) != before
    finally:
        await connection.close()


def kill_parts_of_several(story: Story) -> None:
    with serving(story.data_dir, "--workers", "2", INITIAL_CREDITS=RICH) as broker:
        asyncio.run(story.kill_in_turn(broker, ["serve-1", "work", "database", "broker"]))
        assert bugs_of(broker) == []


def kill_a_single_one(story: Story) -> None:
    with serving(story.data_dir, INITIAL_CREDITS=RICH) as broker:
        asyncio.run(story.kill_in_turn(broker, ["database", "both"]))
        assert bugs_of(broker) == []


def kill_who_works_for_it(story: Story) -> None:
    with ExitStack() as stack:
        broker = stack.enter_context(serving(story.data_dir, JOBS_ENABLED="false", INITIAL_CREDITS=RICH))
        worker = stack.enter_context(working(story.data_dir, INITIAL_CREDITS=RICH))
        assert worker.wait_for("Event publisher leads")
        asyncio.run(trade_past_a_killed_worker(story, broker, worker))
        second = stack.enter_context(working(story.data_dir, "second", INITIAL_CREDITS=RICH))
        asyncio.run(story.check(broker))
        prove(story.data_dir)
        assert broker.end() == 0
        assert [*bugs_of(broker), *bugs_of(worker), *bugs_of(second)] == []


def bugs_of(served: Served) -> list[str]:
    """What it logged with a trace."""
    return [f"{line['message']}: {line['exception']}" for line in served.lines if "exception" in line]


async def trade_past_a_killed_worker(story: Story, broker: Served, worker: Served) -> None:
    """Requests don't notice that nobody works; their events wait."""
    async with (
        listening(broker.url, story.heard),
        trading(broker.url, story.answered, AGENTS, flows=FLOWS),
    ):
        await story.settle_more()
        before = story.answered.unanswered
        worker.process.kill()
        await story.settle_more()

        assert story.answered.unanswered == before
