"""Defects of the known implementation in usefulness and rewards, each by its number."""

import asyncio
from datetime import timedelta

import pytest

from ainp.operations import rewards
from ainp.settings import load_settings
from ainp.worker import usefulness
from support.api import an_api
from support.builders import agents
from support.races import post, statuses, two_apis
from support.signing import a_strict_api, identity
from support.useful import held, register, trade, wait_out_the_hour, wrong_money


async def test_def_15_adding_up_is_for_administrators_and_one_does_it_at_a_time(database_url: str) -> None:
    alice = identity("alice")
    async with a_strict_api(database_url) as strict:
        await strict.register(alice)
        await strict.call("POST", "/api/usefulness/aggregate", status=403)
        await strict.call("POST", "/api/usefulness/aggregate", by=alice, status=403)
    async with an_api(database_url) as api:
        answers = await asyncio.gather(*[post(api, "/api/usefulness/aggregate") for _ in range(10)])

    assert statuses(answers) == {200: 10}


async def test_def_37_replicas_reward_an_hour_once_with_nothing_lost(database_url: str) -> None:
    wait_out_the_hour()
    crew = agents(4)
    enabled = {"usefulness_reward_pool_enabled": True, "usefulness_reward_pool_hourly": "100n"}
    async with two_apis(database_url, **enabled) as nodes:
        db = nodes[0].broker.database
        await register(db, crew)
        last = rewards.hour_before(await db.clock())
        await rewards.pay(db, last - timedelta(hours=1), rewards.RewardPolicy())
        await trade(db, [(crew[0], worker) for worker in crew[1:]], at=last)
        before = await held(db)

        await asyncio.gather(*[usefulness.run(node.broker) for node in nodes * 4])

        after = await held(db)
        earned = [after[f"available:{did}"] - before[f"available:{did}"] for did in crew]
        assert sorted(earned) == [0, 33, 33, 34]
        assert sum(after.values()) == 0
        assert await wrong_money(db) == []


async def test_def_59_a_proof_is_checked_whole_and_kept_once(database_url: str) -> None:
    async with an_api(database_url, max_proofs_per_hour=1) as api:
        agent, *_ = await api.register(1)
        now = (await api.broker.database.clock()).timestamp() * 1000
        body = {"work_type": "compute", "trace_id": "t", "timestamp": now}
        for metrics in ({"compute_ms": 1, "routing_hops": 101}, {"compute_ms": 1, "other": -1}, {"routing_hops": 1}):
            wrong = {**body, "metrics": metrics}
            await api.call("POST", "/api/usefulness/proofs", wrong, by=agent, status=400)

        said = [{**body, "metrics": {"compute_ms": 1}, "trace_id": f"{number}"} for number in range(10)]
        answers = await asyncio.gather(*[post(api, "/api/usefulness/proofs", one, by=agent) for one in said])

    assert statuses(answers) == {201: 1, 429: 9}


def test_def_88_the_missions_names_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USEFULNESS_REWARD_POOL_HOURLY", "1000000000n")
    monkeypatch.setenv("USEFULNESS_AGGREGATOR_CRON", "5 * * * *")
    monkeypatch.setenv("USEFULNESS_AGGREGATOR_ENABLED", "false")

    settings = load_settings(_env_file=None)

    assert (settings.reward_policy.hourly, settings.aggregator_cron, settings.aggregates) == (10**9, "5 * * * *", False)
