"""An agent with a did:web: it registers, negotiates and audits with the keys in its document."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest
from nacl.signing import SigningKey

from ainp.adapters.did_web import DidWeb
from ainp.client.identity import Identity
from ainp.core.did import AgentDid
from support.documents import DocumentServer, Names, a_document_server
from support.signing import SignedApi, a_strict_api, identity

ALICE, BOB = identity("alice"), identity("bob")
SIGNS, VOUCHES, OLD = (SigningKey(bytes([n]) * 32) for n in (7, 8, 9))


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[DocumentServer]:
    async with a_document_server(tmp_path) as server:
        yield server


def settings_of(server: DocumentServer) -> dict[str, object]:
    return {
        "did_web_ca_file": server.ca_file,
        "did_web_allow_private": True,
        "did_web_allowlist": server.did().split(":")[2].partition("%")[0],
    }


@pytest.fixture
async def api(database_url: str, server: DocumentServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SignedApi]:
    Names(monkeypatch)
    async with a_strict_api(database_url, pou_m=1, pou_k=1, **settings_of(server)) as api:
        await api.register(ALICE, BOB)
        yield api


def web_agent(did: AgentDid, key: SigningKey, name: str) -> Identity:
    return Identity(key, did=did, key_id=f"{did}#{name}")


def document(did: AgentDid) -> dict[str, object]:
    """Two keys for two purposes."""

    def method(name: str, key: SigningKey) -> dict[str, str]:
        multibase = Identity(key).did.removeprefix("did:key:")
        return {"id": f"#{name}", "type": "Multikey", "controller": did, "publicKeyMultibase": multibase}

    return {
        "verificationMethod": [method("signs", SIGNS), method("vouches", VOUCHES)],
        "authentication": ["#signs"],
        "assertionMethod": ["#vouches"],
    }


async def test_an_agent_of_a_domain_takes_part_and_vouches_with_the_key_that_is_for_it(
    api: SignedApi, server: DocumentServer
) -> None:
    did = server.did("auditor")
    server.publish(did, **document(did))
    signs, vouches = web_agent(did, SIGNS, "signs"), web_agent(did, VOUCHES, "vouches")
    await api.register(signs)
    settled = await api.settled(ALICE, BOB)
    assert settled["receipt"]["committee"] == [did]
    path = f"/api/receipts/{settled['task_id']}/attestations"

    for by, status in ((signs, 401), (web_agent(did, OLD, "old"), 401), (vouches, 201)):
        said = by.attest(settled["task_id"], "AUDIT_PASS", score=0.9, confidence=0.9)
        body = {"type": said.type, "score": 0.9, "confidence": 0.9, "signature": said.signature, "by_did": did}
        await api.call("POST", path, body, status=status)
    receipt = await api.call("GET", f"/api/receipts/{settled['task_id']}")

    assert receipt["status"] == "finalized"
    kept = receipt["attestations"][0]
    assert (kept["key_id"], kept["public_key"]) == (f"{did}#vouches", bytes(VOUCHES.verify_key).hex())


async def test_a_key_that_is_for_vouching_signs_no_requests(api: SignedApi, server: DocumentServer) -> None:
    did = server.did("auditor")
    server.publish(did, **document(did))
    body = {"address": {"did": did, "capabilities": []}}

    refused = await api.call("POST", "/api/agents/register", body, by=web_agent(did, VOUCHES, "vouches"), status=401)

    assert refused["error"] == "SIGNATURE_VERIFICATION_ERROR"


async def test_who_waits_for_a_slow_domain_holds_no_connection_of_the_database(
    database_url: str, server: DocumentServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a few such agents would stop everybody."""
    Names(monkeypatch)
    did = server.did("slow")
    server.publish(did, **document(did))
    asked, over = asyncio.Event(), asyncio.Event()

    async def slow(_: asyncio.StreamWriter) -> None:
        asked.set()
        await over.wait()

    async with a_strict_api(database_url, **settings_of(server)) as api:
        await api.register(ALICE, BOB, web_agent(did, SIGNS, "signs"))
        settled = await api.settled(ALICE, BOB)
        cast("DidWeb", api.api.broker.keys._documents)._known.clear()  # as ten minutes later
        server.answers["/slow/did.json"] = slow
        said = {"type": "AUDIT_PASS", "score": 0.9, "confidence": 0.9, "by_did": did, "signature": "A" * 88}
        path, key = f"/api/receipts/{settled['task_id']}/attestations", {"Idempotency-Key": "1"}
        waiting = asyncio.create_task(api.call("POST", path, said, status=401, headers=key))
        await asked.wait()

        pool = api.api.broker.database.pool
        assert pool is not None
        assert pool.in_use == 0
        over.set()
        await waiting
