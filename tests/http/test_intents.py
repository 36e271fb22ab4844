"""Messages over HTTP: sent, told to who is connected, kept for who is not."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from websockets.asyncio.client import ClientConnection, connect

from support.api import Api, Json
from support.listening import Telling, a_telling_broker
from support.mail import an_intent
from support.signing import identity

ALICE, BOB, CAROL = (identity(name) for name in ("alice", "bob", "carol"))
SEND = "/api/intents/send"


@pytest.fixture(scope="module")
async def broker(module_database_url: str, anyio_backend: str) -> AsyncIterator[Telling]:
    async with a_telling_broker(module_database_url) as broker:
        yield broker


async def post(api: Api, raw: bytes, status: int = 200) -> Json:
    response = await api.client.post(SEND, content=raw, headers={"Content-Type": "application/json"})

    assert response.status_code == status, response.text
    return response.json()


async def received(socket: ClientConnection) -> tuple[bytes, Json]:
    """A message as it was signed, and its notice."""
    async with asyncio.timeout(20):
        return str(await socket.recv()).encode(), json.loads(await socket.recv())


async def test_a_message_reaches_who_is_connected_byte_for_byte(broker: Telling) -> None:
    raw = an_intent(ALICE, BOB.did, trace_id="é ☃", payload={"@type": "Ask", "n": 1.0, "deep": [{"b": 1, "a": "x\n"}]})
    spaced = json.dumps(json.loads(raw), indent=1).encode()
    async with connect(f"ws://127.0.0.1:{broker.port}/?did={BOB.did}") as socket:
        answer = await post(broker.api, spaced)
        envelope, notice = await received(socket)

    assert envelope == spaced
    assert answer == {
        "status": "routed",
        "agent_count": 1,
        "id": json.loads(raw)["id"],
        "message_id": notice["message_id"],
        "recipients": [BOB.did],
        "queued": False,
        "priority": 0.5,
    }
    assert (notice["@type"], notice["type"], notice["number"]) == ("NOTIFICATION", "message", 1)
    assert (notice["from_did"], notice["msg_type"], notice["intent_type"]) == (ALICE.did, "INTENT", "Ask")


async def test_a_message_waits_for_who_is_away(broker: Telling) -> None:
    raw = an_intent(ALICE, CAROL.did)

    answer = await post(broker.api, b'{"envelope":' + raw + b"}")
    async with connect(f"ws://127.0.0.1:{broker.port}/?did={CAROL.did}") as socket:
        envelope, _ = await received(socket)

    assert (answer["queued"], answer["agent_count"]) == (True, 1)
    assert answer["offline"]["error_code"] == "AGENT_OFFLINE"
    assert answer["offline"]["recipients"] == [CAROL.did]
    assert envelope == raw
