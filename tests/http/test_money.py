"""Money over HTTP: balances, entries, deposits, and who is paid when a negotiation is settled."""

from typing import Any

import pytest

from ainp.operations import negotiations
from ainp.operations.accounts import prepare_broker_account
from support.api import Api, an_api
from support.builders import an_agent
from support.shapes import check_values
from support.world import ADMIN_TOKEN, World

Json = Any
ADMIN = {"authorization": f"Bearer {ADMIN_TOKEN}"}


async def money(api: Api, did: str) -> Json:
    held = await api.get(f"/api/credits/{did}")
    check_values(held)
    assert int(held["balance"]) == int(held["available"]) + int(held["reserved"])
    return held


async def supply(api: Api) -> int:
    """The sum over all accounts, which is 0 if nothing is made or lost."""
    query = "SELECT (SELECT sum(balance) FROM accounts) + (SELECT coalesce(sum(amount), 0) FROM ledger_pending)"
    return int(await api.broker.database.fetchval(query))


async def account(api: Api, name: str) -> int:
    query = """SELECT (SELECT coalesce(sum(balance), 0) FROM accounts WHERE account = $1)
                    + (SELECT coalesce(sum(amount), 0) FROM ledger_pending WHERE account = $1)"""
    return int(await api.broker.database.fetchval(query, name))


async def test_money_is_followed_from_grant_to_payment(database_url: str) -> None:
    async with an_api(database_url) as api:
        client, agent, *_ = await api.register(8)
        start = await money(api, client)
        accepted = await api.accepted(client, agent, price=64.1)
        held = await money(api, client)
        await api.call("POST", f"/api/negotiations/{accepted['id']}/settle", {}, by=client)

        assert start == {
            "balance": "1000000", "earned": "0", "spent": "0", "reserved": "0", "available": "1000000", "staked": "0"
        }  # fmt: skip
        assert (held["balance"], held["reserved"], held["available"]) == ("1000000", "64100", "935900")
        paid = await money(api, client)
        assert (paid["balance"], paid["reserved"], paid["spent"]) == ("935900", "0", "64100")
        earned = await money(api, agent)
        assert (earned["balance"], earned["earned"]) == ("1044870", "44870")
        assert (await account(api, "pool"), await account(api, "fees")) == (6410, 6410)
        assert await supply(api) == 0


async def test_entries_are_newest_first_and_paged(database_url: str) -> None:
    async with an_api(database_url) as api:
        client, agent, *_ = await api.register(3)
        await api.settled(client, agent)
        path = f"/api/credits/{client}/transactions"

        moved = (await api.get(path))["transactions"]
        check_values(moved)

        assert {m["type"] for m in moved[:-1]} <= {"reserve", "settlement"}
        assert moved[-1] == {
            "id": moved[-1]["id"], "agent_did": client, "type": "welcome_grant", "amount": "1000000", "source": "mint",
            "target": f"available:{client}", "intent_id": moved[-1]["intent_id"], "created_at": moved[-1]["created_at"],
            "metadata": None,
        }  # fmt: skip
        assert [int(m["id"]) for m in moved] == sorted((int(m["id"]) for m in moved), reverse=True)
        paged = [(await api.get(f"{path}?limit=1&offset={n}"))["transactions"] for n in range(len(moved) + 1)]
        assert paged == [*([m] for m in moved), []]


@pytest.mark.parametrize("token", [None, "", "Bearer", "Bearer ", "Bearer wrong", ADMIN_TOKEN, f"Basic {ADMIN_TOKEN}"])
async def test_only_an_administrator_deposits(world: World, token: str | None) -> None:
    headers = {} if token is None else {"authorization": token}
    async with world.nothing_written():
        body = {"agent_did": world.client, "amount": 1000}
        found = await world.api.call("POST", "/api/credits/deposit", body, headers=headers, status=403)

    assert found["error"] == "FORBIDDEN"
    assert ADMIN_TOKEN not in found["message"]


async def test_without_a_token_set_nobody_is_an_administrator(database_url: str) -> None:
    async with an_api(database_url) as api:
        (did,) = await api.register(1)
        for token in ("Bearer ", "Bearer None", "Bearer"):
            body = {"agent_did": did, "amount": 1}
            await api.call("POST", "/api/credits/deposit", body, headers={"authorization": token}, status=403)


async def test_a_deposit_is_an_entry(world: World) -> None:
    did = world.others[0]
    before = int((await money(world.api, did))["balance"])
    body = {"agent_did": did, "amount": 12_345, "metadata": {"why": "test"}}

    told = await world.api.call("POST", "/api/credits/deposit", body, headers=ADMIN)

    assert told["new_balance"] == str(before + 12_345)
    (newest, *_) = (await world.api.get(f"/api/credits/{did}/transactions"))["transactions"]
    assert (newest["type"], newest["amount"], newest["source"]) == ("deposit", "12345", "mint")
    assert await supply(world.api) == 0


async def test_nobody_unknown_has_an_account(world: World) -> None:
    for path in ("", "/transactions"):
        found = await world.api.get(f"/api/credits/did:web:nobody.example{path}", status=404)
        assert found["error"] == "NOT_FOUND"
    body = {"agent_did": "did:web:nobody.example", "amount": 1}
    found = await world.api.call("POST", "/api/credits/deposit", body, headers=ADMIN, status=404)
    assert found["error"] == "AGENT_NOT_FOUND"


@pytest.mark.parametrize("release", ["cancel", "expire"])
async def test_a_reservation_goes_back(world: World, release: str) -> None:
    before = await money(world.api, world.client)
    accepted = await world.api.accepted(world.client, world.agent)
    if release == "cancel":
        await world.api.call("POST", f"/api/negotiations/{accepted['id']}/cancel", {}, by=world.agent)
    else:
        query = "UPDATE negotiations SET settle_by = now() - interval '1 second' WHERE id = $1"
        await world.api.broker.database.execute(query, accepted["id"])
        await negotiations.expire_due(world.api.broker.database)

    assert await money(world.api, world.client) == before
    state = (await world.api.get(f"/api/negotiations/{accepted['id']}"))["state"]
    assert state == {"cancel": "cancelled", "expire": "expired"}[release]


SPLITS = {
    "basis points": ({"agent": 8000, "broker": 500, "validator": 0, "pool": 1500}, (80_000, 5_000, 0, 15_000)),
    "parts of one": ({"agent": 0.7, "broker": 0.1, "validator": 0.1, "pool": 0.1}, (70_000, 10_000, 10_000, 10_000)),
    "parts left out": ({"agent": 0.9, "pool": 0.1}, (90_000, 0, 0, 10_000)),
    "thirds": ({"agent": 3333, "broker": 3333, "validator": 0, "pool": 3334}, (33_330, 33_330, 0, 33_340)),
}


@pytest.mark.parametrize(("shares", "parts"), SPLITS.values(), ids=SPLITS)
async def test_the_accepted_split_is_paid(world: World, shares: Json, parts: tuple[int, ...]) -> None:
    opened = await world.api.initiate(world.client, world.agent)
    counter = {"proposal": {"price": 100, "incentive_split": shares}, "proposer_did": world.agent}
    await world.api.call("POST", f"/api/negotiations/{opened['id']}/propose", counter)
    await world.api.call("POST", f"/api/negotiations/{opened['id']}/accept", {}, by=world.client)

    settled = await world.api.call("POST", f"/api/negotiations/{opened['id']}/settle", {}, by=world.client)

    agent, broker, validator, pool = parts
    assert settled["distribution"] == {
        "agent": str(agent), "broker": str(broker), "validator": "0", "pool": str(pool), "reward": str(validator)
    }  # fmt: skip
    assert await supply(world.api) == 0


async def test_a_fee_below_the_least_is_refused(world: World) -> None:
    shares = {"agent": 9001, "broker": 0, "validator": 0, "pool": 999}
    offer = {"intent_id": "x", "responder_did": world.agent, "initial_proposal": {"incentive_split": shares}}
    async with world.nothing_written():
        found = await world.api.call("POST", "/api/negotiations", offer, by=world.client, status=400)

    assert (found["error"], found["field"]) == ("INVALID_PROPOSAL", "incentive_split")


async def test_a_validator_that_the_terms_name_is_paid(world: World) -> None:
    validator = world.others[1]
    before = int((await money(world.api, validator))["earned"])

    settled = await world.api.settled(world.client, world.agent, validator_did=validator)

    assert settled["validator_did"] == validator
    assert (settled["distribution"]["validator"], settled["distribution"]["reward"]) == ("10000", "0")
    assert "note" not in settled
    assert int((await money(world.api, validator))["earned"]) == before + 10_000


@pytest.mark.parametrize("who", ["unknown", "client", "agent", "only named at settle"])
async def test_another_validator_is_not_paid_and_the_answer_says_so(world: World, who: str) -> None:
    named = {"unknown": "did:web:nobody.example", "client": world.client, "agent": world.agent}.get(who)
    accepted = await world.api.accepted(world.client, world.agent, **({"validator_did": named} if named else {}))
    body = {"validator_did": named or world.others[0]}
    before = int((await money(world.api, world.others[0]))["balance"])

    settled = await world.api.call("POST", f"/api/negotiations/{accepted['id']}/settle", body, by=world.client)

    assert settled["validator_did"] is None
    assert "reward account" in settled["note"]
    assert (settled["distribution"]["validator"], settled["distribution"]["reward"]) == ("0", "10000")
    assert int((await money(world.api, world.others[0]))["balance"]) == before


async def test_the_broker_is_paid_if_it_has_a_did(database_url: str) -> None:
    broker = an_agent("broker")
    async with an_api(database_url, broker_did=broker) as api:
        await prepare_broker_account(api.broker.database, api.broker.terms.settlement.broker)
        client, agent, *_ = await api.register(3)
        unregistered = await api.settled(client, agent)
        await api.call("POST", "/api/agents/register", {"did": broker, "capabilities": []})
        settled = await api.settled(client, agent)

        assert unregistered["distribution"]["broker"] == settled["distribution"]["broker"] == "10000"
        assert (await money(api, broker))["earned"] == "10000"
        assert await account(api, "fees") == 10_000
        assert await supply(api) == 0


async def test_auditors_share_what_the_validator_did_not_get(database_url: str) -> None:
    async with an_api(database_url) as api:
        client, agent, *_ = await api.register(7)
        receipt = await api.finalized(client, agent, price=100)

        earned = [(await money(api, did))["earned"] for did in receipt["committee"]]

        assert earned == ["2000"] * 5
        assert await account(api, f"reward:{receipt['id']}") == 0
        assert await supply(api) == 0


@pytest.mark.parametrize(("price", "atomic"), [(1.005, "1005"), (64.1, "64100"), (0.001, "1"), (1e3, "1000000")])
async def test_a_price_becomes_whole_units_exactly(world: World, price: float, atomic: str) -> None:
    accepted = await world.api.accepted(world.client, world.agent, price=price)

    assert accepted["reserved_atomic"] == atomic
