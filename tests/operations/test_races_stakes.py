"""Many at once, on one stake: nothing is locked, paid or slashed twice."""

import asyncio
from datetime import timedelta

from ainp.operations import stakes
from support.api import Api, an_api
from support.books import wrong
from support.clock import let_pass
from support.races import at_once, bodies, errors, post, statuses, two_apis
from support.world import ADMIN_TOKEN


async def staked(api: Api, amount: int) -> str:
    (did,) = await api.register(1)
    await api.call("POST", "/api/stakes", {"agent_did": did, "amount_atomic": amount})
    return did


async def slash(api: Api, did: str, amount: int) -> str:
    body = {"agent_did": did, "amount_atomic": amount, "reason": "raced"}
    response = await api.client.post("/api/admin/slash", json=body, headers={"authorization": f"Bearer {ADMIN_TOKEN}"})
    assert response.status_code == 200, response.text
    return str(response.json()["taken_atomic"])


async def test_twenty_stakes_lock_what_there_is_and_no_more(database_url: str) -> None:
    async with two_apis(database_url) as apis:
        (did,) = await apis[0].register(1)
        body = {"agent_did": did, "amount_atomic": 90_000}

        answers = await at_once(post(apis[turn % 2], "/api/stakes", body) for turn in range(20))

        assert statuses(answers) == {200: 11, 402: 9}
        assert errors(answers) == {"INSUFFICIENT_CREDITS": 9}
        assert (await apis[0].get(f"/api/stakes/{did}"))["locked_atomic"] == "990000"
        assert await wrong(apis[0].broker.database) == []


async def test_stakes_and_accepts_share_what_there_is(database_url: str) -> None:
    async with two_apis(database_url) as apis:
        client, agent = await apis[0].register(2)
        offers = [(await apis[0].initiate(client, agent))["id"] for _ in range(10)]
        body = {"agent_did": client, "amount_atomic": 100_000}

        answers = await at_once(
            [
                *(post(apis[turn % 2], "/api/stakes", body) for turn in range(10)),
                *(post(apis[0], f"/api/negotiations/{id_}/accept", {"acceptor_did": agent}) for id_ in offers),
            ]
        )

        assert statuses(answers) == {200: 10, 402: 10}
        held = await apis[0].get(f"/api/credits/{client}")
        assert held["available"] == "0"
        assert int(held["reserved"]) + int(held["staked"]) == 1_000_000
        assert await wrong(apis[0].broker.database) == []


async def test_a_stake_is_slashed_asked_back_and_added_to_at_once(database_url: str) -> None:
    async with two_apis(database_url, admin_token=ADMIN_TOKEN) as apis:
        did = await staked(apis[0], 100_000)
        body = {"agent_did": did, "amount_atomic": 1000}

        taken, _ = await asyncio.gather(
            at_once(slash(apis[turn % 2], did, 7000) for turn in range(10)),
            at_once(
                post(apis[turn % 2], f"/api/stakes{path}", body)
                for turn in range(10)
                for path in ("", "/unstake", "/cancel-unstake")
            ),
        )

        assert sum(int(one) for one in taken) == 70_000
        found = await apis[0].get(f"/api/stakes/{did}")
        assert (found["locked_atomic"], found["slashed_total_atomic"]) == ("40000", "70000")
        assert await wrong(apis[0].broker.database) == []


async def test_slashes_take_no_more_than_is_staked(database_url: str) -> None:
    async with two_apis(database_url, admin_token=ADMIN_TOKEN) as apis:
        did = await staked(apis[0], 10_000)

        taken = await at_once(slash(apis[turn % 2], did, 3000) for turn in range(20))

        assert sorted(taken) == sorted(["3000"] * 3 + ["1000"] + ["0"] * 16)
        assert await wrong(apis[0].broker.database) == []


async def test_a_withdrawal_is_paid_once_by_however_many_brokers(database_url: str) -> None:
    async with two_apis(database_url, admin_token=ADMIN_TOKEN) as apis:
        dids = await apis[0].register(10)
        for did in dids:
            body = {"agent_did": did, "amount_atomic": 1000}
            await apis[0].call("POST", "/api/stakes", body)
            await apis[0].call("POST", "/api/stakes/unstake", body)
        await let_pass(apis[0].broker.database, timedelta(hours=169))

        paid, cancelled, taken = await asyncio.gather(
            at_once(stakes.pay_out_due(apis[turn % 2].broker.database) for turn in range(10)),
            post(apis[0], "/api/stakes/cancel-unstake", {"agent_did": dids[0]}),
            slash(apis[1], dids[1], 400),
        )
        paid.append(await stakes.pay_out_due(apis[0].broker.database))

        assert sum(paid) == (9 if cancelled.status_code == 200 else 10)
        held = [await apis[0].get(f"/api/credits/{did}") for did in dids[2:]]
        assert {(one["available"], one["staked"]) for one in held} == {("1000000", "0")}
        assert taken in ("400", "0")
        assert await wrong(apis[0].broker.database) == []


async def test_twenty_slashes_with_one_key_are_one(database_url: str) -> None:
    async with an_api(database_url, admin_token=ADMIN_TOKEN) as api:
        did = await staked(api, 10_000)
        headers = {"authorization": f"Bearer {ADMIN_TOKEN}", "idempotency-key": "one"}
        body = {"agent_did": did, "amount_atomic": 100, "reason": "raced"}

        answers = await at_once(api.client.post("/api/admin/slash", json=body, headers=headers) for _ in range(20))

        assert len({answer["slash_id"] for answer in bodies(answers)}) == 1
        assert (await api.get(f"/api/stakes/{did}"))["slashed_total_atomic"] == "100"
        assert await wrong(api.broker.database) == []
