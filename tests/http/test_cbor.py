"""CBOR beside JSON: the same requests, answers and refusals in fewer bytes."""

import json
from collections.abc import AsyncIterator
from uuid import UUID

import cbor2
import httpx
import pytest

from ainp.core import cbor
from ainp.core.signature import read_signature
from support.api import Api, Json, an_api
from support.documented import document
from support.envelopes import an_envelope
from support.signing import a_strict_api, identity, signed_request

ALICE, BOB = identity("alice"), identity("bob")
CBOR = {"content-type": "application/cbor", "accept": "application/cbor"}
ENVELOPES = "/api/discovery/envelope"


@pytest.fixture(scope="module")
async def api(module_database_url: str, anyio_backend: str) -> AsyncIterator[Api]:
    """A broker for all of them, as each has agents of its own."""
    async with an_api(module_database_url) as api:
        yield api


async def post(api: Api, path: str, body: object, **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else cbor2.dumps(body)
    return await api.client.post(path, content=content, headers={**CBOR, **headers})


def said(answer: httpx.Response) -> Json:
    assert answer.headers["content-type"] == "application/cbor"
    assert int(answer.headers["content-length"]) == len(answer.content)
    return cbor2.loads(answer.content)


def numbered(envelope: bytes) -> dict[int, object]:
    """An envelope with numbers for names, and bytes where it has an id and a signature."""
    members = {cbor.NAMES.index(name) + 1: member for name, member in json.loads(envelope).items()}
    return {**members, 3: UUID(str(members[3])).bytes, 15: read_signature(str(members[15]))}


async def test_a_negotiation_goes_in_cbor_as_it_does_in_json(api: Api) -> None:
    client, agent = await api.register(2)
    body = {"intent_id": "i", "initiator_did": client, "responder_did": agent, "initial_proposal": {"price": 0.5}}
    opened = await post(api, "/api/negotiations", body)
    path = f"/api/negotiations/{said(opened)['id']}"
    accepted = await post(api, f"{path}/accept", {"acceptor_did": agent})
    read = await api.client.get(path, headers={"accept": "application/cbor"})

    assert (opened.status_code, accepted.status_code) == (201, 200)
    assert said(read) == said(accepted) == await api.get(path)
    assert said(read)["current_proposal"]["price"] == 0.5


async def test_who_does_not_ask_for_cbor_gets_json(api: Api) -> None:
    answer = await api.client.get("/api/broker", headers={"accept": "*/*"})
    assert answer.headers["content-type"] == "application/json"
    for accept in (
        "application/cbor;q=0.5, application/json",
        "application/cbor;q=0",
        "text/cbor",
        "application/cborx",
    ):
        answer = await api.client.get("/api/broker", headers={"accept": accept})
        assert answer.headers["content-type"] == "application/json", accept
    for accept in ("text/html, application/CBOR, */*;q=0.1", "application/json;q=0.5, application/cbor;q=0.9"):
        answer = await api.client.get("/api/broker", headers={"accept": accept})
        assert said(answer) == await api.get("/api/broker")
        assert answer.headers["vary"] == "Accept"


async def test_a_body_in_cbor_may_be_answered_in_json(api: Api) -> None:
    answer = await post(api, "/api/agents/register", {"did": ALICE.did, "capabilities": []}, accept="application/json")

    assert answer.json()["did"] == ALICE.did


async def test_what_is_no_json_stays_what_it_is(api: Api) -> None:
    for path, kind in (("/metrics", "text/plain"), ("/docs", "text/html")):
        answer = await api.client.get(path, headers=CBOR)
        assert answer.headers["content-type"].startswith(kind)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        pytest.param(b"\xa1", 400, "INVALID_CBOR", id="half a map"),
        pytest.param(b'{"did": "did:key:a"}', 400, "INVALID_CBOR", id="JSON"),
        pytest.param(cbor2.dumps([]), 400, "INVALID_REQUEST", id="a list"),
        pytest.param(cbor2.dumps({"did": 1}), 400, "INVALID_REQUEST", id="another kind of value"),
        pytest.param(cbor2.dumps({"did": "a\0b"}), 400, "INVALID_REQUEST", id="NUL"),
        pytest.param(cbor2.dumps({"did": float("nan")}), 400, "INVALID_CBOR", id="NaN"),
        pytest.param(cbor2.dumps({7: "did:key:a"}), 400, "INVALID_CBOR", id="an envelope's number"),
        pytest.param(bytes(1024 * 1024 + 1), 413, "PAYLOAD_TOO_LARGE", id="too large"),
    ],
)
async def test_a_refusal_is_cbor_too(api: Api, body: bytes, status: int, code: str) -> None:
    answer = await post(api, "/api/agents/register", body)

    assert (answer.status_code, said(answer)["error"]) == (status, code)


async def test_neither_json_nor_cbor_is_refused(api: Api) -> None:
    for kind in ("application/cbor-seq", "text/cbor", "application/octet-stream", "application/x-cbor"):
        answer = await post(api, "/api/agents/register", b"\xa0", **{"content-type": kind})
        assert (answer.status_code, said(answer)["error"]) == (415, "UNSUPPORTED_MEDIA_TYPE")
        assert "application/json or application/cbor" in said(answer)["message"]


async def test_a_key_has_one_answer_in_either_kind(api: Api) -> None:
    (did,) = await api.register(1)
    body = {"agent_did": did, "amount_atomic": "1000"}
    first = await post(api, "/api/stakes", body, **{"idempotency-key": "one"})
    again = await post(api, "/api/stakes", body, **{"idempotency-key": "one", "accept": "application/json"})
    other = await post(api, "/api/stakes", {**body, "amount_atomic": "1"}, **{"idempotency-key": "one"})

    assert again.json() == said(first)
    assert again.headers["idempotency-replayed"] == "true"
    assert (other.status_code, said(other)["error"]) == (409, "IDEMPOTENCY_KEY_REUSED")
    assert said(await post(api, "/api/stakes", body))["locked_atomic"] == "2000"


async def test_an_envelope_goes_with_numbers_for_names(api: Api) -> None:
    answer = await post(api, ENVELOPES, numbered(an_envelope(ALICE)))
    wrapped = await post(api, ENVELOPES, {"envelope": numbered(an_envelope(BOB))})

    assert (answer.status_code, said(answer)) == (200, {"status": "registered", "ttl_minutes": 60})
    assert wrapped.status_code == 200
    assert (await api.get(f"/api/agents/{ALICE.did}"))["did"] == ALICE.did


async def test_an_envelope_counts_once_in_both_kinds_together(api: Api) -> None:
    raw = an_envelope(ALICE)
    first = await post(api, ENVELOPES, numbered(raw))
    again = await api.client.post(ENVELOPES, content=raw, headers={"content-type": "application/json"})

    assert (first.status_code, again.status_code, again.json()["error"]) == (200, 409, "REPLAY_DETECTED")


async def test_a_signature_over_a_text_is_not_one_over_values(database_url: str) -> None:
    """Scheme A signs members in the order of the text that was sent, which CBOR does not have."""
    async with an_api(database_url, signature_schemes="A,B") as api:
        answer = await post(api, ENVELOPES, numbered(an_envelope(ALICE)))
        as_json = await api.client.post(
            ENVELOPES, content=an_envelope(BOB), headers={"content-type": "application/json"}
        )

        assert (answer.status_code, said(answer)["error"]) == (401, "INVALID_SIGNATURE")
        assert as_json.status_code == 200


async def test_a_signed_request_signs_the_bytes_that_were_sent(database_url: str) -> None:
    async with a_strict_api(database_url) as api:
        body = cbor2.dumps({"did": ALICE.did, "capabilities": []})
        request = signed_request(api, ALICE, "POST", "/api/agents/register", body)
        request.headers.update(CBOR)
        answer = await api.api.client.send(request)
        changed = signed_request(api, BOB, "POST", "/api/agents/register", body)
        other = api.api.client.build_request(
            "POST",
            "/api/agents/register",
            content=cbor2.dumps({"did": BOB.did, "capabilities": []}),
            headers={**changed.headers, **CBOR, "content-length": str(len(body))},
        )
        refused = await api.api.client.send(other)

        assert (answer.status_code, said(answer)["did"]) == (200, ALICE.did)
        assert refused.status_code == 401


def test_the_document_promises_it() -> None:
    for path, methods in document()["paths"].items():
        for operation in methods.values():
            contents = [response["content"] for response in operation["responses"].values()]
            contents += [operation["requestBody"]["content"]] if "requestBody" in operation else []
            for content in contents:
                assert ("application/cbor" in content) == ("application/json" in content), path
