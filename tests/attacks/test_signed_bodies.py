"""Bodies that prove who says them: attestations, envelopes, terms; taken from elsewhere, or put elsewhere."""

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from typing import Any
from uuid import uuid4

import pytest

from ainp.client.identity import Identity
from ainp.core.canonical import canonical, digest
from ainp.core.envelope import signed_envelope
from support.target import ALICE, AUDITORS, BOB, CAROL, NONCES, Sent, Target, signed

ENVELOPE = "/api/discovery/envelope"
Json = dict[str, Any]
Attack = Callable[[Target], bytes]


def bare(target: Target, path: str, body: bytes) -> Sent:
    """A request that nobody has signed."""
    lines = (
        ("Host", f"127.0.0.1:{target.raw.port}"),
        ("Connection", "close"),
        ("Content-Type", "application/json"),
    )
    return Sent("POST", path, body, lines)


def spoken(target: Target, by: Identity | None = None, task_id: str | None = None, **said: Any) -> Json:  # noqa: ANN401
    """What the committee's member says, or somebody in its place."""
    given = {"kind": "AUDIT_PASS", "score": 0.9, "confidence": 0.9, **said}
    body = (by or target.member).attest(task_id or target.task_id, **given)
    return {
        "type": body.type,
        "score": body.score,
        "confidence": body.confidence,
        "evidence_ref": body.evidence_ref,
        "signature": body.signature,
        "by_did": target.member.did,
    }


def statement(target: Target) -> Json:
    """The members that a verdict is signed over."""
    said = ("type", "score", "confidence", "evidence_ref")
    return {"task_id": target.task_id, "by_did": target.member.did, **{name: spoken(target)[name] for name in said}}


def another_member(target: Target) -> Identity:
    return next(one for one in AUDITORS if one.did != target.member.did)


def text(said: Json, **changes: Any) -> bytes:  # noqa: ANN401
    return json.dumps({**said, **changes}).encode()


FORGED: dict[str, Attack] = {
    "by another key": lambda t: text(spoken(t, CAROL)),
    "by another member": lambda t: text(spoken(t, another_member(t))),
    "of another receipt": lambda t: text(spoken(t, task_id=t.other_task_id)),
    "of another verdict": lambda t: text(spoken(t, kind="AUDIT_FAIL", score=0.1), type="AUDIT_PASS", score=0.9),
    "with another score": lambda t: text(spoken(t), score=1),
    "with another confidence": lambda t: text(spoken(t), confidence=1),
    "with other evidence": lambda t: text(spoken(t), evidence_ref="https://evil.example"),
    "with a score that rounds to it": lambda t: text(spoken(t), score=0.9000000000000001),
    "of nothing": lambda t: text(spoken(t), signature=""),
    "of the statement's hash": lambda t: text(spoken(t), signature=t.member.sign(digest(canonical(statement(t))))),
    "of the statement with a member more": lambda t: text(
        spoken(t),
        signature=t.member.sign(canonical({**statement(t), "reason": "x"})),
    ),
}
MALFORMED: dict[str, Attack] = {
    "with a member more": lambda t: text(spoken(t), reason="x"),
    "with a member twice": lambda t: text(spoken(t))[:-1] + b',"score":0.5}',
    "with a member twice, once in disguise": lambda t: text(spoken(t))[:-1] + b',"sc\\u006fre":0.5}',
    "with a number as text": lambda t: text(spoken(t), score="0.9"),
    "with a number out of range": lambda t: text(spoken(t), score=1e308),
    "with what is no number": lambda t: text(spoken(t)).replace(b"0.9", b"NaN", 1),
    "of another task in the body": lambda t: text(spoken(t), task_id=t.other_task_id),
    "by what is no DID": lambda t: text(spoken(t), by_did=f"{t.member.did}\n"),
}


@pytest.mark.parametrize("attack", FORGED.values(), ids=FORGED)
async def test_a_verdict_that_its_member_has_not_signed_is_not_heard(target: Target, attack: Attack) -> None:
    await target.refuses(bare(target, target.attestations, attack(target)), 401, "INVALID_SIGNATURE")


@pytest.mark.parametrize("attack", MALFORMED.values(), ids=MALFORMED)
async def test_a_verdict_that_could_be_read_in_two_ways_is_not_heard(target: Target, attack: Attack) -> None:
    answer = await target.send(bare(target, target.attestations, attack(target)))

    assert answer.status == 400
    await target.refuses(bare(target, target.attestations, attack(target)), 400, answer.json["error"])


async def test_a_verdict_needs_a_signature_of_its_own_whoever_sends_it(target: Target) -> None:
    unsigned = text(spoken(target), signature=None)
    url = target.base + target.attestations

    await target.refuses(bare(target, target.attestations, unsigned), 401, "UNAUTHORIZED")
    await target.refuses(signed(target.member, "POST", url, unsigned), 401, "UNAUTHORIZED", writes=NONCES)


async def test_a_verdict_is_sent_by_its_member_or_by_a_messenger_who_says_nothing(target: Target) -> None:
    """Who signs the request says it: a messenger's signature makes it the messenger's, which it is not."""
    url, said = target.base + target.attestations, text(spoken(target))

    await target.refuses(signed(CAROL, "POST", url, said), 403, "FORBIDDEN", writes=NONCES)
    named = bare(target, target.attestations, said).put("X-AINP-DID", CAROL.did)
    await target.refuses(named, 403, "FORBIDDEN")


async def test_who_may_say_what_is_not_for_the_signer_to_decide(target: Target) -> None:
    for by, kind, code in (
        (BOB, "AUDIT_PASS", "SELF_ATTESTATION"),
        (BOB, "ACCEPTED", "SELF_ATTESTATION"),
        (ALICE, "AUDIT_PASS", "UNAUTHORIZED_ATTESTATION"),
        (CAROL, "AUDIT_PASS", "UNAUTHORIZED_ATTESTATION"),
        (target.member, "ACCEPTED", "UNAUTHORIZED_ATTESTATION"),
    ):
        said = text(spoken(target, by, kind=kind), by_did=by.did)
        await target.refuses(bare(target, target.attestations, said), 403, code)


async def test_nobody_uses_up_the_key_of_another(target: Target) -> None:
    """A forged verdict under the Idempotency-Key that a member will use must not be the answer that it gets."""
    forged = bare(target, target.attestations, text(spoken(target, CAROL))).put("Idempotency-Key", "1")
    await target.refuses(forged, 401, "INVALID_SIGNATURE")

    honest = bare(target, target.attestations, text(spoken(target, evidence_ref="https://example.com")))
    assert (await target.send(honest.put("Idempotency-Key", "1"))).status == 201
    await target.refuses(honest, 409, "DUPLICATE_ATTESTATION")
    await target.refuses(forged, 409, "IDEMPOTENCY_KEY_REUSED")


async def test_an_idempotency_key_is_its_agent_s(target: Target) -> None:
    """Another's key gives another's answer to nobody."""
    url = f"{target.base}/api/negotiations"
    body = b'{"intent_id":"i","responder_did":"%s","initial_proposal":{"price":1}}' % BOB.did.encode()
    first = await target.send(signed(ALICE, "POST", url, body).put("Idempotency-Key", "of Alice".replace(" ", "-")))
    second = await target.send(signed(CAROL, "POST", url, body).put("Idempotency-Key", "of-Alice"))

    assert (first.status, second.status) == (201, 201)
    assert (first.json["initiator_did"], second.json["initiator_did"]) == (ALICE.did, CAROL.did)


async def test_a_request_with_a_key_that_was_refused_has_used_its_signature(target: Target) -> None:
    """Else who has captured it could send it until there is enough money."""
    url, body = f"{target.base}/api/stakes", b'{"amount_atomic":999999999999}'
    sent = signed(CAROL, "POST", url, body).put("Idempotency-Key", "stake-1")
    assert (await target.send(sent)).status == 402

    await target.refuses(sent, 409, "REPLAY_DETECTED")


def letter(by: Identity = CAROL, **changes: object) -> bytes:
    """An envelope that registers its sender."""
    members: Mapping[str, object] = {
        "version": "0.1.0",
        "id": str(uuid4()),
        "trace_id": str(uuid4()),
        "from_did": by.did,
        "msg_type": "ADVERTISE",
        "ttl": 60_000,
        "timestamp": int(time.time() * 1000),
        "payload": {"capabilities": ["Answer questions"], "ttl_minutes": 60},
        **changes,
    }
    return signed_envelope(members, sign=by.sign)


ENVELOPES: dict[str, tuple[Attack, int, str]] = {
    "in another's name": (lambda _: letter(CAROL, from_did=BOB.did), 401, "INVALID_SIGNATURE"),
    "about another": (
        lambda _: letter(payload={"address": {"did": BOB.did, "capabilities": []}}),
        403,
        "FORBIDDEN",
    ),
    "with another's signature": (
        lambda _: json.dumps({**json.loads(letter(BOB)), "from_did": CAROL.did}).encode(),
        401,
        "INVALID_SIGNATURE",
    ),
    "with another payload": (lambda _: letter().replace(b"Answer", b"Invent"), 401, "INVALID_SIGNATURE"),
    "with a member more": (lambda _: letter()[:-1] + b',"to_did":"did:web:a.example"}', 401, "INVALID_SIGNATURE"),
    "with a member twice": (
        lambda _: letter()[:-1] + b',"from_did":"%s"}' % BOB.did.encode(),
        400,
        "INVALID_ENVELOPE",
    ),
    "in an envelope of another": (
        lambda _: b'{"envelope":' + letter() + b',"from_did":"%s","sig":"x"}' % BOB.did.encode(),
        400,
        "INVALID_ENVELOPE",
    ),
    "with its signature inside": (
        lambda _: json.dumps({"payload": json.loads(letter())}).encode(),
        400,
        "INVALID_ENVELOPE",
    ),
    "of yesterday": (lambda _: letter(timestamp=int((time.time() - 86_400) * 1000)), 400, "INVALID_TIMESTAMP"),
    "of tomorrow": (lambda _: letter(timestamp=int((time.time() + 86_400) * 1000)), 400, "INVALID_TIMESTAMP"),
}


@pytest.mark.parametrize(("attack", "status", "code"), ENVELOPES.values(), ids=ENVELOPES)
async def test_an_envelope_is_its_sender_s_as_it_was_signed(
    target: Target, attack: Attack, status: int, code: str
) -> None:
    writes = NONCES if status == 403 else ""

    async with target.untouched(but=writes):
        answer = await target.send(bare(target, ENVELOPE, attack(target)))
    assert (answer.status, answer.json["error"]) == (status, code), answer.body


async def test_an_envelope_counts_once_however_it_is_wrapped(target: Target) -> None:
    raw = letter()
    assert (await target.send(bare(target, ENVELOPE, raw))).status == 200

    spaced = json.dumps(json.loads(raw), indent=2).encode()
    for again in (raw, spaced, b'{"envelope":' + raw + b"}", b'{"envelope":' + raw + b',"query":{"limit":1}}'):
        await target.refuses(bare(target, ENVELOPE, again), 409, "REPLAY_DETECTED")
        by_signer = signed(CAROL, "POST", target.base + ENVELOPE, again)
        await target.refuses(by_signer, 409, "REPLAY_DETECTED", writes=NONCES)


async def test_an_envelope_proves_nothing_elsewhere(target: Target) -> None:
    for path in ("/api/agents/register", "/api/negotiations", f"{target.negotiation}/accept", "/api/stakes"):
        answer = await target.send(bare(target, path, letter(BOB, **json.loads(target.acceptance))))
        assert answer.status in {400, 401}, answer.body
    await target.refuses(bare(target, f"{target.negotiation}/accept", letter(BOB)), 401, "UNAUTHORIZED")


async def test_what_was_signed_as_something_else_is_no_envelope_and_no_verdict(target: Target) -> None:
    """A hash that is signed as terms, a challenge that is signed for a socket: other texts, so nothing here."""
    members = json.loads(letter(BOB))
    members.pop("sig")
    for signature in (
        BOB.sign(hashlib.sha256(canonical(members)).digest()),  # as the terms of a proposal that looks like an envelope
        BOB.sign_challenge(canonical(members).decode(), audience=target.base),
    ):
        forged = canonical({**members, "sig": signature})
        await target.refuses(bare(target, ENVELOPE, forged), 401, "INVALID_SIGNATURE")


async def test_terms_that_read_as_an_envelope_are_not_agreed_on(target: Target) -> None:
    """Who signs a hash can't see what it is of; the fourth scheme of envelopes would take it for one."""
    members = json.loads(letter(BOB, price=1))
    body = json.dumps({"intent_id": "i", "responder_did": BOB.did, "initial_proposal": members}).encode()

    sent = signed(CAROL, "POST", f"{target.base}/api/negotiations", body)
    assert "envelope" in await target.refuses(sent, 400, "INVALID_PROPOSAL", writes=NONCES)


async def test_the_terms_that_are_signed_are_those_that_are_accepted(target: Target) -> None:
    path = f"{target.base}{target.negotiation}/accept"
    for signature, code in (
        (BOB.sign_terms(target.other["current_proposal"]), "INVALID_SIGNATURE"),
        (CAROL.sign_terms(target.opened["current_proposal"]), "INVALID_SIGNATURE"),
        (ALICE.sign_terms(target.opened["current_proposal"]), "INVALID_SIGNATURE"),
        (BOB.sign(bytes.fromhex(target.opened["terms_hash"])[:31]), "INVALID_SIGNATURE"),
    ):
        body = json.dumps({"terms_hash": target.opened["terms_hash"], "terms_signature": signature}).encode()
        await target.refuses(signed(BOB, "POST", path, body), 401, code, writes=NONCES)


async def test_terms_that_have_changed_are_not_accepted(target: Target) -> None:
    path = f"{target.base}{target.negotiation}/accept"
    for named in ({"terms_hash": target.other["terms_hash"]}, {"round_number": 2}):
        body = json.dumps(named).encode()
        await target.refuses(signed(BOB, "POST", path, body), 409, "PROPOSAL_CHANGED", writes=NONCES)


async def test_what_is_sent_again_does_not_show_that_its_signer_is_alive(target: Target) -> None:
    """Else who has captured a request, or an envelope, could keep a dead agent among those that are drawn."""
    seen, url = target.api.api.broker.take_seen, f"{target.base}/api/agents/register"
    body = b'{"did":"%s","capabilities":[]}' % CAROL.did.encode()
    for sent in (
        signed(CAROL, "POST", url, body),
        signed(CAROL, "POST", url, body).put("Idempotency-Key", "alive"),
        bare(target, ENVELOPE, letter()),
    ):
        seen()
        assert (await target.send(sent)).status == 200
        assert seen() == {CAROL.did}

        await target.refuses(sent, 409, "REPLAY_DETECTED")
        assert seen() == set()


async def test_a_verdict_that_is_sent_again_with_its_key_does_not_either(target: Target) -> None:
    """It is given its first answer without anybody having looked at its signature."""
    seen, said = target.api.api.broker.take_seen, text(spoken(target, CAROL, kind="SAFETY_PASS"), by_did=CAROL.did)
    sent = bare(target, target.attestations, said).put("Idempotency-Key", "safe")
    seen()
    assert (await target.send(sent)).status == 201
    assert seen() == {CAROL.did}

    async with target.untouched():
        assert (await target.send(sent)).status == 201
    assert seen() == set()


async def test_what_is_refused_does_not_show_that_its_signer_is_alive(target: Target) -> None:
    seen = target.api.api.broker.take_seen
    for key in (None, "too-much"):
        sent = signed(CAROL, "POST", f"{target.base}/api/stakes", b'{"amount_atomic":999999999999}')
        seen()
        assert (await target.send(sent.put("Idempotency-Key", key))).status == 402

        assert seen() == set()
