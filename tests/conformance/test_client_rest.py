"""The rest of what existing clients do: credits, replies, payments, tools of the bridge, suites that sign nothing."""

import base64
import json
import struct
import time
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import uuid4

import pytest
from websockets.asyncio.client import connect

from ainp.client.identity import Identity
from support.api import Api, an_api
from support.listening import Telling, a_telling_broker
from support.mail import a_payload, an_intent
from support.providers import a_coinbase
from support.signing import identity

Json = Any
ALICE, BOB = identity("alice of the rest"), identity("bob of the rest")


@pytest.fixture(scope="module")
async def broker(module_database_url: str, anyio_backend: str) -> AsyncIterator[Telling]:
    async with a_telling_broker(module_database_url) as broker:
        yield broker


async def call(api: Api, method: str, path: str, body: Json = None, *, did: str | None = None) -> tuple[int, Json]:
    """As the clients call; the body is read whatever the status."""
    headers = {} if did is None else {"x-ainp-did": did}
    response = await api.client.request(method, path, json=body, headers=headers)
    return response.status_code, response.json()


async def registered(api: Api, who: Identity) -> None:
    address = {"did": who.did, "capabilities": [{"description": "anything", "embedding": "", "tags": []}]}
    await api.call("POST", "/api/agents/register", {"address": address})


def canonical_envelope(by: Identity, to: str | None, msg_type: str, payload: Json, **members: object) -> Json:
    """An envelope of the TypeScript agent class, and of the bridge: signed as RFC 8785."""
    return json.loads(an_intent(by, to, msg_type=msg_type, payload=payload, **members))


async def test_typescript_sdk_reads_credits_and_tops_up(database_url: str) -> None:
    """Amounts are strings for it, and a deposit is one that the operator allows."""
    async with an_api(database_url, credits_dev_deposit_enabled=True) as api:
        await registered(api, ALICE)
        _, balance = await call(api, "GET", f"/api/credits/{ALICE.did}")
        topped_up = {"agent_did": ALICE.did, "amount": 5000, "metadata": {"why": "test"}}
        _, deposited = await call(api, "POST", "/api/credits/deposit", topped_up, did=ALICE.did)
        _, listed = await call(api, "GET", f"/api/credits/{ALICE.did}/transactions?limit=10&offset=0")
        status, unknown = await call(api, "GET", f"/api/credits/{BOB.did}")

        assert all(type(balance[name]) is str for name in ("balance", "earned", "spent", "reserved"))
        assert int(deposited["new_balance"]) == int(balance["balance"]) + 5000
        assert deposited["message"]
        newest = listed["transactions"][0]
        assert (newest["agent_did"], newest["amount"]) == (ALICE.did, "5000")
        assert {"id", "type", "intent_id", "metadata", "created_at"} <= newest.keys()
        assert (status, unknown["error"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("msg_type", "payload"),
    [
        ("RESULT", {"status": "success", "result": {"words": 3}}),
        ("ERROR", {"error_code": "TIMEOUT", "error_message": "too long"}),
        ("NEGOTIATE", None),
    ],
)
async def test_typescript_agent_class_hears_an_intent_and_replies(
    broker: Telling, msg_type: str, payload: Json
) -> None:
    """Its replies are RFC 8785; what it answers a NEGOTIATE with is the next phase."""
    asked = canonical_envelope(ALICE, BOB.did, "INTENT", {"@type": "Ask", "semantics": {}})
    if msg_type == "NEGOTIATE":
        id_ = str(uuid4())
        offer = {"phase": "OFFER", "negotiation_id": id_, "round": 1, "proposal": {"price": 10}}
        asked = canonical_envelope(ALICE, BOB.did, "NEGOTIATE", offer)
        payload = {"phase": "COUNTER", "negotiation_id": id_, "round": 2, "proposal": {"price": 12}}
    async with (
        connect(f"ws://127.0.0.1:{broker.port}/?did={BOB.did}") as bob,
        connect(f"ws://127.0.0.1:{broker.port}/?did={ALICE.did}") as alice,
    ):
        await call(broker.api, "POST", "/api/intents/send", asked)
        heard = await until(bob.recv, asked["id"])
        reply = canonical_envelope(BOB, heard["from_did"], msg_type, payload, trace_id=heard["trace_id"])
        await bob.send(json.dumps(reply))
        told = await until(alice.recv, reply["id"])

    assert heard["msg_type"] == asked["msg_type"]
    assert told == reply


async def until(receive: Callable[[], Any], id_: str) -> Json:
    """The next envelope with this id, whatever else is told before it."""
    while True:
        heard = json.loads(await receive())
        if heard.get("id") == id_:
            return heard


async def test_example_reads_inbox_negotiations_and_payments(database_url: str) -> None:
    """Header DID, plain JSON; of a payment the status and the header fields that say how to pay."""
    async with a_coinbase() as coinbase, an_api(database_url, **coinbase.settings()) as api:
        for who in (ALICE, BOB):
            await registered(api, who)
        _, inbox = await call(api, "GET", "/api/mail/inbox?limit=5", did=BOB.did)
        body = {
            "intent_id": "i-1",
            "initiator_did": ALICE.did,
            "responder_did": BOB.did,
            "initial_proposal": {"price": 5},
        }
        _, opened = await call(api, "POST", "/api/negotiations", body, did=ALICE.did)
        _, listed = await call(api, "GET", f"/api/negotiations?agent_did={BOB.did}", did=BOB.did)
        asked = {"amount_atomic": 10_000, "method": "coinbase", "currency": "credits"}
        response = await api.client.post("/api/payments/requests", json=asked, headers={"x-ainp-did": ALICE.did})
        _, payment = await call(api, "GET", f"/api/payments/requests/{response.json()['request_id']}", did=ALICE.did)

        assert inbox == {"messages": [], "pagination": {"limit": 5, "cursor": None, "has_more": False}}
        assert [one["id"] for one in listed] == [opened["id"]]
        assert response.status_code == 201
        assert response.headers["www-authenticate"].startswith('AINP-Pay realm="ainp", request_id="')
        assert response.headers["link"].endswith('>; rel="payment"')
        assert (payment["status"], payment["amount_atomic"]) == ("pending", "10000")


async def test_example_advertises_and_waits_for_results_on_its_socket(broker: Telling) -> None:
    said = {"description": "Tune pianos", "embedding": "", "tags": ["music"], "version": "1.0.0"}
    payload = {"ttl_minutes": 60, "address": {"did": BOB.did, "capabilities": [said]}}
    async with connect(f"ws://127.0.0.1:{broker.port}/ws?did={ALICE.did}") as socket:
        _, advertised = await call(
            broker.api, "POST", "/api/discovery/envelope", canonical_envelope(BOB, None, "ADVERTISE", payload)
        )
        found = canonical_envelope(ALICE, None, "DISCOVER", {"query": {"description": "a piano tuner"}})
        _, answer = await call(broker.api, "POST", "/api/discovery/envelope", found)
        result = canonical_envelope(BOB, ALICE.did, "RESULT", {"status": "success", "result": {}})
        await call(broker.api, "POST", "/api/intents/send", result)
        heard = await until(socket.recv, result["id"])

    assert advertised["status"] == "registered"
    assert BOB.did in [agent["did"] for agent in answer["results"]]
    assert heard == result


@pytest.mark.parametrize("path", ["/api/intents/publish", "/api/intents"])
async def test_flow_publishes_unsigned_and_goes_on(broker: Telling, path: str) -> None:
    """The script tolerates that it fails; it is refused by name, not as a page that is not there."""
    body = {"intent_type": "TEST", "description": "anything", "budget": 100}

    status, refused = await call(broker.api, "POST", path, body, did=ALICE.did)
    signed, sent = await call(broker.api, "POST", path, canonical_envelope(ALICE, BOB.did, "INTENT", {"@type": "Ask"}))

    assert (status, refused["error"]) == (400, "INVALID_ENVELOPE")
    assert (signed, sent["status"]) == (200, "routed")


async def test_suite_comprehensive_sends_what_nobody_signed(database_url: str) -> None:
    """DIDs that nothing can verify, a signature that is none, a ttl of 300 ms, a query beside the rest."""
    made_up = "did:key:z6MkComprehensive0suite"
    envelope = {
        "id": str(uuid4()),
        "trace_id": str(uuid4()),
        "from_did": made_up,
        "to_did": "did:key:z6MkAnother0one",
        "msg_type": "INTENT",
        "timestamp": int(time.time() * 1000),
        "ttl": 60_000,
        "payload": {"@type": "Ask"},
        "sig": "fake-signature",
    }
    short = {**envelope, "id": str(uuid4()), "ttl": 300}
    async with an_api(database_url, signature_verification_enabled=False) as api:
        said = {"description": "Repair accordions", "embedding": "", "tags": [], "version": "1.0.0"}
        registered = {"address": {"did": made_up, "capabilities": [said]}, "ttl": 3600}
        _, told = await call(api, "POST", "/api/agents/register", registered, did=made_up)
        query = {"description": "repairs accordions", "limit": 3}
        asked = {**envelope, "id": str(uuid4()), "from_did": "did:key:z6MkAsks0it", "to_did": None, "query": query}
        answers = [await call(api, "POST", "/api/intents/send", each) for each in (envelope, short, asked, envelope)]

    assert (told["status"], told["did"]) == ("registered", made_up)
    assert [(status, answer.get("status")) for status, answer in answers[:3]] == [(200, "routed")] * 3
    assert (answers[3][0], answers[3][1]["error"]) == (409, "REPLAY_DETECTED")
    async with an_api(database_url) as api:
        assert (await call(api, "POST", "/api/intents/send", {**envelope, "id": str(uuid4())}))[0] == 401


async def test_example_stores_a_memory_by_sql(database_url: str) -> None:
    """It asks for a vector, and writes into the table itself."""
    async with an_api(database_url, memory_distiller_enabled=True, node_env="development") as api:
        _, answer = await call(api, "POST", "/api/dev/embed", {"text": "Bob likes green tea"})
        _, several = await call(api, "POST", "/api/dev/embed_batch", {"texts": ["Bob likes green tea", "other"]})
        vector = struct.unpack("<256f", base64.b64decode(answer["embedding"]))
        insert = """INSERT INTO agent_memories (agent_did, conversation_id, content, embedding, tags)
                    VALUES ($1, 'tea', 'Bob likes green tea', $2, ARRAY['note'])"""
        await api.broker.database.execute(insert, BOB.did, list(vector))
        query = {"agent_did": BOB.did, "query": "what does Bob like to drink"}
        _, found = await call(api, "POST", "/api/memories/search", query, did=BOB.did)

        assert several["embeddings"][0] == answer["embedding"]
        assert [(one["conversation_id"], one["tags"]) for one in found["results"]] == [("tea", ["note"])]
    async with an_api(database_url) as api:
        assert (await call(api, "POST", "/api/dev/embed", {"text": "anything"}))[0] == 404


async def test_suites_of_phases_filter_by_trust(broker: Telling) -> None:
    """They write `minTrust`, and read what is found as they read the search."""
    await registered(broker.api, ALICE)
    query = {"description": "anything", "minTrust": 0.0, "limit": 5}

    status, found = await call(broker.api, "POST", "/api/discovery/search", query, did=BOB.did)

    assert (status, type(found["agents"])) == (200, list)


async def test_mcp_bridge_sends_reads_and_joins_a_thread(broker: Telling) -> None:
    for who in (ALICE, BOB):
        await registered(broker.api, who)
    payload = a_payload("From the bridge", conversation_id="bridge", participants=[ALICE.did, BOB.did])
    _, sent = await call(
        broker.api,
        "POST",
        "/api/intents/send",
        {"envelope": canonical_envelope(ALICE, BOB.did, "INTENT", payload)},
        did=ALICE.did,
    )
    _, inbox = await call(broker.api, "GET", "/api/mail/inbox?unread=true&limit=10", did=BOB.did)
    [message] = [one for one in inbox["messages"] if one["conversation_id"] == "bridge"]
    _, thread = await call(broker.api, "GET", "/api/mail/threads/bridge", did=BOB.did)
    _, read = await call(broker.api, "POST", "/api/mail/read", {"message_id": message["id"], "read": True}, did=BOB.did)
    _, balance = await call(broker.api, "GET", f"/api/credits/{BOB.did}", did=BOB.did)

    assert (sent["status"], message["read"], read["success"]) == ("routed", False, True)
    assert ", ".join(thread["participants"])
    assert thread["conversation_id"] == "bridge"
    assert all(int(balance[name]) >= 0 for name in ("balance", "earned", "spent", "reserved"))
