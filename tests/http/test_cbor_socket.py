"""CBOR on a WebSocket, for whoever offers its subprotocol: the same frames, and the same envelopes."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import cbor2
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from ainp.client.identity import Identity
from ainp.core.socket_proof import statement
from ainp.http.media import SUBPROTOCOL
from support.api import Json
from support.listening import Telling, a_telling_broker
from support.mail import an_intent
from support.signing import a_strict_broker, identity

ALICE, BOB = identity("alice"), identity("bob")
OFFERED = [Subprotocol("ainp.xml"), Subprotocol(SUBPROTOCOL)]


@pytest.fixture(scope="module")
async def broker(module_database_url: str, anyio_backend: str) -> AsyncIterator[Telling]:
    async with a_telling_broker(module_database_url) as broker:
        yield broker


def socket_of(broker: Telling, who: Identity, **offered: Any) -> connect:  # noqa: ANN401 - what the library takes
    return connect(f"ws://127.0.0.1:{broker.port}/?did={who.did}", **offered)


async def heard(socket: ClientConnection) -> Json:
    async with asyncio.timeout(20):
        frame = await socket.recv()
    assert isinstance(frame, bytes)
    return cbor2.loads(frame)


async def test_an_agent_speaks_cbor_to_one_that_speaks_json(broker: Telling) -> None:
    async with socket_of(broker, ALICE, subprotocols=OFFERED) as alice, socket_of(broker, BOB) as bob:
        assert alice.subprotocol == SUBPROTOCOL
        said = cbor2.loads(cbor2.dumps(json.loads(an_intent(ALICE, BOB.did))))
        await alice.send(cbor2.dumps(said))
        answer = await heard(alice)
        told = await bob.recv()

        assert (answer["status"], answer["id"]) == ("routed", said["id"])
        assert json.loads(str(told)) == said
        reply = an_intent(BOB, ALICE.did)
        await bob.send(reply.decode())
        assert await heard(alice) == json.loads(reply)
        assert (await heard(alice))["type"] == "message"


async def test_what_is_no_cbor_is_refused_and_the_socket_stays(broker: Telling) -> None:
    async with socket_of(broker, ALICE, subprotocols=OFFERED) as alice:
        deep, larger_as_json = b"\x81" * 70 + b"\x01", cbor2.dumps({"a": "\x01" * 300_000})
        for wrong in (b"\xff", cbor2.dumps([1]), cbor2.dumps({"a": 1})[:-1], deep, larger_as_json):
            await alice.send(wrong)
            assert (await heard(alice))["error"] == "INVALID_MESSAGE"
        await alice.send(an_intent(ALICE, BOB.did).decode())  # a text frame is JSON, as ever
        assert (await heard(alice))["status"] == "routed"


async def test_who_offers_something_else_gets_json(broker: Telling) -> None:
    async with socket_of(broker, ALICE, subprotocols=OFFERED[:1]) as alice:
        assert alice.subprotocol is None
        await alice.send(an_intent(ALICE, BOB.did).decode())
        assert isinstance(await alice.recv(), str)


async def test_in_strict_mode_the_challenge_is_cbor_too(database_url: str) -> None:
    async with a_strict_broker(database_url) as (api, port):
        await api.register(ALICE)
        url = f"ws://127.0.0.1:{port}/?did={ALICE.did}"
        async with connect(url, subprotocols=[Subprotocol(SUBPROTOCOL)]) as socket:
            asked = await heard(socket)
            text = statement(ALICE.did, challenge=asked["challenge"], audience=asked["audience"])
            await socket.send(cbor2.dumps({"type": "proof", "did": ALICE.did, "signature": ALICE.sign(text)}))

            assert await heard(socket) == {"type": "connected", "did": ALICE.did}
