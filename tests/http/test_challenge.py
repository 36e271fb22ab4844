"""Sockets in strict mode: an agent proves who it is before it is told anything."""

import base64
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from websockets.asyncio.client import ClientConnection, connect

from ainp.client.identity import Identity
from ainp.core.socket_proof import statement
from support.listening import Listener
from support.signing import SignedApi, a_strict_broker, identity

ALICE, BOB, CAROL = identity("alice"), identity("bob"), identity("carol")
Json = dict[str, Any]


@pytest.fixture(scope="module")
async def broker(module_database_url: str, anyio_backend: str) -> AsyncIterator[tuple[SignedApi, int]]:
    async with a_strict_broker(module_database_url) as (api, port):
        await api.register(ALICE, BOB)
        yield api, port


def url_of(port: int, did: str, more: str = "") -> str:
    return f"ws://127.0.0.1:{port}/ws?did={quote(did, safe='')}{more}"


def proof(challenge: Json, port: int, by: Identity, **changes: str) -> Json:
    said = {"did": by.did, "challenge": str(challenge["challenge"]), "audience": f"http://127.0.0.1:{port}", **changes}
    signed = by.sign(statement(said["did"], challenge=said["challenge"], audience=said["audience"]))
    return {"type": "proof", "did": by.did, "signature": signed}


async def challenged(socket: ClientConnection) -> Json:
    said: Json = json.loads(await socket.recv())
    assert said["type"] == "challenge"
    return said


async def test_who_proves_it_is_told(broker: tuple[SignedApi, int]) -> None:
    api, port = broker

    async with connect(url_of(port, BOB.did)) as socket:
        await socket.send(json.dumps(proof(await challenged(socket), port, BOB)))
        assert json.loads(await socket.recv()) == {"type": "connected", "did": BOB.did}
        await api.initiate(ALICE, BOB)
        told = await Listener(socket).next()

    assert (told["event"], told["from_did"]) == ("proposed", ALICE.did)


async def test_localhost_is_the_same_broker(broker: tuple[SignedApi, int]) -> None:
    _, port = broker

    async with connect(f"ws://localhost:{port}/?did={quote(BOB.did, safe='')}") as socket:
        said = proof(await challenged(socket), port, BOB, audience=f"http://localhost:{port}")
        await socket.send(json.dumps(said))
        assert json.loads(await socket.recv())["type"] == "connected"


async def refused(port: int, did: str, *frames: str | bytes) -> tuple[int, str]:
    """How the socket is closed that was sent these frames instead of a proof."""
    async with connect(url_of(port, did)) as socket:
        await challenged(socket)
        for frame in frames:
            await socket.send(frame)
        return await Listener(socket).closed()


@pytest.mark.parametrize(
    "frame", ["", "{}", "null", '{"type":"proof"}', b"\x00", '{"type":"proof","did":1,"signature":2}']
)
async def test_what_is_no_proof_closes_the_socket(broker: tuple[SignedApi, int], frame: str | bytes) -> None:
    _, port = broker

    code, reason = await refused(port, BOB.did, frame)

    assert code == 4401
    assert reason


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"challenge": base64.urlsafe_b64encode(bytes(32)).decode()}, "Signature verification failed"),
        ({"audience": "https://other.example"}, "Signature verification failed"),
        ({"did": BOB.did}, "the proof is of"),
    ],
)
async def test_a_proof_for_something_else_is_none(broker: tuple[SignedApi, int], changes: Json, reason: str) -> None:
    _, port = broker
    by = BOB if changes.get("did") else ALICE

    async with connect(url_of(port, ALICE.did)) as socket:
        asked = await challenged(socket) | changes
        await socket.send(json.dumps(proof(asked, port, by, **{k: v for k, v in changes.items() if k != "challenge"})))
        code, said = await Listener(socket).closed()

    assert (code, said[: len(reason)]) == (4401, reason)


async def test_anothers_key_does_not_open_the_socket(broker: tuple[SignedApi, int]) -> None:
    _, port = broker

    async with connect(url_of(port, ALICE.did)) as socket:
        said = proof(await challenged(socket), port, BOB) | {"did": ALICE.did}
        await socket.send(json.dumps(said))
        assert (await Listener(socket).closed())[0] == 4401


async def test_a_challenge_is_for_one_socket(broker: tuple[SignedApi, int]) -> None:
    _, port = broker
    async with connect(url_of(port, BOB.did)) as first, connect(url_of(port, BOB.did)) as second:
        said = json.dumps(proof(await challenged(first), port, BOB))
        await challenged(second)
        await second.send(said)

        assert (await Listener(second).closed())[0] == 4401
        await first.send(said)
        assert json.loads(await first.recv())["type"] == "connected"


async def test_a_number_that_was_never_reached_is_told_after_the_proof(broker: tuple[SignedApi, int]) -> None:
    _, port = broker

    async with connect(url_of(port, CAROL.did, "&since=99")) as socket:
        await socket.send(json.dumps(proof(await challenged(socket), port, CAROL)))
        assert await Listener(socket).closed() == (1008, "since: found 99, the last event has number 0")


async def test_who_says_nothing_is_not_waited_for(
    broker: tuple[SignedApi, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ainp.http.challenge.PROOF_TIME", timedelta(seconds=0.2))
    _, port = broker

    assert await refused(port, BOB.did) == (4401, "no proof within 0 s")
