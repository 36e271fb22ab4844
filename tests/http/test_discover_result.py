"""What was found is told to who has asked, too: an envelope of the broker's on the asker's sockets."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from ainp.adapters.broker_key import Identity as BrokerIdentity
from ainp.client.clients import AsyncClient
from ainp.client.identity import Identity
from ainp.core.did import key_of_did
from ainp.core.envelope import Scheme, open_envelope, verify
from support.envelopes import an_envelope
from support.listening import Telling, a_telling_broker
from support.signing import identity

Json = Any
KEY, ALICE, BOB = identity("the broker"), identity("alice"), identity("bob")
SAID = {"description": "Writes sonnets and limericks for birthdays", "tags": ["poetry"]}


@pytest.fixture(scope="module")
async def broker(module_database_url: str, anyio_backend: str) -> AsyncIterator[Telling]:
    async with a_telling_broker(module_database_url) as broker:
        broker.api.broker.identity = BrokerIdentity(KEY._key)
        await register(broker, BOB.did, SAID)
        yield broker


async def register(broker: Telling, did: str, *capabilities: Json) -> None:
    address = {"did": did, "capabilities": list(capabilities)}
    await broker.api.call("POST", "/api/agents/register", {"address": address})


def a_question(by: Identity = ALICE, **changes: Any) -> bytes:  # noqa: ANN401 - any JSON
    query = {"description": "a poem", "limit": 1}
    said: dict[str, Any] = {"msg_type": "DISCOVER", "payload": {}, "to_query": query, **changes}
    return an_envelope(by, **said)


async def ask(broker: Telling, raw: bytes, path: str = "/api/discovery/envelope", *, status: int = 200) -> Json:
    answer = await broker.api.client.post(path, content=raw, headers={"Content-Type": "application/json"})

    assert answer.status_code == status, answer.text
    return answer.json()


async def received(socket: ClientConnection) -> tuple[bytes, Json]:
    async with asyncio.timeout(20):
        return str(await socket.recv()).encode(), json.loads(await socket.recv())


@pytest.mark.parametrize("path", ["/api/discovery/envelope", "/api/intents/send"])
async def test_what_was_found_is_told_in_an_envelope_that_the_broker_has_signed(broker: Telling, path: str) -> None:
    async with connect(f"ws://127.0.0.1:{broker.port}/?did={ALICE.did}") as socket:
        answer = await ask(broker, a_question(trace_id="this question"), path)
        raw, notice = await received(socket)

    envelope = open_envelope(raw, now=datetime.now(UTC))
    for scheme in (Scheme.A, Scheme.C):
        assert verify(envelope, keys=[key_of_did(KEY.did)], schemes=[scheme]).scheme is scheme
    assert (envelope.sender, envelope.recipient, envelope.trace_id) == (KEY.did, ALICE.did, "this question")
    assert (envelope.msg_type, envelope.ttl.total_seconds()) == ("DISCOVER_RESULT", 60)
    assert envelope.payload == answer
    (match,) = answer["matches"]
    (found,) = answer["results"]
    assert match == {"did": BOB.did, "score": found["score"], "trust": {"score": found["trust"]["score"]}}
    assert (notice["type"], notice["event"], notice["from_did"]) == ("message", "received", KEY.did)
    assert notice["envelope_id"] == notice["message_id"] == envelope.id


async def test_a_match_says_how_long_it_takes_and_what_it_costs_if_the_agent_does(broker: Telling) -> None:
    frank, said = identity("frank"), {"description": "Tunes pianos", "latency_ms": 1500, "cost": 2.5}
    raw = an_envelope(frank, payload={"capabilities": ["Cooks", said]})
    assert (await ask(broker, raw))["status"] == "registered"
    query = {"description": "who tunes my piano", "max_cost": 3, "maxLatency": 2000, "limit": 1}
    (match,) = (await ask(broker, a_question(to_query=query)))["matches"]
    others = (await ask(broker, a_question(to_query={**query, "max_cost": 2, "limit": 9})))["matches"]

    assert (match["did"], match["estLatencyMs"], match["priceHint"]) == (frank.did, 1500, 2.5)
    (cook,) = [other for other in others if other["did"] == frank.did]
    assert set(cook) == {"did", "score", "trust"}


async def test_a_question_on_a_socket_is_answered_there_and_told_once(broker: Telling) -> None:
    carol = identity("carol")
    async with connect(f"ws://127.0.0.1:{broker.port}/?did={carol.did}") as socket:
        await socket.send(a_question(carol).decode())
        frames = [json.loads(await socket.recv()) for _ in range(3)]
        await socket.send(a_question(carol, to_query={"limit": 0}).decode())
        refused = json.loads(await socket.recv())

    (answer,) = [frame for frame in frames if "sig" not in frame and "number" not in frame]
    (told,) = [frame for frame in frames if frame.get("msg_type") == "DISCOVER_RESULT" and "sig" in frame]
    assert told["payload"] == answer
    assert [frame["number"] for frame in frames if "number" in frame] == [1]
    assert refused["error"] == "INVALID_DISCOVER_PAYLOAD"


async def test_who_was_away_reads_it_later_with_the_sdk_and_a_copy_of_the_question_tells_nothing(
    broker: Telling,
) -> None:
    dora = identity("dora")
    raw = a_question(dora)
    await ask(broker, raw)
    assert (await ask(broker, raw, status=409))["error"] == "REPLAY_DETECTED"
    await ask(broker, a_question(dora, trace_id="the second"))

    async with AsyncClient(f"http://127.0.0.1:{broker.port}", dora) as client:
        events = client.events(since=0)
        first, second = await anext(events), await anext(events)
        await events.aclose()

    assert (first.number, first.frame["msg_type"], second.number) == (1, "DISCOVER_RESULT", 2)
    assert second.envelope is not None
    assert json.loads(second.envelope)["trace_id"] == "the second"
    waiting = await broker.api.get(f"/api/intents/queue?agent_did={dora.did}")
    assert waiting["messages"] == []


async def test_results_that_are_too_long_are_left_to_the_answer(broker: Telling) -> None:
    erin = identity("erin")
    long = [{"description": f"{number} {'harpsichord ' * 160}"} for number in range(10)]
    for number in range(4):
        await register(broker, identity(f"harpsichord {number}").did, *long)
    async with connect(f"ws://127.0.0.1:{broker.port}/?did={erin.did}") as socket:
        answer = await ask(broker, a_question(erin, to_query={"description": "harpsichord", "limit": 4}))
        raw, _ = await received(socket)

    assert json.loads(raw)["payload"] == {"matches": answer["matches"]}
    assert len(answer["results"]) == 4


async def test_a_broker_without_a_key_says_it_as_existing_clients_know_it(broker: Telling) -> None:
    key, broker.api.broker.identity = broker.api.broker.identity, None
    try:
        async with connect(f"ws://127.0.0.1:{broker.port}/?did={ALICE.did}") as socket:
            await ask(broker, a_question(trace_id=...))
            raw, notice = await received(socket)
    finally:
        broker.api.broker.identity = key

    envelope = json.loads(raw)
    assert (envelope["from_did"], envelope["sig"], notice["from_did"]) == ("did:ainp:broker", "", "did:ainp:broker")
    assert "trace_id" not in envelope
