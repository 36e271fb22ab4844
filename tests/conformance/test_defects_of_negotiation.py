"""Defects of the known implementation in identity, negotiation, credits and settlement, each by its number."""

import asyncio
from typing import Any

import asyncpg
import pytest

from ainp.core.did import key_of_did
from ainp.operations import negotiations
from support.api import Api, an_api
from support.builders import an_agent
from support.world import World

Json = Any
REGISTER = "/api/agents/register"


async def entries(api: Api, reason: str) -> int:
    return int(await api.broker.database.fetchval("SELECT count(*) FROM ledger_entries WHERE reason = $1", reason))


async def supply(api: Api) -> int:
    query = "SELECT (SELECT sum(balance) FROM accounts) + (SELECT coalesce(sum(amount), 0) FROM ledger_pending)"
    return int(await api.broker.database.fetchval(query))


async def test_def_06_registering_again_moves_no_trust(database_url: str) -> None:
    async with an_api(database_url) as api:
        client, agent, *_ = await api.register(8)
        await api.finalized(client, agent)
        before = await api.get(f"/api/reputation/{agent}")

        trust = {"score": 0, "dimensions": {}}
        await api.call("POST", REGISTER, {"address": {"did": agent, "capabilities": [], "trust": trust}})

        after = await api.get(f"/api/reputation/{agent}")
        assert (after["score"], after["r"]) == (pytest.approx(before["score"], abs=1e-4), before["r"])


async def test_def_07_trust_starts_neutral_whatever_is_claimed(world: World) -> None:
    did = an_agent("def 07")
    await world.api.call("POST", REGISTER, {"address": {"did": did, "capabilities": [], "trust": {"score": 1}}})

    assert (await world.api.get(f"/api/agents/{did}"))["trust"]["score"] == 0.5


async def test_def_08_a_grant_is_an_entry_under_a_cap(database_url: str) -> None:
    async with an_api(database_url, initial_credits_hourly_cap=1_500_000) as api:
        first, second = await api.register(2)

        assert (await api.get(f"/api/credits/{first}"))["balance"] == "1000000"
        assert (await api.get(f"/api/credits/{second}"))["balance"] == "0"
        assert await entries(api, "welcome_grant") == 1
        assert await supply(api) == 0


async def test_def_09_the_key_is_the_dids_own(world: World) -> None:
    did = an_agent("def 09")
    address = {"did": did, "capabilities": [], "credentials": ["placeholder-public-key"]}
    await world.api.call("POST", REGISTER, {"address": address})

    assert (await world.api.get(f"/api/agents/{did}"))["credentials"] == [key_of_did(did).hex()]


@pytest.mark.parametrize("did", ["did:web:agents.example%3A8443", "did:web:example.com:agents:one", "did:web:a.b.c"])
async def test_def_14_legal_did_webs_are_taken(world: World, did: str) -> None:
    told = await world.api.call("POST", REGISTER, {"did": did, "capabilities": []})

    assert told["did"] == did
    path = did.replace("%", "%25")
    assert (await world.api.get(f"/api/agents/{path}"))["did"] == did


async def test_def_19_nobody_accepts_its_own_price(world: World) -> None:
    opened = await world.api.initiate(world.client, world.agent)
    path = f"/api/negotiations/{opened['id']}"
    body = {"proposer_did": world.agent, "proposal": {"price": 900}}
    await world.api.call("POST", f"{path}/propose", body)

    async with world.nothing_written():
        found = await world.api.call("POST", f"{path}/accept", {"acceptor_did": world.agent}, status=400)
    assert found["error"] == "OWN_PROPOSAL"


async def test_def_20_a_stranger_proposes_nothing(world: World) -> None:
    opened = await world.api.initiate(world.client, world.agent)
    body = {"proposer_did": world.others[0], "proposal": {"price": 1}}

    async with world.nothing_written():
        await world.api.call("POST", f"/api/negotiations/{opened['id']}/propose", body, status=403)


async def test_def_21_six_acceptances_at_once_reserve_once(world: World) -> None:
    opened = await world.api.initiate(world.client, world.agent)
    before = int((await world.api.get(f"/api/credits/{world.client}"))["reserved"])
    path = f"/api/negotiations/{opened['id']}/accept"

    answers = await asyncio.gather(*(world.api.client.post(path, json={"acceptor_did": world.agent}) for _ in range(6)))

    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 5
    after = int((await world.api.get(f"/api/credits/{world.client}"))["reserved"])
    assert after - before == 100_000


async def test_def_22_a_settlement_that_fails_leaves_nothing_behind(world: World) -> None:
    accepted = await world.api.accepted(world.client, world.agent)
    path = f"/api/negotiations/{accepted['id']}/settle"
    trigger = """CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN RAISE EXCEPTION 'no receipts today' USING ERRCODE = 'cannot_connect_now'; END $$;
                 CREATE TRIGGER refuse BEFORE INSERT ON task_receipts FOR EACH ROW EXECUTE FUNCTION refuse()"""
    await world.api.broker.database.execute(trigger)
    try:
        # The list that a committee would be drawn from is published before, and belongs to no settlement.
        async with world.nothing_written(but="committee_epochs"):
            await world.api.call("POST", path, {}, by=world.client, status=503)
    finally:
        await world.api.broker.database.execute("DROP TRIGGER refuse ON task_receipts")

    assert (await world.api.call("POST", path, {}, by=world.client))["state"] == "settled"


async def test_def_23_a_second_settlement_takes_nothing(world: World) -> None:
    settled = await world.api.settled(world.client, world.agent)
    path = f"/api/negotiations/{settled['negotiation_id']}"

    async with world.nothing_written():
        again = await world.api.call("POST", f"{path}/settle", {}, by=world.client)
    assert (again["task_id"], again["idempotent"]) == (settled["task_id"], True)
    assert (await world.api.get(path))["state"] == "settled"


async def test_def_24_only_who_may_settles_and_names_no_validator(world: World) -> None:
    accepted = await world.api.accepted(world.client, world.agent)
    stranger, path = world.others[0], f"/api/negotiations/{accepted['id']}/settle"
    before = (await world.api.get(f"/api/credits/{stranger}"))["balance"]

    await world.api.call("POST", path, {"validator_did": stranger}, by=stranger, status=403)
    settled = await world.api.call("POST", path, {"validator_did": stranger}, by=world.client)

    assert settled["validator_did"] is None
    assert (await world.api.get(f"/api/credits/{stranger}"))["balance"] == before


async def test_def_25_every_share_arrives_somewhere(world: World) -> None:
    settled = await world.api.settled(world.client, world.agent, price=0.007)

    assert sum(map(int, settled["distribution"].values())) == 7
    assert await supply(world.api) == 0


@pytest.mark.parametrize("shares", [{"agent": 5, "broker": -4}, {"agent": 50_000, "broker": -40_000}])
async def test_def_26_no_share_is_negative_or_above_one(world: World, shares: Json) -> None:
    offer = {
        "intent_id": "x",
        "responder_did": world.agent,
        "initial_proposal": {"price": 1, "incentive_split": shares},
    }

    async with world.nothing_written():
        found = await world.api.call("POST", "/api/negotiations", offer, by=world.client, status=400)
    assert found["error"] == "INVALID_PROPOSAL"


async def test_def_27_the_split_of_the_accepted_proposal_counts(world: World) -> None:
    opened = await world.api.initiate(world.client, world.agent)
    path = f"/api/negotiations/{opened['id']}"
    terms = {"price": 100, "incentive_split": {"agent": 9000, "broker": 0, "validator": 0, "pool": 1000}}
    await world.api.call("POST", f"{path}/propose", {"proposer_did": world.agent, "proposal": terms})
    await world.api.call("POST", f"{path}/accept", {}, by=world.client)

    settled = await world.api.call("POST", f"{path}/settle", {}, by=world.client)

    assert settled["distribution"]["agent"] == "90000"


@pytest.mark.parametrize(("price", "atomic"), [(1.005, "1005"), (64.1, "64100")])
async def test_def_28_a_price_is_exact(world: World, price: float, atomic: str) -> None:
    assert (await world.api.accepted(world.client, world.agent, price=price))["reserved_atomic"] == atomic


async def test_def_29_an_agreement_is_not_rejected(world: World) -> None:
    accepted = await world.api.accepted(world.client, world.agent)

    async with world.nothing_written():
        for did in (world.client, world.agent):
            path = f"/api/negotiations/{accepted['id']}/reject"
            assert (await world.api.call("POST", path, {}, by=did, status=409))["error"] == "INVALID_STATE"


async def test_def_30_what_expires_gives_back_what_it_holds(world: World) -> None:
    opened = await world.api.initiate(world.client, world.agent)
    before = await world.api.get(f"/api/credits/{world.client}")
    accepted = await world.api.accepted(world.client, world.agent)
    overdue = (
        "UPDATE negotiations SET expires_at = now() - interval '1 s', settle_by = now() - interval '1 s'"
        " WHERE id = ANY ($1::uuid[])"
    )
    await world.api.broker.database.execute(overdue, [opened["id"], accepted["id"]])

    await negotiations.expire_due(world.api.broker.database)

    for n in (opened, accepted):
        assert (await world.api.get(f"/api/negotiations/{n['id']}"))["state"] == "expired"
    assert await world.api.get(f"/api/credits/{world.client}") == before
    told = "SELECT count(*) FROM outbox WHERE event = 'negotiation.expired' OR body ->> 'event' = 'expired'"
    assert await world.api.broker.database.fetchval(told) >= 2


async def test_def_31_custom_terms_survive_an_acceptance(world: World) -> None:
    accepted = await world.api.accepted(world.client, world.agent, custom_terms={"tone": "plain"})

    assert accepted["final_proposal"]["custom_terms"] == {"tone": "plain"}
    assert accepted["current_proposal"]["custom_terms"]["tone"] == "plain"


async def test_def_32_every_settlement_has_a_receipt(world: World) -> None:
    for price in (0, 0.001, 100):
        settled = await world.api.settled(world.client, world.agent, price=price)
        found = await world.api.get(f"/api/receipts?negotiation_id={settled['negotiation_id']}")

        assert [r["id"] for r in found["receipts"]] == [settled["task_id"]]


async def test_def_33_what_is_reserved_is_not_spent_again(database_url: str) -> None:
    async with an_api(database_url) as api:
        client, agent = await api.register(2)
        await api.accepted(client, agent, price=999)
        opened = await api.initiate(client, agent, price=2)

        found = await api.call("POST", f"/api/negotiations/{opened['id']}/accept", {}, by=agent, status=402)

        assert (found["needed"], found["have"]) == ("2000", "1000")


async def test_def_34_a_deposit_without_an_account_is_an_error(world: World) -> None:
    body = {"agent_did": "did:web:nobody.example", "amount": 5}
    headers = {"authorization": "Bearer let-me-in"}

    async with world.nothing_written():
        await world.api.call("POST", "/api/credits/deposit", body, headers=headers, status=404)


async def test_def_35_deleting_an_agent_takes_no_money_with_it(world: World) -> None:
    did = an_agent("def 35")
    await world.api.call("POST", REGISTER, {"did": did, "capabilities": []})
    await world.api.broker.database.execute("DELETE FROM agents WHERE did = $1", did)

    assert (await world.api.get(f"/api/credits/{did}"))["balance"] == "50000000"
    assert len((await world.api.get(f"/api/credits/{did}/transactions"))["transactions"]) == 1


async def test_def_36_entries_are_double_and_for_ever(world: World) -> None:
    await world.api.settled(world.client, world.agent)

    assert await supply(world.api) == 0
    for change in ("UPDATE ledger_entries SET amount = 1", "DELETE FROM ledger_entries"):
        with pytest.raises(asyncpg.PostgresError):
            await world.api.broker.database.execute(change)
    twice = (
        "INSERT INTO ledger_entries (key, from_account, to_account, amount, reason) SELECT key, 'mint', 'pool', 1, 'x'"
    )
    with pytest.raises(asyncpg.UniqueViolationError):
        await world.api.broker.database.execute(f"{twice} FROM ledger_entries LIMIT 1")


async def test_def_38_a_status_depends_on_no_words(world: World) -> None:
    for words in ("not found", "expired", "max rounds", "Invalid state transition"):
        opened = await world.api.initiate(world.client, world.agent)
        path = f"/api/negotiations/{opened['id']}/reject"
        await world.api.call("POST", path, {"reason": words}, by=world.agent)

        assert (await world.api.call("POST", path, {"reason": words}, by=world.agent, status=409))["error"]


async def test_def_39_an_intent_is_any_text(world: World) -> None:
    offer = {"intent_id": "übersetze mich, bitte", "responder_did": world.agent, "initial_proposal": {"price": 1}}

    opened = await world.api.call("POST", "/api/negotiations", offer, by=world.client, status=201)

    assert opened["intent_id"] == offer["intent_id"]
