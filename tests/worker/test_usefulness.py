"""Adding up and rewarding as jobs: once for all nodes, at start beside everything else, and said word for word."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ainp.core.errors import SchemaBehind
from ainp.operations import rewards
from ainp.operations.rewards import RewardPolicy
from ainp.worker import usefulness
from ainp.worker.jobs import scheduled
from support.api import Api, an_api
from support.builders import agents
from support.migrating import connected
from support.races import two_apis
from support.said import Said, what_is_logged
from support.serving import serving, status_of
from support.ticks import a_tick
from support.useful import prove, register, trade, wait_out_the_hour

CREW = agents(3)
STARTING, COMPLETE = "[UsefulnessRewards] Starting credit distribution", "[UsefulnessRewards] Distribution complete"
ADDING = "[UsefulnessAggregator] Starting aggregation job"
PAYS = {"usefulness_reward_pool_enabled": True}


@pytest.fixture(autouse=True)
def within_an_hour() -> None:
    wait_out_the_hour()


@pytest.fixture
async def api(database_url: str) -> AsyncIterator[Api]:
    """A broker that rewards, where all but the last hour are paid."""
    async with an_api(database_url, **PAYS) as api:
        await register(api.broker.database, CREW)
        await all_but_the_last_hour_paid(api)
        yield api


async def all_but_the_last_hour_paid(api: Api) -> datetime:
    database = api.broker.database
    last = rewards.hour_before(await database.clock())
    await rewards.pay(database, last - timedelta(hours=1), RewardPolicy())
    return last


async def run(api: Api) -> Said:
    with what_is_logged() as said:
        await usefulness.run(api.broker)
    return said


def how_long(said: Said) -> int:
    """What stands in the only line that says how long adding up took."""
    (line,) = (message for message in said.messages if " agents in " in message)
    facts: dict[str, Any] = said.facts(line)
    return int(facts["duration_ms"])


async def test_a_run_says_what_it_added_up_and_what_it_paid(api: Api) -> None:
    last = rewards.hour_before(await api.broker.database.clock())
    await trade(api.broker.database, [(CREW[0], CREW[1]), (CREW[0], CREW[2])], at=last, score=5_000)

    said = await run(api)

    assert said.messages == [
        ADDING,
        f"[UsefulnessAggregator] Updated 2 agents in {how_long(said)}ms",
        STARTING,
        "Usefulness reward distributed",
        "Usefulness reward distributed",
        COMPLETE,
    ]
    complete = said.facts(COMPLETE)
    assert (complete["total_distributed"], complete["recipients_count"]) == ("200", 2)
    assert complete["duration_ms"] >= 0
    assert said.facts(STARTING)["pool"] == 10_000_000
    assert (await run(api)).messages[0] == ADDING
    assert STARTING not in (await run(api)).messages


async def test_each_reward_is_told_with_its_reason(api: Api) -> None:
    last = rewards.hour_before(await api.broker.database.clock())
    await trade(api.broker.database, [(CREW[0], CREW[1])], at=last, score=5_000)

    said = await run(api)

    told = said.facts("Usefulness reward distributed")
    assert told == {"agent_did": CREW[1], "amount": "100", "score": 50.0, "proportion": 1.0}


async def test_an_hour_that_nobody_earned_is_said(api: Api) -> None:
    await prove(api.broker.database, CREW)

    assert (await run(api)).messages[2:] == [STARTING, "No agents qualify for usefulness rewards"]


async def test_scores_of_nothing_are_said(database_url: str) -> None:
    lax = {"usefulness_min_score_for_rewards": 0, "usefulness_rewards_require_receipt": False}
    async with an_api(database_url, **PAYS, **lax) as api:
        await register(api.broker.database, CREW)
        await prove(api.broker.database, CREW, score=0)
        await all_but_the_last_hour_paid(api)

        assert (await run(api)).messages[2:] == [STARTING, "Total usefulness score is zero, skipping distribution"]


async def test_rewards_that_are_switched_off_say_so(database_url: str) -> None:
    async with an_api(database_url) as api:
        said = await run(api)

    assert said.messages[2:] == [
        "[UsefulnessRewards] Reward pool disabled (set USEFULNESS_REWARD_POOL_ENABLED=true to enable)"
    ]


async def test_rewards_that_fail_say_so_and_are_paid_by_the_next_run(api: Api) -> None:
    await api.broker.database.execute("ALTER TABLE reward_hours RENAME TO elsewhere")
    with what_is_logged() as said, pytest.raises(SchemaBehind):
        await usefulness.run(api.broker)
    await api.broker.database.execute("ALTER TABLE elsewhere RENAME TO reward_hours")

    assert said.messages[-1] == "[UsefulnessRewards] Distribution failed"
    assert STARTING in (await run(api)).messages


@pytest.mark.parametrize("enabled", [True, False], ids=["on", "off"])
async def test_the_schedule_is_said(database_url: str, *, enabled: bool) -> None:
    async with an_api(database_url, usefulness_aggregator_enabled=enabled) as api:
        with what_is_logged() as said:
            jobs = scheduled(api.broker)

    on = "[UsefulnessAggregator] Cron job scheduled (0 * * * *)"
    off = "[UsefulnessAggregator] Aggregation disabled via feature flag"
    assert (on in said.messages, off in said.messages) == (enabled, not enabled)
    assert ("usefulness-aggregation" in {job.name for job in jobs}) == enabled


async def test_a_tick_adds_up_and_pays_once_on_two_nodes(database_url: str) -> None:
    async with two_apis(database_url, **PAYS) as nodes:
        await register(nodes[0].broker.database, CREW)
        last = await all_but_the_last_hour_paid(nodes[0])
        await trade(nodes[0].broker.database, [(CREW[0], CREW[1])], at=last)
        with what_is_logged() as said:
            jobs = [
                (node, job) for node in nodes for job in scheduled(node.broker) if job.name == "usefulness-aggregation"
            ]
            at = datetime(2026, 3, 1, 12, tzinfo=UTC)
            ran = await asyncio.gather(*[a_tick(node.broker.database, job, at) for node, job in jobs * 5])

    assert sum(ran) == 1
    assert (said.messages.count(ADDING), said.messages.count(COMPLETE)) == (1, 1)


async def test_the_start_says_what_it_added_up(api: Api) -> None:
    await prove(api.broker.database, CREW)

    with what_is_logged() as said:
        await usefulness.at_start(api.broker)

    assert said.messages == ["[Startup] Updated 3 usefulness scores"]


async def test_a_start_that_cannot_add_up_goes_on(api: Api) -> None:
    await api.broker.database.execute("ALTER TABLE usefulness_proofs RENAME TO elsewhere")

    with what_is_logged() as said:
        await usefulness.at_start(api.broker)

    assert said.messages == ["[UsefulnessAggregator] Aggregation job failed"]


async def test_the_broker_answers_before_the_scores_are_added_up(database_url: str, tmp_path: Path) -> None:
    added = "[Startup] Updated 0 usefulness scores"
    async with connected(database_url) as holder:
        await holder.execute("BEGIN; LOCK TABLE usefulness_proofs IN ACCESS EXCLUSIVE MODE")
        with serving(tmp_path / "data", DATABASE_URL=database_url) as broker:
            assert status_of(broker) == 200
            assert added not in broker.messages
            await holder.execute("ROLLBACK")

            assert broker.wait_for(added)
