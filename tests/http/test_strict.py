"""Strict mode: nobody is believed; who has signed a request is who acts."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from ainp.client.signing import SignedBy
from support.signing import ADMIN_TOKEN, SignedApi, a_strict_api, committee_of, identity, signed_request

ALICE, BOB, CAROL = identity("alice"), identity("bob"), identity("carol")
AUDITORS = [identity(f"auditor {n}") for n in range(5)]


@pytest.fixture
async def api(database_url: str) -> AsyncIterator[SignedApi]:
    async with a_strict_api(database_url) as api:
        await api.register(ALICE, BOB, *AUDITORS)
        yield api


async def test_a_whole_job_is_signed_and_judged(api: SignedApi) -> None:
    settled = await api.settled(ALICE, BOB)
    path = f"/api/receipts/{settled['task_id']}/attestations"
    for member in committee_of(settled, AUDITORS):
        said = member.attest(settled["task_id"], "AUDIT_PASS", score=0.9, confidence=0.9)
        body = {"type": said.type, "score": 0.9, "confidence": 0.9, "signature": said.signature, "by_did": member.did}
        await api.call("POST", path, body, status=201)  # its own signature is enough

    receipt = await api.call("GET", f"/api/receipts/{settled['task_id']}")

    assert receipt["status"] == "finalized"
    assert {a["scheme"] for a in receipt["attestations"]} == {"C"}
    assert {a["key_id"] for a in receipt["attestations"]} == {m.did for m in AUDITORS}


async def test_what_is_not_signed_is_refused(api: SignedApi) -> None:
    opened = await api.initiate(ALICE, BOB)
    path = f"/api/negotiations/{opened['id']}"

    for by in ({}, {"X-AINP-DID": BOB.did}):
        refused = await api.call("POST", f"{path}/accept", {"acceptor_did": BOB.did}, status=401, headers=by)
        assert refused["error"] == "UNAUTHORIZED"
        assert "RFC 9421" in refused["message"]
    assert (await api.call("GET", path, by=ALICE))["state"] == "initiated"


@pytest.mark.parametrize("path", ["", "/transactions"])
async def test_money_is_shown_to_its_owner_and_to_administrators(api: SignedApi, path: str) -> None:
    read = f"/api/credits/{ALICE.did}{path}"

    await api.call("GET", read, status=401)
    assert (await api.call("GET", read, by=BOB, status=403))["error"] == "FORBIDDEN"
    mine = await api.call("GET", read, by=ALICE)
    assert mine == await api.call("GET", read, headers={"Authorization": f"Bearer {ADMIN_TOKEN}"})


async def test_a_negotiation_is_shown_to_its_parties(api: SignedApi) -> None:
    opened = await api.initiate(ALICE, BOB)
    path = f"/api/negotiations/{opened['id']}"

    await api.call("GET", path, status=401)
    await api.call("GET", path, by=AUDITORS[0], status=403)
    assert (await api.call("GET", path, by=BOB))["id"] == opened["id"]
    await api.call("GET", f"/api/negotiations?agent_did={ALICE.did}", by=BOB, status=403)
    assert len(await api.call("GET", f"/api/negotiations?agent_did={ALICE.did}", by=ALICE)) == 1


@pytest.mark.parametrize("named", ["the body", "X-AINP-DID"])
async def test_naming_somebody_else_is_forbidden(api: SignedApi, named: str) -> None:
    body = {"intent_id": "i", "responder_did": BOB.did, "initial_proposal": {"price": 1}}
    headers = {"X-AINP-DID": CAROL.did} if named == "X-AINP-DID" else {}
    by_body = {"initiator_did": CAROL.did} if named == "the body" else {}

    refused = await api.call("POST", "/api/negotiations", body | by_body, by=ALICE, headers=headers, status=403)

    assert refused["error"] == "FORBIDDEN"
    assert refused["message"].startswith(named)


async def test_a_signed_request_counts_once(api: SignedApi) -> None:
    body = b'{"intent_id":"i","responder_did":"%s","initial_proposal":{"price":1}}' % BOB.did.encode()
    request = signed_request(api, ALICE, "POST", "/api/negotiations", body)
    client = api.api.client

    first = await client.send(request)
    again = await client.send(request)

    assert (first.status_code, again.status_code) == (201, 409)
    assert again.json()["error"] == "REPLAY_DETECTED"
    assert len(await api.call("GET", f"/api/negotiations?agent_did={ALICE.did}", by=ALICE)) == 1


async def test_of_twenty_at_once_one_counts(api: SignedApi) -> None:
    body = b'{"intent_id":"i","responder_did":"%s","initial_proposal":{"price":1}}' % BOB.did.encode()
    request = signed_request(api, ALICE, "POST", "/api/negotiations", body)
    others = [signed_request(api, ALICE, "POST", "/api/negotiations", body) for _ in range(10)]

    answers = await asyncio.gather(*[api.api.client.send(r) for r in [*[request] * 20, *others]])

    statuses = [answer.status_code for answer in answers]
    assert sorted(statuses[:20]) == [201, *[409] * 19]
    assert statuses[20:] == [201] * 10  # those who shared a statement with a replay are none the worse for it
    assert len(await api.call("GET", f"/api/negotiations?agent_did={ALICE.did}", by=ALICE)) == 11


async def test_a_refused_request_was_used_too(api: SignedApi) -> None:
    opened = await api.initiate(ALICE, BOB)
    await api.call("POST", f"/api/negotiations/{opened['id']}/accept", {"round_number": 1}, by=BOB)
    # Too early for nobody: who cancels is the responder, so the client is refused, and can't be made to by a replay.
    request = signed_request(api, ALICE, "POST", f"/api/negotiations/{opened['id']}/cancel", b"{}")

    assert (await api.api.client.send(request)).status_code == 403
    assert (await api.api.client.send(request)).json()["error"] == "REPLAY_DETECTED"


async def test_with_an_idempotency_key_it_counts_once_too(api: SignedApi) -> None:
    body = b'{"intent_id":"i","responder_did":"%s","initial_proposal":{"price":1}}' % BOB.did.encode()
    request = signed_request(api, ALICE, "POST", "/api/negotiations", body)
    request.headers["Idempotency-Key"] = "k"
    first = await api.api.client.send(request)

    replayed = await api.api.client.send(request)
    anew = signed_request(api, ALICE, "POST", "/api/negotiations", body)
    anew.headers["Idempotency-Key"] = "k"
    repeated = await api.api.client.send(anew)

    assert replayed.json()["error"] == "REPLAY_DETECTED"
    assert (repeated.status_code, repeated.content) == (201, first.content)
    assert repeated.headers["idempotency-replayed"] == "true"


async def test_registering_another_is_forbidden(api: SignedApi) -> None:
    body = {"address": {"did": ALICE.did, "capabilities": []}}

    await api.call("POST", "/api/agents/register", body, status=401)
    await api.call("POST", "/api/agents/register", body, by=BOB, status=403)


async def test_a_did_web_without_a_document_is_nobody(api: SignedApi) -> None:
    request = signed_request(api, ALICE, "POST", "/api/negotiations", b"{}")
    given = request.headers["signature-input"].replace(ALICE.did, "did:web:nobody.example")
    request.headers["signature-input"] = given

    refused = await api.api.client.send(request)

    assert (refused.status_code, refused.json()["error"]) == (401, "SIGNATURE_VERIFICATION_ERROR")


async def test_accepting_says_what_is_accepted(api: SignedApi) -> None:
    opened = await api.initiate(ALICE, BOB)

    refused = await api.call("POST", f"/api/negotiations/{opened['id']}/accept", {}, by=BOB, status=400)

    assert "terms_hash or round_number" in refused["message"]


async def test_a_verdict_is_signed_and_has_a_score_and_a_confidence(api: SignedApi) -> None:
    settled = await api.settled(ALICE, BOB)
    member = committee_of(settled, AUDITORS)[0]
    path = f"/api/receipts/{settled['task_id']}/attestations"

    unsigned = await api.call(
        "POST", path, {"type": "AUDIT_PASS", "score": 0.9, "confidence": 1}, by=member, status=401
    )
    said = member.attest(settled["task_id"], "AUDIT_PASS", score=0.9)
    bare = {"type": "AUDIT_PASS", "score": 0.9, "signature": said.signature, "by_did": member.did}
    scoreless = await api.call("POST", path, bare, status=400)
    others = {**bare, "confidence": 1, "by_did": AUDITORS[0].did if member != AUDITORS[0] else AUDITORS[1].did}
    forged = await api.call("POST", path, others, status=401)

    assert "signature of its own" in unsigned["message"]
    assert "a score and a confidence" in scoreless["message"]
    assert forged["error"] == "INVALID_SIGNATURE"


async def test_a_page_of_another_origin_is_refused(api: SignedApi) -> None:
    for origin, status in (("https://evil.example", 403), ("null", 403), ("http://127.0.0.1:8080", 200)):
        await api.call("GET", f"/api/agents/{ALICE.did}", headers={"Origin": origin}, status=status)


async def test_a_header_that_a_proxy_could_take_for_ours_is_refused(api: SignedApi) -> None:
    refused = await api.call("GET", f"/api/agents/{ALICE.did}", headers={"X_AINP_DID": BOB.did}, status=403)

    assert refused["error"] == "UNTRUSTED_REQUEST"


async def test_the_address_is_the_brokers_own_and_not_what_host_says(database_url: str) -> None:
    async with a_strict_api(database_url, public_base_url="https://broker.example") as api:
        body = b'{"address":{"did":"%s","capabilities":[]}}' % ALICE.did.encode()
        elsewhere = httpx.Request("POST", "https://other.example/api/agents/register", content=body)
        here = httpx.Request("POST", "https://broker.example/api/agents/register", content=body)
        answers = []
        for request in (elsewhere, here):
            signed = next(SignedBy(ALICE).auth_flow(request))
            # However it gets here, what was signed for another broker is not for this one.
            headers = {**signed.headers, "host": request.url.host, "content-type": "application/json"}
            answers.append(await api.api.client.post("/api/agents/register", content=body, headers=headers))

    assert [a.status_code for a in answers] == [401, 200]
