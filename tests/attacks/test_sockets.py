"""Sockets: nobody listens to another's events, and nothing that is said there is said by somebody else."""

import asyncio
import json
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from ainp.client.identity import Identity
from ainp.core.canonical import canonical
from support.listening import Listener
from support.target import ALICE, BOB, CAROL, Target

Json = dict[str, Any]
NOT_PROVEN = 4401


def url_of(target: Target, did: str = BOB.did, more: str = "") -> str:
    return f"ws://127.0.0.1:{target.raw.port}/ws?did={quote(did, safe='')}{more}"


def proof(target: Target, challenge: str, by: Identity, *, audience: str | None = None, **said: str) -> str:
    signature = by.sign_challenge(challenge, audience=audience or target.base)
    return json.dumps({"type": "proof", "did": by.did, "signature": signature, **said})


async def told(target: Target, *frames: str, did: str = BOB.did, more: str = "") -> tuple[list[Json], int]:
    """What a socket is told that answers the challenge so, and how it ends."""
    async with connect(url_of(target, did, more)) as socket:
        heard = [json.loads(await socket.recv())]
        for frame in frames:
            with suppress(ConnectionClosed):
                await socket.send(frame.replace("CHALLENGE", heard[0]["challenge"]))
        with suppress(ConnectionClosed):
            async with asyncio.timeout(10):
                while True:
                    heard.append(json.loads(await socket.recv()))
        return heard, socket.close_code or 0


async def test_without_a_proof_nothing_is_told(target: Target) -> None:
    """What was missed is asked for with the handshake; it comes behind the proof, or never."""
    for frame in ("", "{}", '{"type":"ping"}', '{"type":"connected"}', '{"type":"proof","did":"x","signature":"x"}'):
        async with target.untouched():
            heard, code = await told(target, frame, more="&since=0")
        assert (len(heard), code) == (1, NOT_PROVEN)
        assert heard[0].keys() == {"type", "challenge", "audience"}


async def test_a_proof_by_another_is_none(target: Target) -> None:
    async def refused(by: Identity, **said: str) -> None:
        async with connect(url_of(target)) as socket, target.untouched():
            challenge = json.loads(await socket.recv())["challenge"]
            await socket.send(proof(target, challenge, by, **said))
            assert (await Listener(socket).closed())[0] == NOT_PROVEN

    await refused(CAROL)
    await refused(CAROL, did=BOB.did)
    await refused(CAROL, did=BOB.did, key_id=CAROL.did)
    await refused(BOB, did=CAROL.did)
    await refused(BOB, did=BOB.did.lower())


async def test_a_challenge_that_another_broker_has_passed_on_is_worth_nothing(target: Target) -> None:
    """Bob means to talk to evil.example, which hands him our challenge: what he signs names evil.example."""
    for audience in ("http://evil.example", f"http://127.0.0.1:{target.raw.port}.evil.example", "", "http://127.0.0.1"):
        async with connect(url_of(target)) as socket:
            challenge = json.loads(await socket.recv())["challenge"]
            statement = {"audience": audience, "challenge": challenge, "did": BOB.did, "purpose": "ainp-websocket"}
            said = {"type": "proof", "did": BOB.did, "signature": BOB.sign(canonical(statement))}
            await socket.send(json.dumps(said))
            assert (await Listener(socket).closed())[0] == NOT_PROVEN


async def test_a_proof_is_for_one_socket_and_says_nothing_else(target: Target) -> None:
    async with connect(url_of(target)) as first:
        challenge = json.loads(await first.recv())["challenge"]
        said = proof(target, challenge, BOB)
        await first.send(said)
        assert json.loads(await first.recv())["type"] == "connected"

        assert (await told(target, said))[1] == NOT_PROVEN
        wrong_purpose = canonical(
            {"audience": target.base, "challenge": "CHALLENGE", "did": BOB.did, "purpose": "ainp-payment"}
        )
        other = json.dumps({"type": "proof", "did": BOB.did, "signature": BOB.sign(wrong_purpose)})
        assert (await told(target, other))[1] == NOT_PROVEN


async def test_signed_as_a_request_is_not_signed_for_a_socket(target: Target) -> None:
    request = target.read(target.negotiation)
    signature = request.get("Signature").split(":")[1]
    said = json.dumps({"type": "proof", "did": BOB.did, "signature": signature})

    assert (await told(target, said))[1] == NOT_PROVEN


async def test_a_header_does_not_open_a_socket(target: Target) -> None:
    request = target.read("/ws?did=" + quote(BOB.did, safe=""))
    headers = [*request.lines[2:], ("X-AINP-DID", BOB.did)]
    async with connect(url_of(target), additional_headers=headers) as socket:
        assert json.loads(await socket.recv())["type"] == "challenge"
        await socket.send("{}")
        assert (await Listener(socket).closed())[0] == NOT_PROVEN


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1"])
async def test_a_page_of_somebody_else_opens_none(target: Target, origin: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with target.untouched(), connect(url_of(target), additional_headers={"Origin": origin}):
            pass

    assert refused.value.response.status_code == 403


async def test_who_has_proven_one_did_hears_nothing_of_another(target: Target) -> None:
    async with connect(url_of(target, CAROL.did, "&since=0")) as socket:
        challenge = json.loads(await socket.recv())["challenge"]
        await socket.send(proof(target, challenge, CAROL))
        await target.api.initiate(ALICE, BOB)
        opened = await target.api.initiate(ALICE, CAROL)
        heard = [json.loads(await socket.recv())]
        while heard[-1].get("negotiation_id", heard[-1].get("payload", {}).get("negotiation_id")) != opened["id"]:
            heard.append(json.loads(await asyncio.wait_for(socket.recv(), 10)))

    assert all(BOB.did not in json.dumps(frame) for frame in heard)


async def test_a_proof_that_was_right_does_not_open_another_s_socket_on_the_way(target: Target) -> None:
    """Two names in the address, or another in the proof than in the address: one of them is not asked."""
    async with connect(url_of(target, CAROL.did, f"&did={quote(BOB.did, safe='')}")) as socket:
        assert (await Listener(socket).closed())[0] == 1008
    async with connect(url_of(target, CAROL.did)) as socket:
        challenge = json.loads(await socket.recv())["challenge"]
        await socket.send(proof(target, challenge, CAROL, did=BOB.did))
        assert (await Listener(socket).closed())[0] == NOT_PROVEN


@pytest.mark.parametrize(
    ("method", "line", "rest"),
    [
        (b"GET", b"Content-Length: 2", b"{}"),
        (b"POST", b"Content-Length: 2", b"{}"),
        (b"GET", b"X-Long: " + b"x" * 9000, b""),
    ],
    ids=["with a body", "with another method", "with a long line"],
)
async def test_what_opens_no_socket_is_told_so_and_let_go(
    target: Target, method: bytes, line: bytes, rest: bytes
) -> None:
    """Such a connection was neither answered nor ever closed."""
    key = b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="
    opening = b"%b /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n%b\r\n" % (method, key)
    reader, writer = await asyncio.open_connection("127.0.0.1", target.raw.port)
    writer.write(opening + line + b"\r\n\r\n" + rest)

    answer = await asyncio.wait_for(reader.read(), 10)

    assert answer.startswith(b"HTTP/1.1 400 "), answer
    assert b"MALFORMED_HTTP" in answer
    writer.close()
