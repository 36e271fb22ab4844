"""
kill -9 in the middle of many flows over HTTP.

What was answered is there afterwards, every event arrives once under one number, and the books are in order.
"""

import asyncio
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

import asyncpg
import pytest

from ainp.store.embedded import EmbeddedPostgres
from support.serving import Served, a_data_dir, postgres_on, runs, serving, wait_until, working
from support.story import RICH, Story, bugs_of, prove

_FINALIZING = "SELECT tick FROM job_runs WHERE job = 'pou-finalizer' AND finished_at IS NULL"


@pytest.fixture
def data_dir() -> Iterator[Path]:
    with a_data_dir() as folder:
        yield folder


async def kill_in_turn(story: Story, broker: Served, victims: Sequence[str]) -> None:
    """Trade and listen, and kill one after the other, the broker itself last."""
    async with story.load(broker):
        for victim in victims:
            await story.settle_more()
            await kill(broker, victim)


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
# A receiver whose connection is cut in its handshake leaves the socket to be collected: it is the client library's.
@pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <(socket|function _SelectorTransport):pytest.PytestUnraisableExceptionWarning"
)
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
        asyncio.run(kill_in_turn(story, broker, ["serve-1", "work", "database", "broker"]))
        assert bugs_of(broker) == []


def kill_a_single_one(story: Story) -> None:
    with serving(story.data_dir, INITIAL_CREDITS=RICH) as broker:
        asyncio.run(kill_in_turn(story, broker, ["database", "both"]))
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


async def trade_past_a_killed_worker(story: Story, broker: Served, worker: Served) -> None:
    """Requests don't notice that nobody works; their events wait."""
    async with story.load(broker):
        await story.settle_more()
        before = story.answered.unanswered
        worker.process.kill()
        await story.settle_more()

        assert story.answered.unanswered == before
