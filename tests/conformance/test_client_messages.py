"""What existing SDKs, examples and suites do with messages, discovery and sockets; they send this and read that."""

import json
import time
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest
from websockets.asyncio.client import connect

from ainp.client.identity import Identity
from support.api import Api
from support.listening import Telling, a_telling_broker
from support.signing import identity

Json = Any
ALICE, BOB = identity("alice of the flows"), identity("bob of the flows")


@pytest.fixture(scope="module")
async def broker(module_database_url: str, anyio_backend: str) -> AsyncIterator[Telling]:
    async with a_telling_broker(module_database_url) as broker:
        yield broker


def typescript(by: Identity, **members: object) -> Json:
    """An envelope of the TypeScript SDK: own members sorted, nested ones as they are, as JSON.stringify writes it."""
    envelope = {
        "version": "0.1.0",
        "id": str(uuid4()),
        "trace_id": str(uuid4()),
        "from_did": by.did,
        "ttl": 60_000,
        "timestamp": int(time.time() * 1000),
        **members,
    }
    text = json.dumps(dict(sorted(envelope.items())), separators=(",", ":"), ensure_ascii=False)
    return {**envelope, "sig": by.sign(text.encode())}


def python(by: Identity, **members: object) -> Json:
    """One of the Python SDK: sorted at every level, ASCII."""
    envelope = {"id": str(uuid4()), "from_did": by.did, "ttl": 60_000, "timestamp": int(time.time() * 1000), **members}
    text = json.dumps(envelope, separators=(",", ":"), sort_keys=True)
    return {**envelope, "sig": by.sign(text.encode())}


async def post(api: Api, path: str, body: Json, *, did: str | None = None) -> Json:
    """Send it as JSON, whatever the status."""
    headers = {} if did is None else {"x-ainp-did": did}
    return (await api.client.post(path, json=body, headers=headers)).json()


async def get(api: Api, path: str, *, did: str) -> Json:
    return (await api.client.get(path, headers={"x-ainp-did": did})).json()


def a_mail(text: str, **semantics: object) -> Json:
    return {
        "@type": "MESSAGE",
        "@context": "https://schema.ainp.dev/message/v1",
        "semantics": {"participants": [ALICE.did, BOB.did], "subject": "Hello", "content": text, **semantics},
    }


async def test_typescript_sdk_advertises_and_discovers(broker: Telling) -> None:
    said = {"description": "Paint portraits of cats", "embedding": "", "tags": ["art"], "version": "1.0.0"}
    address = {"did": BOB.did, "capabilities": [said]}
    advertised = await post(
        broker.api,
        "/api/discovery/envelope",
        typescript(BOB, msg_type="ADVERTISE", payload={"ttl_minutes": 60, "address": address}),
    )
    asked = typescript(ALICE, msg_type="DISCOVER", to_query={"description": "a painter of cats"}, payload={})
    found = await post(broker.api, "/api/discovery/envelope", asked)

    assert (advertised["status"], advertised["ttl_minutes"]) == ("registered", 60)
    assert BOB.did in [agent["did"] for agent in found["results"]]


async def test_typescript_sdk_sends_an_intent_and_reads_inbox_and_thread(broker: Telling) -> None:
    envelope = typescript(ALICE, msg_type="INTENT", to_did=BOB.did, payload=a_mail("About the portrait"))

    sent = await post(broker.api, "/api/intents/send", {"envelope": envelope})
    inbox = await get(broker.api, "/api/mail/inbox", did=BOB.did)
    message = inbox["messages"][0]
    thread = await get(broker.api, f"/api/mail/threads/{quote(message['conversation_id'], safe='')}", did=BOB.did)

    assert sent["status"] == "routed"
    assert message["read"] is False
    assert ", ".join(thread["participants"])
    assert [each["id"] for each in thread["messages"]] == [message["id"]]


async def test_typescript_results_socket_writes_its_did_encoded(broker: Telling) -> None:
    result = typescript(
        ALICE, msg_type="RESULT", to_did=BOB.did, payload={"intent_id": "i-1", "status": "success", "result": {}}
    )
    async with connect(f"ws://127.0.0.1:{broker.port}/?did={quote(BOB.did, safe='')}") as socket:
        sent = await post(broker.api, "/api/intents/send", result)
        heard = json.loads(await socket.recv())

    assert sent["status"] == "routed"
    assert heard == result
    assert heard["msg_type"] == "RESULT"


async def test_typescript_agent_class_answers_over_its_socket(broker: Telling) -> None:
    intent = typescript(ALICE, msg_type="INTENT", to_did=BOB.did, payload={"@type": "Ask", "semantics": {}})
    async with (
        connect(f"ws://127.0.0.1:{broker.port}/?did={BOB.did}") as bob,
        connect(f"ws://127.0.0.1:{broker.port}/?did={ALICE.did}") as alice,
    ):
        await post(broker.api, "/api/intents/send", intent)
        heard = json.loads(await bob.recv())
        while heard.get("id") != intent["id"]:  # what was sent to it before, and not heard
            heard = json.loads(await bob.recv())
        answer = typescript(
            BOB, msg_type="RESULT", to_did=heard["from_did"], trace_id=heard["trace_id"], payload={"status": "success"}
        )
        await bob.send(json.dumps(answer))
        result = json.loads(await alice.recv())
        while result.get("id") != answer["id"]:
            result = json.loads(await alice.recv())

    assert (heard["msg_type"], heard["id"]) == ("INTENT", intent["id"])
    assert result == answer


async def test_python_sdk_signs_its_own_way(broker: Telling) -> None:
    said = python(ALICE, msg_type="INTENT", to_did=BOB.did, payload=a_mail("Zażółć gęślą jaźń", subject="Po polsku"))

    sent = await post(broker.api, "/api/intents/send", said)
    inbox = await get(broker.api, "/api/mail/inbox", did=BOB.did)

    assert sent["status"] == "routed"
    assert inbox["messages"][0]["subject"] == "Po polsku"


async def test_example_sends_a_flat_email_to_itself(broker: Telling) -> None:
    payload = {
        "@type": "EMAIL_MESSAGE",
        "@context": "https://schema.ainp.dev/email/v1",
        "semantics": {"email": True, "subject": "To me", "content": "A note", "to": [BOB.did], "participants": []},
    }
    envelope = typescript(BOB, msg_type="INTENT", to_did=BOB.did, payload=payload)
    flat = {name: value for name, value in envelope.items() if name not in ("version", "sig")}
    text = json.dumps(dict(sorted(flat.items())), separators=(",", ":"), ensure_ascii=False)

    sent = await post(broker.api, "/api/intents/send", {**flat, "sig": BOB.sign(text.encode())}, did=BOB.did)

    assert sent["status"] == "routed"


async def test_suite_comprehensive_registers_and_searches(broker: Telling) -> None:
    did = identity("a translator").did
    said = {"description": "Translate Basque poems", "embedding": "", "tags": ["nlp"], "version": "1.0.0"}

    told = await post(
        broker.api, "/api/agents/register", {"address": {"did": did, "capabilities": [said]}, "ttl": 3600}
    )
    found = await post(broker.api, "/api/discovery/search", {"description": "translation of Basque poetry"})

    assert (told["status"], told["did"]) == ("registered", did)
    assert isinstance(found, list)
    assert did in [agent["did"] for agent in found]


async def test_suites_of_phases_register_flat(broker: Telling) -> None:
    did = identity("flat").did
    said = {"description": "Grow bonsai", "embedding": "", "tags": [], "version": "1.0.0"}

    told = await post(broker.api, "/api/agents/register", {"did": did, "capabilities": [said], "ttl": 3_600_000})
    nothing = await broker.api.client.post("/api/agents/register", json={"did": did})
    health = await broker.api.get("/health")

    assert told["did"] == did
    assert told["id"]
    assert nothing.status_code == 400
    assert health["uptime"] >= 0


async def test_mcp_bridge_reads_numbers_and_balances(broker: Telling) -> None:
    did = identity("bridge").did
    said = {"description": "Bridge tools", "embedding": "", "tags": [], "version": "0.1.0"}
    trust = {"score": 0.5, "dimensions": {}, "decay_rate": 0.1, "last_updated": 0}

    await post(
        broker.api, "/api/agents/register", {"address": {"did": did, "capabilities": [said], "trust": trust}, "ttl": 1}
    )
    found = await post(broker.api, "/api/discovery/search", {"description": "bridge tools"})
    balance = await get(broker.api, f"/api/credits/{did}", did=did)

    assert all(isinstance(agent["trust"]["score"], float | int) for agent in found)
    assert int(balance["balance"]) > 0
