"""
Two brokers, a worker, a cluster of NATS, Redis and PostgreSQL: each is killed under load and started again, in turn, at
random, or again and again.

Everything that was accepted is told at least once, in order, to those it concerns and nobody else, on sockets and on
the bus; the books are in order; and all are healthy again by themselves.
"""

import asyncio
import random
import time
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any

import pytest

from support.deployment import Deployment, Story, deployed, prove
from support.nats import NatsServer

HEALTHY_S = 10
AT_RANDOM_S = 180
FLAPS = 20

Disturbance = tuple[Callable[[], object], Callable[[], object]]  # how it is killed, and started again


def disturbances(at: Deployment) -> dict[str, Disturbance]:
    """All that can be killed."""
    parts: dict[str, Disturbance] = {f"NATS {node.name}": (node.kill, node.start) for node in at.nats}
    parts["all of NATS"] = (partial(_each, at.nats, NatsServer.kill), partial(_each, at.nats, NatsServer.start))
    parts["Redis"] = (at.redis.kill, at.redis.start)
    for name in ("first", "second", "worker"):
        parts[f"the {name}"] = (partial(at.kill, name), partial(at.start, name))
    parts["PostgreSQL"] = (at.kill_postgres, at.postgres.start)
    return parts


def _each(nodes: Sequence[NatsServer], what: Callable[[NatsServer], None]) -> None:
    for node in nodes:
        what(node)


async def kill_each_in_turn(story: Story) -> None:
    async with story.load():
        await story.until_healthy("the start")
        for name, (kill, start) in disturbances(story.deployment).items():
            serves = name not in ("the first", "the second", "PostgreSQL")
            await story.disturb(name, kill, start, serves=serves)
        await story.more()
    await story.check()


async def kill_at_random(story: Story) -> None:
    chance = random.Random("kill at random")
    parts = disturbances(story.deployment)
    async with story.load():
        await story.until_healthy("the start")
        ends = time.monotonic() + AT_RANDOM_S
        while time.monotonic() < ends:
            kill, start = parts[chance.choice(list(parts))]
            await asyncio.to_thread(kill)
            await asyncio.sleep(chance.uniform(0, 2))
            await asyncio.to_thread(start)
            await asyncio.sleep(chance.uniform(0, 3))
        await story.until_healthy("all of it")
        await story.more()
    await story.check()


async def flap(story: Story) -> None:
    """Redis and NATS come and go several times a second; nobody needs them."""
    parts = disturbances(story.deployment)
    async with story.load():
        await story.until_healthy("the start")
        for number in range(FLAPS):
            kill, start = parts["Redis" if number % 2 else "all of NATS"]
            await asyncio.to_thread(kill)
            await asyncio.sleep(0.2)
            await asyncio.to_thread(start)
            await asyncio.sleep(0.2)
        await story.until_healthy("flapping")
        await story.more()
    assert [answered.unanswered for answered in story.answered] == [0, 0]
    await story.check()


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    ("suffer", "step"), [(kill_each_in_turn, 20), (kill_each_in_turn, 100), (kill_at_random, 20), (flap, 20)]
)
def test_whatever_is_killed_everything_accepted_arrives(
    suffer: Callable[[Story], Coroutine[Any, Any, None]], step: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with deployed() as deployment:
        story = Story(deployment, step=step)
        asyncio.run(suffer(story))
        on_bus = asyncio.run(story.check_bus())
        prove(deployment.settings)
        bugs = [line for served in deployment.all_that_ran for line in served.lines if "exception" in line]
        with capsys.disabled():
            print(  # noqa: T201 - the numbers are what is asked for
                f"\n{story.settled} jobs settled, {story.messages} messages, "
                f"{sum(len(heard.frames) for heard in story.heard)} events heard, {on_bus} kept by NATS; "
                f"healthy again after (s): {story.healthy_after}"
            )
        assert bugs == []
        assert max(story.healthy_after.values()) < HEALTHY_S
