"""Stakes over HTTP: locked, withdrawn after a delay, shown to everyone, slashed by administrators."""

from datetime import timedelta
from typing import Any

import pytest

from ainp.worker import upkeep
from support.api import Api, an_api
from support.books import wrong
from support.clock import let_pass
from support.shapes import check_values
from support.world import ADMIN_TOKEN

ADMIN = {"authorization": f"Bearer {ADMIN_TOKEN}"}
Json = Any


async def post(api: Api, path: str, did: str, amount: object = None, *, status: int = 200) -> Json:
    body = {"agent_did": did} if amount is None else {"agent_did": did, "amount_atomic": amount}
    return await api.call("POST", f"/api/stakes{path}", body, status=status)


async def slash(api: Api, did: str, amount: object, *, status: int = 200, **said: object) -> Json:
    body = {"agent_did": did, "amount_atomic": amount, "reason": "lied about the tests", **said}
    return await api.call("POST", "/api/admin/slash", body, headers=ADMIN, status=status)


async def pool(api: Api) -> int:
    query = """SELECT (SELECT balance FROM accounts WHERE account = 'pool')
                    + (SELECT coalesce(sum(amount), 0) FROM ledger_pending WHERE account = 'pool')"""
    return int(await api.broker.database.fetchval(query))


async def told(api: Api, did: str) -> list[Json]:
    query = "SELECT event, body FROM outbox WHERE recipients = ARRAY[$1] AND event LIKE 'stake.%' ORDER BY id"
    return [(row["event"], row["body"]) for row in await api.broker.database.fetch(query, did)]


async def test_a_stake_is_followed_from_lock_to_payment(database_url: str) -> None:
    async with an_api(database_url, pou_committee_min_stake=5000) as api:
        (did,) = await api.register(1)
        staked = await post(api, "", did, "10000")
        asked = await post(api, "/unstake", did, 6000)
        await upkeep.pay_withdrawals(api.broker)
        early = await api.get(f"/api/stakes/{did}")
        await let_pass(api.broker.database, timedelta(hours=168))
        await upkeep.pay_withdrawals(api.broker)
        await upkeep.pay_withdrawals(api.broker)
        paid = await api.get(f"/api/stakes/{did}")
        money = await api.get(f"/api/credits/{did}")

        check_values(asked)
        assert staked == {
            "agent_did": did, "locked_atomic": "10000", "active_atomic": "10000", "withdrawing_atomic": "0",
            "locked_until": None, "slashed_total_atomic": "0", "min_stake_atomic": "5000", "eligible": True,
        }  # fmt: skip
        assert (asked["locked_atomic"], asked["active_atomic"], asked["withdrawing_atomic"]) == (
            "10000",
            "4000",
            "6000",
        )
        assert not asked["eligible"]
        assert early == asked
        assert (paid["locked_atomic"], paid["withdrawing_atomic"], paid["locked_until"]) == ("4000", "0", None)
        assert (money["available"], money["staked"], money["earned"], money["spent"]) == ("996000", "4000", "0", "0")
        assert [event for event, _ in await told(api, did)] == ["stake.staked", "stake.unstaking", "stake.unstaked"]
        assert await wrong(api.broker.database) == []


async def test_a_withdrawal_that_is_cancelled_is_never_paid(database_url: str) -> None:
    async with an_api(database_url) as api:
        (did,) = await api.register(1)
        await post(api, "", did, 10_000)
        await post(api, "/unstake", did, 10_000)
        cancelled = await post(api, "/cancel-unstake", did)
        await let_pass(api.broker.database, timedelta(hours=200))
        await upkeep.pay_withdrawals(api.broker)

        assert cancelled["active_atomic"] == "10000"
        assert await api.get(f"/api/stakes/{did}") == cancelled
        refused = await post(api, "/cancel-unstake", did, status=409)
        assert refused["error"] == "NO_WITHDRAWAL"


async def test_nobody_stakes_or_asks_back_what_is_not_there(database_url: str) -> None:
    async with an_api(database_url) as api:
        (did,) = await api.register(1)
        much = await post(api, "", did, 1_000_001, status=402)
        none = await post(api, "/unstake", did, 1, status=409)
        unknown = await post(api, "", "did:web:nobody.example", 1, status=404)

        assert (much["error"], much["needed"], much["have"]) == ("INSUFFICIENT_CREDITS", "1000001", "1000000")
        assert (none["error"], none["needed"], none["have"]) == ("INSUFFICIENT_STAKE", "1", "0")
        assert unknown["error"] == "AGENT_NOT_FOUND"
        assert await api.broker.database.fetchval("SELECT count(*) FROM agent_stakes") == 0


@pytest.mark.parametrize("amount", [0, -1, "", "-1", "1.5", "0x10", " 1", "1e3", 1.5, True, None, 10**15 + 1, "9" * 19])
async def test_an_amount_is_a_whole_number_of_units(database_url: str, amount: object) -> None:
    async with an_api(database_url, admin_token=ADMIN_TOKEN) as api:
        (did,) = await api.register(1)
        for path in ("", "/unstake"):
            body = {"agent_did": did, "amount_atomic": amount}
            refused = await api.call("POST", f"/api/stakes{path}", body, status=400)
            assert refused["error"] == "INVALID_REQUEST"
        refused = await slash(api, did, amount, status=400)
        assert refused["error"] == "INVALID_REQUEST"


async def test_the_committee_is_drawn_from_those_who_have_staked_enough_and_at_once(database_url: str) -> None:
    async with an_api(database_url, pou_committee_min_stake=1000, pou_k=2, pou_m=3) as api:
        client, agent, *others = await api.register(8)
        for did in others[:4]:
            await post(api, "", did, 1000)
        await post(api, "", others[4], 999)
        first = await api.settled(client, agent)
        await post(api, "/unstake", others[0], 1)
        second = await api.settled(client, agent)
        await post(api, "/cancel-unstake", others[0])
        third = await api.broker.epochs.newest(api.broker.database)

        assert len(first["receipt"]["committee"]) == 3
        assert set(first["receipt"]["committee"]) <= set(others[:4])
        assert set(second["receipt"]["committee"]) == set(others[1:4])
        assert set(third.epoch.members) == set(others[:4])


async def test_a_slash_takes_to_the_pool_lowers_every_value_and_says_why(database_url: str) -> None:
    async with an_api(database_url, admin_token=ADMIN_TOKEN) as api:
        client, agent, *_ = await api.register(8)
        await api.finalized(client, agent)
        await post(api, "", agent, 10_000)
        await post(api, "/unstake", agent, 3000)
        before, had = await api.get(f"/api/reputation/{agent}"), await pool(api)
        done = await slash(api, agent, "8000", evidence_ref="https://example.org/log")
        after = await api.get(f"/api/reputation/{agent}")
        history = (await api.get(f"/api/reputation/{agent}/history"))["changes"]

        check_values(done)
        assert (done["ok"], done["taken_atomic"], done["locked_atomic"]) == (True, "8000", "2000")
        assert (await api.get(f"/api/stakes/{agent}"))["withdrawing_atomic"] == "2000"
        assert await pool(api) == had + 8000
        for letter in "qtrsvie":
            assert after[letter] == pytest.approx(before[letter] * 0.9, abs=2e-6)
        for name, dimension in after["dimensions"].items():
            assert dimension["observations"] == before["dimensions"][name]["observations"]
            assert dimension["lower_bound"] <= before["dimensions"][name]["lower_bound"]
        explained = [change for change in history if change["reason"] == "slashed"]
        assert {change["task_id"] for change in explained} == {done["slash_id"]}
        assert len(explained) == 8
        name, body = (await told(api, agent))[-1]
        assert (name, body["taken"], body["reason"]) == ("stake.slashed", "8000", "lied about the tests")
        assert await wrong(api.broker.database) == []


async def test_a_slash_takes_at_most_what_there_is(database_url: str) -> None:
    async with an_api(database_url, admin_token=ADMIN_TOKEN) as api:
        poor, rich = await api.register(2)
        await post(api, "", rich, 500)
        nothing = await slash(api, poor, 1000)
        everything = await slash(api, rich, 1000)

        assert (nothing["taken_atomic"], nothing["slashed_total_atomic"]) == ("0", "0")
        assert (everything["taken_atomic"], everything["slashed_total_atomic"]) == ("500", "500")
        assert (await api.get(f"/api/reputation/{poor}"))["q"] == 0.45
        assert await wrong(api.broker.database) == []


async def test_only_an_administrator_slashes_whom_there_is_and_says_why(database_url: str) -> None:
    async with an_api(database_url, admin_token=ADMIN_TOKEN) as api:
        (did,) = await api.register(1)
        body = {"agent_did": did, "amount_atomic": 1, "reason": "lied"}
        for headers in ({}, {"authorization": "Bearer wrong"}, {"x-ainp-did": did}):
            await api.call("POST", "/api/admin/slash", body, headers=headers, status=403)
        unknown = await slash(api, "did:web:nobody.example", 1, status=404)
        for said in ({"reason": ""}, {"reason": "  "}, {"reason": None}, {"evidence_ref": ""}, {"reason": "x" * 2001}):
            await slash(api, did, 1, status=400, **said)
        without = await api.call("POST", "/api/admin/slash", {**body, "reason": None}, headers=ADMIN, status=400)

        assert unknown["error"] == "AGENT_NOT_FOUND"
        assert without["error"] == "INVALID_REQUEST"
        assert await api.broker.database.fetchval("SELECT count(*) FROM reputation_observations") == 0


async def test_a_slash_with_a_key_is_done_once(database_url: str) -> None:
    async with an_api(database_url, admin_token=ADMIN_TOKEN) as api:
        (did,) = await api.register(1)
        await post(api, "", did, 1000)
        body = {"agent_did": did, "amount_atomic": 100, "reason": "lied"}
        keyed = {**ADMIN, "idempotency-key": "one"}

        answers = [await api.call("POST", "/api/admin/slash", body, headers=keyed) for _ in range(3)]

        assert answers[0] == answers[1] == answers[2]
        assert (await api.get(f"/api/stakes/{did}"))["slashed_total_atomic"] == "100"


async def test_without_a_least_stake_an_operator_is_warned(database_url: str) -> None:
    async with an_api(database_url) as free, an_api(database_url, pou_committee_min_stake=1) as bonded:
        assert any("Sybil" in warning for warning in (await free.get("/health/ready"))["warnings"])
        assert not any("Sybil" in warning for warning in (await bonded.get("/health/ready"))["warnings"])
