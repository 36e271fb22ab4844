"""Requests that two readers could understand as two things: who is meant, and what was sent."""

import base64
from datetime import UTC, datetime

import pytest
from nacl.signing import SigningKey

from ainp.client.identity import Identity
from ainp.core.did import _base58, did_of_key
from ainp.core.http_signature import draft
from support.target import ALICE, BOB, CAROL, NONCES, Target, signed

KEY = BOB.did.removeprefix("did:key:")
RAW = bytes.fromhex(BOB.public_key)
IDENTITY_POINT = bytes([1]) + bytes(31)
NAMES = {
    "percent-encoded": BOB.did.replace("z6Mk", "%7A6Mk"),
    "the method in capitals": BOB.did.replace("did:key", "did:KEY"),
    "the scheme in capitals": BOB.did.replace("did:key", "DID:key"),
    "the key in small letters": BOB.did.lower(),
    "a fragment of another key": f"{BOB.did}#{CAROL.did.removeprefix('did:key:')}",
    "an empty fragment": f"{BOB.did}#",
    "two fragments": f"{BOB.did}#{KEY}#{KEY}",
    "a query": f"{BOB.did}?service=x#{KEY}",
    "a path": f"{BOB.did}/1",
    "a dot at the end": f"{BOB.did}.",
    "a space at the end": f"{BOB.did} ",
    "a leading one of base58": f"did:key:z1{KEY[1:]}",
    "a letter more": f"{BOB.did}1",
    "the key in hex": f"did:key:f{(b'%b%b' % (bytes([0xED, 1]), RAW)).hex()}",
    "the key in base58 of Flickr": f"did:key:Z{KEY[1:].swapcase()}",
    "the key in base64url": f"did:key:u{base64.urlsafe_b64encode(bytes([0xED, 1]) + RAW).decode()}",
    "the key without what kind it is": f"did:key:z{_base58(RAW)}",
    "the key as one of X25519": f"did:key:z{_base58(bytes([0xEC, 1]) + RAW)}",
    "a version of did:key": f"did:key:1.1:{KEY}",
    "an account of another kind": f"did:pkh:{KEY}",
    "the key alone": KEY,
    "a web of this machine": "did:web:localhost",
    "a web of an address": "did:web:127.0.0.1",
    "a web with a user": f"did:web:{KEY}%40agent.example",
    "a web that is not registered": "did:web:agent.example",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
async def test_another_spelling_is_not_bob(target: Target, name: str) -> None:
    """Whoever signs: the stranger whose name could be taken for Bob's, or Bob under another name."""
    for by in (CAROL, BOB):
        refused = target.accept(by, key_id=name)
        answer = await target.send(refused)
        assert answer.status == 401, answer.body
        async with target.untouched():
            await target.send(refused)


async def test_letters_that_look_alike_are_refused_before_anybody_reads_them(target: Target) -> None:
    cyrillic = BOB.did.replace("did:key", "did:k\u0435y").encode()
    sent = target.accept().raw.replace(BOB.did.encode(), cyrillic, 1)

    await target.refuses(sent, 401, "INVALID_SIGNATURE")


async def test_his_key_by_its_url_is_bob_and_he_has_signed_it_once(target: Target) -> None:
    sent = target.read(target.negotiation)
    by_url = signed(BOB, "GET", target.base + target.negotiation, key_id=f"{BOB.did}#{KEY}")

    assert [(await target.send(each)).status for each in (sent, by_url)] == [200, 200]


async def test_in_a_body_another_spelling_is_another_agent(target: Target) -> None:
    path = f"{target.base}{target.negotiation}/accept"
    for name in (NAMES["a dot at the end"], NAMES["a leading one of base58"], NAMES["the key in small letters"]):
        body = b'{"acceptor_did":"%s","round_number":1}' % name.encode()
        await target.refuses(signed(CAROL, "POST", path, body), 403, "FORBIDDEN", writes=NONCES)
        await target.refuses(signed(BOB, "POST", path, body), 403, "FORBIDDEN", writes=NONCES)


def anybody_s_signature(point: bytes) -> bytes:
    """With a key of small order every message has such a signature, for those who don't look: R of it, S = 0."""
    return point + bytes(32)


@pytest.mark.parametrize(
    "point",
    [
        IDENTITY_POINT,
        bytes(32),
        bytes.fromhex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
        bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
        bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
        bytes.fromhex("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    ],
    ids=lambda point: point.hex()[:8],
)
async def test_a_key_of_small_order_is_nobody_s(target: Target, point: bytes) -> None:
    did = did_of_key(point)
    url = f"{target.base}/api/agents/register"
    body = b'{"address":{"did":"%s","capabilities":[]}}' % did.encode()
    for r in (point, IDENTITY_POINT):
        made = draft("POST", url, body, key_id=did, nonce=r.hex(), now=datetime.now(UTC))
        fields = made.fields(anybody_s_signature(r))
        sent = signed(CAROL, "POST", url, body)
        for name, value in fields.items():
            sent = sent.put(name, value)
        await target.refuses(sent, 401, "INVALID_SIGNATURE")


async def test_a_key_that_everybody_knows_is_only_itself(target: Target) -> None:
    """The key of 32 zeros is a key like any other: whoever uses it is that DID, and no one else."""
    known = Identity(SigningKey(bytes(32)))

    await target.refuses(target.accept(known), 403, "FORBIDDEN", writes=NONCES)


SMUGGLED = {
    "X-AINP-DID twice": ([b"X-AINP-DID: " + BOB.did.encode(), b"X-AINP-DID: " + CAROL.did.encode()], 400),
    "X-AINP-DID twice the same": ([b"X-AINP-DID: " + BOB.did.encode()] * 2, 400),
    "X_AINP_DID": ([b"X_AINP_DID: " + CAROL.did.encode()], 400),
    "X-AINP_DID": ([b"X-AINP_DID: " + CAROL.did.encode()], 400),
    "a space before the colon": ([b"X-AINP-DID : " + CAROL.did.encode()], 400),
    "a line that goes on": ([b"X-AINP-DID: " + BOB.did.encode(), b" " + CAROL.did.encode()], 400),
    "Host twice": ([b"Host: other.example"], 400),
    "Content-Type twice": ([b"Content-Type: application/json"], 400),
    "Idempotency-Key twice": ([b"Idempotency-Key: 1", b"Idempotency-Key: 2"], 400),
    "Content-Length twice": ([b"Content-Length: 1"], 400),
    "a length and chunks": ([b"Transfer-Encoding: chunked"], 400),
    "chunks that only some know": ([b"Transfer-Encoding: identity, chunked"], 400),
    "Signature_Input": ([b"Signature_Input: ainp=()"], 400),
    "a null in a value": ([b"X-AINP-DID: " + BOB.did.encode() + b"\x00"], 400),
    "a return in a value": ([b"X-AINP-DID: " + BOB.did.encode() + b"\rX: y"], 400),
    "Signature twice": ([b"Signature: ainp=:" + base64.b64encode(bytes(64)) + b":"], 401),
    "Signature-Input twice": ([b'Signature-Input: ainp=("@method");keyid="x"'], 401),
    "Content-Digest twice": ([b"Content-Digest: sha-256=:" + base64.b64encode(bytes(32)) + b":"], 401),
}


@pytest.mark.parametrize(("lines", "status"), SMUGGLED.values(), ids=SMUGGLED)
async def test_a_header_says_one_thing_to_everybody(target: Target, lines: list[bytes], status: int) -> None:
    head, _, body = target.accept().raw.partition(b"\r\n\r\n")
    sent = b"\r\n".join([head, *lines]) + b"\r\n\r\n" + body

    await target.refuses(sent, status, "MALFORMED_HTTP" if status == 400 else "INVALID_SIGNATURE")


async def test_a_request_says_which_host_it_is_for(target: Target) -> None:
    """A proxy would choose one, and not the one that the broker chooses."""
    await target.refuses(target.accept().put("Host", None), 400, "MALFORMED_HTTP")


@pytest.mark.parametrize("coding", [b"gzip", b"deflate, gzip", b"br", b"identity, gzip"])
async def test_a_body_is_read_as_it_came(target: Target, coding: bytes) -> None:
    """What is compressed could be a gigabyte; what only says so, another reader would take for something else."""
    sent = target.accept().put("Content-Encoding", coding.decode())

    assert "identity" in await target.refuses(sent, 415, "UNSUPPORTED_MEDIA_TYPE")


async def test_a_body_in_a_form_that_pages_can_send_is_refused(target: Target) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        await target.refuses(target.accept().put("Content-Type", kind), 415, "UNSUPPORTED_MEDIA_TYPE")
    await target.refuses(target.accept().put("Content-Type", None), 415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1.evil.example", "file://"])
async def test_a_web_page_of_somebody_else_asks_for_nothing(target: Target, origin: str) -> None:
    await target.refuses(target.accept().put("Origin", origin), 403, "UNTRUSTED_REQUEST")
    await target.refuses(target.read(target.negotiation).put("Origin", origin), 403, "UNTRUSTED_REQUEST")


async def test_a_page_of_the_same_host_and_another_port_is_another(target: Target) -> None:
    await target.refuses(target.accept().put("Origin", "http://127.0.0.1:1"), 403, "UNTRUSTED_REQUEST")
    await target.refuses(
        target.accept().put("Origin", f"https://127.0.0.1:{target.raw.port}"), 403, "UNTRUSTED_REQUEST"
    )


async def test_what_all_these_were_made_of_is_taken(target: Target) -> None:
    assert (await target.send(target.accept())).status == 200
    assert (await target.send(target.read(f"/api/negotiations?agent_did={ALICE.did}", ALICE))).status == 200
