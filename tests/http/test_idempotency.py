"""A request that is sent again with its Idempotency-Key happens once."""

import asyncio
import json
from collections.abc import Mapping

import httpx
import pytest

from ainp.http.routes import ROUTES, Route
from support.api import Api, an_api
from support.world import Sent, World, a_world

# An envelope has its id for that, and so has what a provider says: test_envelopes.py, test_payments.py.
POSTS = [pytest.param(route, id=route.path) for route in ROUTES if route.method == "POST" and route.keyed]
BAD_KEYS = ("", " ", "two words", "tab\there", "é", "x" * 256)
GOOD_KEYS = ("a", "x" * 255, "!~", "did:key:zA/1?")


async def send(world: World, sent: Sent, key: str, *, body: bytes | None = None, **headers: str) -> httpx.Response:
    given = {**(sent.headers or {}), "idempotency-key": key, **headers}
    return await world.send("POST", sent.path, sent.raw if body is None else body, given)


def same(first: httpx.Response, second: httpx.Response) -> None:
    assert second.status_code == first.status_code
    assert second.content == first.content
    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"


async def right(world: World, route: Route) -> Sent:
    """A request that would change something each time it is heard."""
    if route.path.endswith("/finalize"):
        for member in world.committee[:3]:
            await world.api.attest(world.task_id, member, "AUDIT_PASS")
    return world.right(route)


@pytest.mark.parametrize("route", POSTS)
async def test_the_second_request_gets_the_first_answer_and_does_nothing(database_url: str, route: Route) -> None:
    async with a_world(database_url) as world:
        sent = await right(world, route)

        first = await send(world, sent, "once")
        assert first.is_success, first.text
        async with world.nothing_written():
            same(first, await send(world, sent, "once"))
            same(first, await send(world, sent, "once"))

            other = await send(world, sent, "once", body=sent.raw + b" ")
            assert (other.status_code, other.json()["error"]) == (409, "IDEMPOTENCY_KEY_REUSED")


@pytest.mark.parametrize("route", POSTS)
async def test_an_error_is_not_kept(world: World, route: Route) -> None:
    sent = world.right(route)
    async with world.nothing_written():
        for body in (b"{", b"[]", b'{"x":'):
            first = await send(world, sent, "again", body=body)
            second = await send(world, sent, "again", body=body)

            assert first.status_code == second.status_code == 400
            assert "idempotency-replayed" not in second.headers


async def test_a_refusal_is_a_first_answer_too(database_url: str) -> None:
    async with an_api(database_url) as api:
        client, agent, *_ = await api.register(7)
        settled = await api.settled(client, agent)
        key = {"idempotency-key": "finalize"}
        finalize = f"/api/receipts/{settled['task_id']}/finalize"

        first = await api.call("POST", finalize, status=409, headers=key)
        for member in settled["receipt"]["committee"][:3]:
            await api.attest(settled["task_id"], member, "AUDIT_PASS")

        assert await api.call("POST", finalize, status=409, headers=key) == first
        assert (await api.call("POST", finalize, headers={"idempotency-key": "again"}))["status"] == "finalized"


@pytest.mark.parametrize("key", BAD_KEYS)
async def test_a_key_that_is_none_is_refused(world: World, key: str) -> None:
    async with world.nothing_written():
        response = await world.send(
            "POST", "/api/negotiations", offer(world), [(b"idempotency-key", key.encode("latin-1"))]
        )

        assert (response.status_code, response.json()["error"]) == (400, "INVALID_REQUEST")


@pytest.mark.parametrize("key", GOOD_KEYS)
async def test_a_key_is_any_word_of_255_characters(world: World, key: str) -> None:
    first = await world.send("POST", "/api/negotiations", offer(world), {"idempotency-key": key})

    same(first, await world.send("POST", "/api/negotiations", offer(world), {"idempotency-key": key}))


async def test_keys_belong_to_an_agent_and_a_path(database_url: str) -> None:
    async with an_api(database_url) as api:
        client, agent, *_ = await api.register(3)
        key = {"idempotency-key": "one"}

        answers = [
            await negotiation(api, client, agent, key),
            await negotiation(api, agent, client, key),
            await api.call("POST", "/api/agents/register", {"did": client, "capabilities": ["x"]}, headers=key),
        ]
        replayed = await negotiation(api, client, agent, key)
        other_case = await api.client.post(
            "/API/Negotiations/", content=json.dumps(body_of(client, agent)), headers=JSON | key
        )

        assert len({answer["id"] for answer in answers}) == 3
        assert replayed["id"] == answers[0]["id"]
        assert other_case.json()["id"] == answers[0]["id"]


async def test_twenty_at_once_happen_once(database_url: str) -> None:
    async with an_api(database_url) as api:
        client, agent, *_ = await api.register(7)
        accepted = await api.accepted(client, agent)
        settle, key = f"/api/negotiations/{accepted['id']}/settle", {"idempotency-key": "pay"}

        async def again(path: str, body: object, by: str) -> httpx.Response:
            headers = {"x-ainp-did": by, **key}
            return await api.client.post(path, json=body, headers=headers)

        opened = await asyncio.gather(*(again("/api/negotiations", body_of(client, agent), client) for _ in range(20)))
        paid = await asyncio.gather(*(again(settle, {}, client) for _ in range(20)))

        for answers in (opened, paid):
            assert {answer.status_code for answer in answers} <= {200, 201}
            assert len({answer.content for answer in answers}) == 1
            assert sum("idempotency-replayed" in answer.headers for answer in answers) == 19
        assert len(await api.get(f"/api/negotiations?agent_did={client}&state=initiated")) == 1
        assert (await api.get(f"/api/credits/{agent}"))["earned"] == "70000"


async def test_a_key_is_forgotten_after_a_day(database_url: str) -> None:
    async with an_api(database_url) as api:
        client, agent, *_ = await api.register(3)
        key = {"idempotency-key": "daily"}
        first = await negotiation(api, client, agent, key)
        age = "UPDATE idempotency_keys SET created_at = now() - $1::text::interval"

        await api.broker.database.execute(age, "23 hours 59 minutes")
        within = await negotiation(api, client, agent, key)
        await api.broker.database.execute(age, "24 hours 1 minute")
        after = await negotiation(api, client, agent, key)
        replayed = await negotiation(api, client, agent, key)

        assert within["id"] == first["id"]
        assert after["id"] != first["id"]
        assert replayed["id"] == after["id"]


async def test_two_deposits_without_a_key_are_two(database_url: str) -> None:
    async with an_api(database_url, credits_dev_deposit_enabled=True) as api:
        (did,) = await api.register(1)
        deposit = {"agent_did": did, "amount": 5}

        told = [
            await api.call("POST", "/api/credits/deposit", deposit, headers=headers)
            for headers in ({}, {}, {"idempotency-key": "k"}, {"idempotency-key": "k"})
        ]

        assert [answer["new_balance"] for answer in told] == ["1000005", "1000010", "1000015", "1000015"]


async def test_a_read_needs_no_key(world: World) -> None:
    response = await world.send("GET", "/api/receipts", headers={"idempotency-key": ""})

    assert response.status_code == 200


JSON: dict[str, str] = {"content-type": "application/json"}


def offer(world: World) -> bytes:
    return json.dumps(body_of(world.client, world.agent)).encode()


def body_of(client: str, agent: str) -> Mapping[str, object]:
    return {"intent_id": "x", "initiator_did": client, "responder_did": agent, "initial_proposal": {"price": 1}}


async def negotiation(api: Api, client: str, agent: str, key: Mapping[str, str]) -> Mapping[str, str]:
    body = json.dumps(body_of(client, agent))
    response = await api.client.post("/api/negotiations", content=body, headers={**JSON, **key})
    assert response.status_code == 201, response.text
    found: Mapping[str, str] = response.json()
    return found


async def test_a_key_is_one_for_a_path_in_any_spelling_but_not_for_two_agents(database_url: str) -> None:
    async with an_api(database_url) as api:
        (owner,) = await api.register(1)
        body = {"owner_did": owner, "alias": "Bob"}

        async def put(path: str) -> httpx.Response:
            return await api.client.put(path, json=body, headers={"idempotency-key": "once"})

        first = await put("/api/contacts/did:web:one.example:Bob")
        again = await put("/API/Contacts/did:web:one.example:Bob/")
        other = await put("/api/contacts/did:web:one.example:bob")

        same(first, again)
        assert other.status_code == first.status_code == 200
        assert "idempotency-replayed" not in other.headers
        assert (first.json()["peer_did"][-3:], other.json()["peer_did"][-3:]) == ("Bob", "bob")
