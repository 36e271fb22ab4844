"""Limits in strict mode: only what is proven is counted for a DID."""

import asyncio
from typing import Any

import pytest

from support.envelopes import an_envelope
from support.signing import a_strict_api, identity, signed_request

DISCOVER: dict[str, Any] = {"msg_type": "DISCOVER", "payload": {"query": {"description": "translates"}}}
QUERY: dict[str, Any] = {
    "msg_type": "INTENT",
    "to_query": {"description": "translates"},
    "payload": {"@type": "Ask", "semantics": {}},
}


async def test_in_strict_mode_only_who_has_signed_is_counted_and_a_signature_is_not_used_up(database_url: str) -> None:
    alice = identity("alice")
    async with a_strict_api(database_url, rate_limit_enabled=True, rate_limit_max=2, rate_limit_window_ms=1000) as api:
        await api.register(alice)
        path = f"/api/credits/{alice.did}"
        for _ in range(3):
            refused = await api.api.client.get(path, headers={"X-AINP-DID": alice.did})
            assert refused.status_code == 401
            assert "by-did" not in refused.headers["ratelimit"]
        request = signed_request(api, alice, "POST", "/api/agents/register", b"{}")
        while (answer := await api.api.client.send(request)).status_code == 429:  # noqa: ASYNC110 - told how long
            await asyncio.sleep(answer.json()["retry_after_ms"] / 1000)

        assert answer.status_code == 400
        assert (await api.api.client.send(request)).status_code in (409, 429)


async def test_an_attestation_that_is_not_proven_yet_uses_up_nothing_of_whom_it_names(database_url: str) -> None:
    async with a_strict_api(database_url, rate_limit_enabled=True, rate_limit_max=2) as api:
        path = "/api/receipts/0193a2b4-0000-7000-8000-000000000000/attestations"
        body = {"type": "AUDIT_PASS", "by_did": identity("alice").did, "signature": "AAAA", "score": 1, "confidence": 1}
        for _ in range(4):
            answer = await api.api.client.post(path, json=body)
            assert answer.status_code != 429
            assert "by-did" not in answer.headers["ratelimit"]


async def test_who_has_signed_an_envelope_is_counted(database_url: str) -> None:
    async with a_strict_api(database_url, rate_limit_enabled=True, rate_limit_max=20) as api:
        answers = [
            await api.api.client.post(
                "/api/discovery/envelope",
                content=an_envelope(identity(name)),
                headers={"Content-Type": "application/json"},
            )
            for name in ("alice", "alice", "alice", "bob")
        ]

        assert [answer.status_code for answer in answers] == [200, 200, 429, 200]
        assert "discovery-by-did" in answers[-1].headers["ratelimit"]


async def test_what_is_sent_again_uses_up_nothing_of_who_has_signed_it(database_url: str) -> None:
    """An envelope's receiver has it, and could keep its sender from being heard."""
    alice, headers = identity("alice"), {"Content-Type": "application/json"}
    async with a_strict_api(database_url, rate_limit_enabled=True, rate_limit_max=20) as api:
        first, second = an_envelope(alice), an_envelope(alice)
        kinds = [first, *[first] * 5, second, an_envelope(alice)]
        answers = [await api.api.client.post("/api/discovery/envelope", content=raw, headers=headers) for raw in kinds]

        assert [answer.status_code for answer in answers] == [200, *[409] * 5, 200, 429]


@pytest.mark.parametrize(
    "members", [{"msg_type": "ADVERTISE"}, DISCOVER, QUERY], ids=["ADVERTISE", "DISCOVER", "query"]
)
async def test_a_search_is_one_whichever_way_it_comes(database_url: str, members: dict[str, Any]) -> None:
    """Else ten times as many could be made as messages as where agents are found."""
    alice, headers = identity("alice"), {"Content-Type": "application/json"}
    async with a_strict_api(database_url, rate_limit_enabled=True, rate_limit_max=20) as api:
        await api.register(alice)
        answers = []
        for path in (*["/api/intents/send"] * 3, "/api/discovery/envelope"):
            raw = an_envelope(alice, **members)
            answers.append(await api.api.client.post(path, content=raw, headers=headers))
        bob = await api.api.client.post("/api/intents/send", content=an_envelope(identity("bob")), headers=headers)

        assert [answer.status_code == 429 for answer in answers] == [False, False, True, True]
        assert "discovery-by-did" in answers[2].headers["ratelimit"]
        assert answers[2].json()["error"] == "RATE_LIMIT_EXCEEDED"
        assert bob.status_code == 200
