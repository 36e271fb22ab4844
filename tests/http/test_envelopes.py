"""Envelopes over HTTP: who has signed one is who acts, once, whatever else the request says."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from httpx import Response

from ainp.core.did import AgentDid
from support.api import an_api
from support.documents import Names, a_document_server
from support.envelopes import an_address, an_envelope
from support.signing import SignedApi, a_strict_api, identity

ALICE, BOB = identity("alice"), identity("bob")
PATH = "/api/discovery/envelope"


@pytest.fixture
async def api(database_url: str) -> AsyncIterator[SignedApi]:
    async with a_strict_api(database_url) as api:
        yield api


async def send(api: SignedApi, raw: bytes, **headers: str) -> Response:
    return await api.api.client.post(PATH, content=raw, headers={"Content-Type": "application/json", **headers})


async def refused(api: SignedApi, raw: bytes, status: int, code: str, **headers: str) -> str:
    answer = await send(api, raw, **headers)
    assert (answer.status_code, answer.json()["error"]) == (status, code), answer.text
    return str(answer.json()["message"])


async def test_an_advertisement_registers_its_sender(api: SignedApi) -> None:
    answer = await send(api, an_envelope(ALICE))

    assert (answer.status_code, answer.json()) == (200, {"status": "registered", "ttl_minutes": 60})
    agent = await api.call("GET", f"/api/agents/{ALICE.did}")
    assert [c["description"] for c in agent["capabilities"]] == ["Answer questions"]
    assert (await api.call("GET", f"/api/credits/{ALICE.did}", by=ALICE))["balance"] == "1000000"


async def test_a_wrapped_one_does_too(api: SignedApi) -> None:
    assert (await send(api, b'{"envelope":' + an_envelope(ALICE) + b"}")).status_code == 200


@pytest.mark.parametrize(("ttl", "minutes"), [(86_400_000, 1440), (..., 1), (90_000, 1.5)])
async def test_without_an_address_it_holds_as_long_as_its_envelope(api: SignedApi, ttl: object, minutes: float) -> None:
    payload = {"capabilities": [{"description": "Sort"}, "Count"], "trust": {}, "credentials": []}

    answer = await send(api, an_envelope(ALICE, payload=payload, ttl=ttl))

    assert answer.json() == {"status": "registered", "ttl_minutes": minutes}


async def test_an_envelope_counts_once_however_it_is_sent(api: SignedApi) -> None:
    raw = an_envelope(ALICE)
    again = json.dumps(json.loads(raw), indent=1).encode()

    answers = await asyncio.gather(*[send(api, sent) for sent in [raw, again, b'{"envelope":' + raw + b"}"] * 3])

    assert sorted(answer.status_code for answer in answers) == [200, *[409] * 8]
    await refused(api, raw, 409, "REPLAY_DETECTED")
    await refused(api, an_envelope(ALICE, id=json.loads(raw)["id"]), 409, "REPLAY_DETECTED")
    assert (await send(api, an_envelope(BOB, id=json.loads(raw)["id"]))).status_code == 200  # an id is its sender's


async def test_a_refused_envelope_was_used_too(api: SignedApi) -> None:
    raw = an_envelope(ALICE, msg_type="RESULT")

    assert "expected ADVERTISE or DISCOVER" in await refused(api, raw, 400, "UNSUPPORTED_MSG_TYPE")
    await refused(api, raw, 409, "REPLAY_DETECTED")


async def test_nobody_advertises_for_another(api: SignedApi) -> None:
    """DEF-05: the address in the payload, the sender of the envelope and who signs a request are one."""
    await api.register(BOB)
    about_bob = {"address": an_address(BOB.did)}

    await refused(api, an_envelope(ALICE, payload=about_bob), 403, "FORBIDDEN")
    await refused(api, an_envelope(ALICE, did=BOB.did), 401, "INVALID_SIGNATURE")
    await api.call("POST", PATH, json.loads(an_envelope(ALICE)), by=BOB, status=403)
    assert (await api.call("GET", f"/api/agents/{BOB.did}"))["capabilities"] == []
    await api.call("GET", f"/api/agents/{ALICE.did}", status=404)


def wrong() -> dict[str, tuple[bytes, int, str]]:
    """Made when it is asked for, as time goes on."""
    return {
        "no body": (b"", 400, "INVALID_JSON"),
        "no JSON": (b"<envelope/>", 400, "INVALID_JSON"),
        "no object": (b"[]", 400, "INVALID_ENVELOPE"),
        "no envelope": (b"{}", 400, "INVALID_ENVELOPE"),
        "a member twice": (b'{"id":"1","id":"2"}', 400, "INVALID_ENVELOPE"),
        "too deep": (b'{"a":' + b"[" * 100 + b"]" * 100 + b"}", 400, "INVALID_ENVELOPE"),
        "much too deep": (b"[" * 500_000, 400, "INVALID_ENVELOPE"),
        "too large": (b'{"a":"' + b"x" * 1024 * 1024 + b'"}', 413, "PAYLOAD_TOO_LARGE"),
        "another version": (an_envelope(ALICE, version="0.2.0"), 400, "UNSUPPORTED_VERSION"),
        "of long ago": (an_envelope(ALICE, timestamp=1760000000000), 400, "INVALID_TIMESTAMP"),
        "expired": (an_envelope(ALICE, ttl=0), 400, "ENVELOPE_EXPIRED"),
        "unsigned": (an_envelope(ALICE).replace(b'"sig":"', b'"x":"'), 400, "INVALID_ENVELOPE"),
        "changed": (an_envelope(ALICE).replace(b'"tags":["ainp"]', b'"tags":["aimp"]'), 401, "INVALID_SIGNATURE"),
        "with a dummy": (
            b'{"sig":"dummy-sig",' + an_envelope(ALICE)[1:].replace(b'"sig":', b'"x":'),
            401,
            "INVALID_SIGNATURE",
        ),
        "of no key": (
            an_envelope(ALICE, did=AgentDid("did:key:z6Mk6a2200b0dca0e84e00affae62981db7f")),
            401,
            "SIGNATURE_VERIFICATION_ERROR",
        ),
        "of this machine": (an_envelope(ALICE, did=AgentDid("did:web:localhost")), 401, "SIGNATURE_VERIFICATION_ERROR"),
        "of a stranger's web": (
            an_envelope(ALICE, did=AgentDid("did:web:a.example"), msg_type="INTENT"),
            401,
            "SIGNATURE_VERIFICATION_ERROR",
        ),
        "without an address": (an_envelope(ALICE, payload={}), 400, "INVALID_ADVERTISE_PAYLOAD"),
        "with a number as address": (an_envelope(ALICE, payload={"address": 1}), 400, "INVALID_ADVERTISE_PAYLOAD"),
        "for no time": (an_envelope(ALICE, payload={"capabilities": [], "ttl_minutes": 0}), 400, "INVALID_REQUEST"),
        "with a capability twice": (an_envelope(ALICE, payload={"capabilities": ["a", "a"]}), 400, "INVALID_REQUEST"),
    }


async def test_what_is_wrong_is_said_and_leaves_nothing(api: SignedApi) -> None:
    for case, (raw, status, code) in wrong().items():
        answer = await send(api, raw)

        found = (answer.status_code, answer.json()["error"])
        assert found == (status, code), f"{case}: {answer.text}"
    await api.call("GET", f"/api/agents/{ALICE.did}", status=404)


async def test_a_did_web_signs_with_any_key_of_its_document(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Names(monkeypatch)
    async with a_document_server(tmp_path) as server:
        did = server.did("alice")
        keys = [
            {
                "id": f"#{key}",
                "type": "Multikey",
                "controller": did,
                "publicKeyMultibase": by.did.removeprefix("did:key:"),
            }
            for key, by in enumerate((BOB, ALICE))
        ]
        server.publish(did, authentication=keys)
        settings = {
            "did_web_ca_file": server.ca_file,
            "did_web_allow_private": True,
            "did_web_allowlist": "agent.test",
        }
        async with a_strict_api(database_url, **settings) as api:
            assert (await send(api, an_envelope(ALICE, did=did))).status_code == 200
            await refused(api, an_envelope(identity("carol"), did=did), 401, "INVALID_SIGNATURE")
            await api.call("GET", f"/api/agents/{did.replace('%', '%25')}")
    assert server.connections == 1


async def test_with_d_switched_on_and_a_switched_off_a_is_refused(database_url: str) -> None:
    async with a_strict_api(database_url, signature_schemes="D") as api:
        await refused(api, an_envelope(ALICE), 401, "INVALID_SIGNATURE")


async def test_in_compat_mode_an_envelope_is_verified_too(database_url: str) -> None:
    async with an_api(database_url) as compat:
        api = SignedApi(compat)
        forged = an_envelope(BOB, did=ALICE.did)

        await refused(api, forged, 401, "INVALID_SIGNATURE", **{"X-AINP-DID": ALICE.did})
        assert (await send(api, an_envelope(ALICE))).status_code == 200
