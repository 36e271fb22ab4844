"""Negotiations by envelope: the same moves as over the routes, and the other party gets the envelope."""

import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from ainp.client.identity import Identity
from support.api import Json
from support.mail import an_intent
from support.signing import SignedApi, a_strict_api, identity

ALICE, BOB, CAROL = (identity(name) for name in ("alice", "bob", "carol"))


@pytest.fixture(scope="module")
async def api(module_database_url: str, anyio_backend: str) -> AsyncIterator[SignedApi]:
    async with a_strict_api(module_database_url) as api:
        await api.register(ALICE, BOB, CAROL)
        yield api


async def say(api: SignedApi, by: Identity, to: Identity, phase: str, status: int = 200, **payload: Any) -> Json:  # noqa: ANN401 - any JSON
    raw = an_intent(by, to.did, msg_type="NEGOTIATE", payload={"phase": phase, **payload})
    response = await api.api.client.post("/api/intents/send", content=raw, headers={"content-type": "application/json"})

    assert response.status_code == status, response.text
    return response.json()


async def state_of(api: SignedApi, id_: str) -> Json:
    return await api.call("GET", f"/api/negotiations/{id_}", by=ALICE)


async def opened(api: SignedApi, **payload: Any) -> str:  # noqa: ANN401 - any JSON
    id_ = str(uuid4())
    proposal = {"price": 100, "latency_ms": 60_000, "confidence": 0.9, "terms": {"window": "today"}}
    answer = await say(api, ALICE, BOB, "OFFER", negotiation_id=id_, round=1, proposal=proposal, **payload)
    assert (answer["negotiation_id"], answer["state"]) == (id_, "initiated")
    return id_


async def test_a_whole_negotiation_by_envelope(api: SignedApi) -> None:
    id_ = await opened(api)

    await say(api, BOB, ALICE, "COUNTER", negotiation_id=id_, round=2, proposal={"price": 120})
    await say(api, ALICE, BOB, "COUNTER", negotiation_id=id_, round=3, proposal={"price": 110})
    answer = await say(api, BOB, ALICE, "ACCEPT", negotiation_id=id_, round=4)

    found = await state_of(api, id_)
    first = found["rounds"][0]["proposal"]
    assert (answer["state"], found["state"], found["reserved_atomic"]) == ("accepted", "accepted", "110000")
    assert (first["delivery_time"], first["custom_terms"]) == (60_000, {"window": "today"})
    assert found["max_rounds"] == 10
    settled = await api.call("POST", f"/api/negotiations/{id_}/settle", {}, by=ALICE)
    assert settled["state"] == "settled"


@pytest.mark.parametrize(("phase", "state"), [("REJECT", "rejected"), ("ABORT", "rejected")])
async def test_either_ends_it(api: SignedApi, phase: str, state: str) -> None:
    id_ = await opened(api)

    answer = await say(api, BOB, ALICE, phase, negotiation_id=id_)

    assert answer["state"] == (await state_of(api, id_))["state"] == state


async def test_time_is_over_when_it_is_and_not_before(api: SignedApi) -> None:
    short = await opened(api, constraints={"max_rounds": 1, "timeout_per_round_ms": 1})
    long = await opened(api)

    assert (await say(api, BOB, ALICE, "TIMEOUT", negotiation_id=short))["state"] == "expired"
    await say(api, BOB, ALICE, "TIMEOUT", 409, negotiation_id=long)


async def test_what_is_not_a_legal_move_moves_nothing_and_is_told_to_nobody(api: SignedApi) -> None:
    id_ = await opened(api)
    before = await queued(api, BOB), await queued(api, ALICE)
    proposal = {"price": 1}
    for by, to, phase, status, code, payload in (
        (ALICE, BOB, "ACCEPT", 400, "OWN_PROPOSAL", {"round": 1}),
        (ALICE, BOB, "COUNTER", 409, "NOT_YOUR_TURN", {"proposal": proposal}),
        (BOB, ALICE, "ACCEPT", 409, "PROPOSAL_CHANGED", {"round": 7}),
        (BOB, ALICE, "ACCEPT", 400, "INVALID_REQUEST", {}),
        (BOB, CAROL, "COUNTER", 400, "INVALID_ENVELOPE", {"proposal": proposal}),
        (CAROL, ALICE, "COUNTER", 403, "FORBIDDEN", {"proposal": proposal}),
        (CAROL, ALICE, "REJECT", 403, "FORBIDDEN", {}),
        (CAROL, ALICE, "TIMEOUT", 403, "FORBIDDEN", {}),
        (ALICE, BOB, "OFFER", 409, "INVALID_STATE", {"proposal": proposal}),
        (BOB, ALICE, "COUNTER", 400, "INVALID_PROPOSAL", {"proposal": {"price": -1}}),
        (BOB, ALICE, "COUNTER", 400, "INVALID_ENVELOPE", {"proposal": {}}),
        (BOB, ALICE, "SHOUT", 400, "INVALID_ENVELOPE", {}),
    ):
        answer = await say(api, by, to, phase, status, negotiation_id=id_, **payload)

        assert answer["error"] == code, (phase, answer)
    assert (await state_of(api, id_))["state"] == "initiated"
    assert (await queued(api, BOB), await queued(api, ALICE)) == before
    await say(api, BOB, ALICE, "ACCEPT", 404, negotiation_id=str(uuid4()), round=1)
    await say(api, BOB, ALICE, "ACCEPT", 400, negotiation_id="mine", round=1)
    await say(api, ALICE, ALICE, "OFFER", 400, proposal={"price": 1})


async def test_who_can_not_pay_may_send_the_same_acceptance_again(api: SignedApi) -> None:
    """A refusal that may pass uses up neither the envelope's id nor anything else."""
    poor = identity("poor")
    async with a_strict_api(api.api.broker.database._url, initial_credits=0) as other:
        await other.register(poor)
    id_ = str(uuid4())
    await say(api, poor, BOB, "OFFER", negotiation_id=id_, proposal={"price": 5})
    raw = an_intent(BOB, poor.did, msg_type="NEGOTIATE", payload={"phase": "ACCEPT", "negotiation_id": id_, "round": 1})
    headers = {"content-type": "application/json"}
    refused = await api.api.client.post("/api/intents/send", content=raw, headers=headers)
    token = {"Authorization": "Bearer an administrator's token"}
    await api.call("POST", "/api/credits/deposit", {"agent_did": poor.did, "amount": 5000}, headers=token)
    again = await api.api.client.post("/api/intents/send", content=raw, headers=headers)

    assert (refused.status_code, refused.json()["error"]) == (402, "INSUFFICIENT_CREDITS")
    assert (again.status_code, again.json()["state"]) == (200, "accepted")


async def queued(api: SignedApi, agent: Identity) -> list[str]:
    found = await api.call("GET", f"/api/intents/queue?agent_did={agent.did}", by=agent)
    return [one["id"] for one in found["messages"]]


async def test_the_other_party_gets_the_envelope_itself(api: SignedApi) -> None:
    before = await queued(api, BOB)
    id_ = await opened(api)

    (new,) = set(await queued(api, BOB)) - set(before)

    stored = await api.api.broker.database.fetchval("SELECT envelope FROM messages WHERE envelope_id = $1", new)
    assert json.loads(stored)["payload"]["negotiation_id"] == id_
