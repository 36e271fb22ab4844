"""Requests that say they are Bob's: each is an attack on one thing that his signature holds together."""

import base64
import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from ainp.core.http_signature import LONGEST, SKEW
from support.target import ALICE, BOB, CAROL, NONCES, Sent, Target, signed, signed_over

ORDER = 2**252 + 27742317777372353535851937790883648493
Attack = Callable[[Target], Sent]


def shifted(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


def swapped(sent: Sent, old: str, new: str) -> Sent:
    assert old.encode() in sent.body
    return sent.but(body=sent.body.replace(old.encode(), new.encode()))


def with_digest(sent: Sent, algorithm: str, digest: bytes) -> Sent:
    return sent.put("Content-Digest", f"{algorithm}=:{base64.b64encode(digest).decode()}:")


def covering(target: Target, *names: str, body: bool = True, **values: str) -> Sent:
    """A right signature of Bob's over these components and no others."""
    digest = base64.b64encode(hashlib.sha256(target.acceptance).digest()).decode()
    url = f"{target.base}{target.negotiation}/accept"
    known = {
        "@method": "POST",
        "@target-uri": url,
        "@path": f"{target.negotiation}/accept",
        "@authority": f"127.0.0.1:{target.raw.port}",
        "content-digest": f"sha-256=:{digest}:",
    }
    now = int(datetime.now(UTC).timestamp())
    rest = f';created={now};expires={now + 60};nonce="n";keyid="{BOB.did}";tag="ainp"'
    components = {f'"{name}"': values.get(name, known[name]) for name in names}
    sent = signed_over(BOB, "POST", url, target.acceptance, components, rest)
    return sent.put("Content-Digest", known["content-digest"]) if body else sent


def malleable(sent: Sent) -> Sent:
    """The same signature as another number: S + L satisfies the equation too."""
    raw = base64.b64decode(sent.get("Signature").split(":")[1])
    more = (int.from_bytes(raw[32:], "little") + ORDER).to_bytes(32, "little")
    return sent.put("Signature", f"ainp=:{base64.b64encode(raw[:32] + more).decode()}:")


def two_signatures(target: Target) -> Sent:
    """Carol's own signature, and beside it one that says it is Bob's."""
    carol, bob = target.accept(CAROL), target.accept()
    given = f"{carol.get('Signature-Input')}, bob={bob.get('Signature-Input').removeprefix('ainp=')}"
    proofs = f"{carol.get('Signature')}, bob={carol.get('Signature').removeprefix('ainp=')}"
    return carol.put("Signature-Input", given).put("Signature", proofs)


UNSIGNED: dict[str, Attack] = {
    "unsigned": lambda t: t.accept().put("Signature", None).put("Signature-Input", None),
    "unsigned, named in a header": lambda t: (
        t.accept().put("Signature", None).put("Signature-Input", None).put("X-AINP-DID", BOB.did)
    ),
    "a bearer token": lambda t: (
        t.accept().put("Signature", None).put("Signature-Input", None).put("Authorization", f"Bearer {BOB.did}")
    ),
}
FORGED: dict[str, Attack] = {
    "signed by another in Bob's name": lambda t: t.accept(CAROL, key_id=BOB.did),
    "signed by another in Bob's name, as a URL of his key": lambda t: t.accept(
        CAROL, key_id=f"{BOB.did}#{BOB.did.removeprefix('did:key:')}"
    ),
    "signed by another, with Bob's key named behind": lambda t: t.accept(
        CAROL, key_id=f"{CAROL.did}#{BOB.did.removeprefix('did:key:')}"
    ),
    "the signature without what was signed": lambda t: t.accept().put("Signature-Input", None),
    "what was signed without the signature": lambda t: t.accept().put("Signature", None),
    "the signature of another request": lambda t: t.accept().put("Signature", t.accept().get("Signature")),
    "the body changed": lambda t: swapped(t.accept(), '"round_number":1', '"round_number":2'),
    "the body and its digest changed": lambda t: with_digest(
        swapped(t.accept(), '"round_number":1', '"round_number":2'),
        "sha-256",
        hashlib.sha256(t.acceptance.replace(b":1", b":2")).digest(),
    ),
    "the body taken away": lambda t: t.accept().but(body=b""),
    "something behind the body": lambda t: t.accept().but(body=t.acceptance + b" "),
    "the actor in the body swapped": lambda t: swapped(t.accept(), BOB.did, CAROL.did),
    "sent to another negotiation": lambda t: t.accept().but(path=f"/api/negotiations/{t.other['id']}/accept"),
    "sent to another step": lambda t: t.accept().but(path=f"{t.negotiation}/reject"),
    "a query added": lambda t: t.accept().but(path=f"{t.negotiation}/accept?x=1"),
    "the path written otherwise": lambda t: t.accept().but(path=f"{t.negotiation}/%61ccept"),
    "the path with a slash more": lambda t: t.accept().but(path=f"{t.negotiation}/accept/"),
    "a read made a write": lambda t: signed(BOB, "GET", f"{t.base}{t.negotiation}/accept", t.acceptance).but(
        method="POST"
    ),
    "for another broker, as Host says": lambda t: signed(
        BOB, "POST", f"http://other.example{t.negotiation}/accept", t.acceptance
    ),
    "for another broker, behind X-Forwarded-Host": lambda t: (
        signed(BOB, "POST", f"http://other.example{t.negotiation}/accept", t.acceptance)
        .put("Host", f"127.0.0.1:{t.raw.port}")
        .put("X-Forwarded-Host", "other.example")
    ),
    "for another port": lambda t: signed(BOB, "POST", f"http://127.0.0.1:1{t.negotiation}/accept", t.acceptance),
    "for another scheme": lambda t: signed(
        BOB, "POST", f"https://127.0.0.1:{t.raw.port}{t.negotiation}/accept", t.acceptance
    ),
    "no digest": lambda t: t.accept().put("Content-Digest", None),
    "a digest that is not signed": lambda t: covering(t, "@method", "@target-uri"),
    "a digest of something else": lambda t: with_digest(t.accept(), "sha-256", bytes(32)),
    "a digest of another kind": lambda t: with_digest(t.accept(), "md5", hashlib.md5(t.acceptance).digest()),  # noqa: S324
    "a right digest of another kind than was signed": lambda t: with_digest(
        t.accept(), "sha-512", hashlib.sha512(t.acceptance).digest()
    ),
    "a digest of each of two bodies": lambda t: t.accept().add(
        "Content-Digest", f"sha-256=:{base64.b64encode(bytes(32)).decode()}:"
    ),
    "the method is not signed": lambda t: covering(t, "@target-uri", "content-digest"),
    "the host is not signed": lambda t: covering(t, "@method", "@path", "content-digest"),
    "only parts of the target are signed": lambda t: covering(t, "@method", "@authority", "@path", "content-digest"),
    "expired": lambda t: t.accept(at=shifted(-130)),
    "of the future": lambda t: t.accept(at=shifted(70)),
    "for ever": lambda t: t.accept(lasts=timedelta(days=1)),
    "a second longer than it may": lambda t: t.accept(lasts=LONGEST + timedelta(seconds=1)),
    "ends before it begins": lambda t: t.accept(at=shifted(30), lasts=-SKEW),
    "no beginning": lambda t: t.accept(parameters=((";created=", ";x="),)),
    "no end": lambda t: t.accept(parameters=((";expires=", ";x="),)),
    "for another protocol": lambda t: t.accept(parameters=(('tag="ainp"', 'tag="web-bot-auth"'),)),
    "without a protocol": lambda t: t.accept(parameters=((';tag="ainp"', ""),)),
    "with another algorithm": lambda t: t.accept(parameters=(('tag="ainp"', 'tag="ainp";alg="hmac-sha256"'),)),
    "with no algorithm": lambda t: t.accept(parameters=(('tag="ainp"', 'tag="ainp";alg="none"'),)),
    "a parameter twice": lambda t: t.accept(
        parameters=(('tag="ainp"', f'tag="ainp";keyid="{CAROL.did}"'),),
    ),
    "nobody's": lambda t: t.accept(parameters=((f'keyid="{BOB.did}"', 'keyid=""'),)),
    "no nonce": lambda t: t.accept(parameters=((";nonce=", ";x="),)),
    "zeros": lambda t: t.accept().put("Signature", f"ainp=:{base64.b64encode(bytes(64)).decode()}:"),
    "half of it": lambda t: t.accept().put("Signature", f"ainp=:{base64.b64encode(bytes(32)).decode()}:"),
    "the same signature as another number": lambda t: malleable(t.accept()),
    "two who claim to be the one": two_signatures,
}
FORBIDDEN: dict[str, Attack] = {
    "signed by another, Bob in the body": lambda t: t.accept(CAROL),
    "signed by Bob, another in the header": lambda t: t.accept().put("X-AINP-DID", CAROL.did),
    "signed by another, Bob in the header": lambda t: t.accept(CAROL).put("X-AINP-DID", BOB.did),
    "signed by the other party": lambda t: t.accept(ALICE),
    "signed by a stranger in no name": lambda t: signed(
        CAROL, "POST", f"{t.base}{t.negotiation}/accept", b'{"round_number":1}'
    ),
}


@pytest.mark.parametrize("attack", UNSIGNED.values(), ids=UNSIGNED)
async def test_what_is_not_signed_is_nobody_s(target: Target, attack: Attack) -> None:
    assert "RFC 9421" in await target.refuses(attack(target), 401, "UNAUTHORIZED")


@pytest.mark.parametrize("attack", FORGED.values(), ids=FORGED)
async def test_what_bob_has_not_signed_is_not_bob_s(target: Target, attack: Attack) -> None:
    reason = await target.refuses(attack(target), 401, "INVALID_SIGNATURE")

    assert reason.startswith("Signature verification failed")


@pytest.mark.parametrize("attack", FORBIDDEN.values(), ids=FORBIDDEN)
async def test_who_signs_for_himself_acts_for_nobody_else(target: Target, attack: Attack) -> None:
    await target.refuses(attack(target), 403, "FORBIDDEN", writes=NONCES)


async def test_a_read_can_t_be_turned_to_something_else(target: Target) -> None:
    mine = target.read(f"/api/negotiations?agent_did={BOB.did}")

    assert (await target.send(mine)).status == 200
    await target.refuses(mine.but(path=f"/api/negotiations?agent_did={ALICE.did}"), 401, "INVALID_SIGNATURE")
    await target.refuses(mine.but(path=f"{mine.path}&limit=200"), 401, "INVALID_SIGNATURE")
    await target.refuses(mine.but(path="/api/negotiations"), 401, "INVALID_SIGNATURE")
    await target.refuses(mine.but(path=target.negotiation), 401, "INVALID_SIGNATURE")


async def test_a_signature_of_bob_s_counts_once_and_only_as_he_made_it(target: Target) -> None:
    """The last of the module: what all the attacks were made of is taken, when it is what he has signed."""
    honest = target.accept()

    assert (await target.send(honest)).status == 200
    await target.refuses(honest, 409, "REPLAY_DETECTED")
    await target.refuses(honest.put("Idempotency-Key", "k"), 409, "REPLAY_DETECTED")
    await target.refuses(honest.put("Host", f"localhost:{target.raw.port}"), 409, "REPLAY_DETECTED")
