"""Defects of the known implementation in who is believed and what is answered, each by its number."""

import base64

import pytest

from support.api import an_api


async def test_def_01_the_body_does_not_override_whom_a_proxy_has_authenticated(database_url: str) -> None:
    async with an_api(database_url, ainp_proxy_secret="between proxy and broker") as api:
        proven = {"X-AINP-Proxy-Secret": "between proxy and broker", "X-AINP-DID": "did:key:zProven"}
        offer = {
            "intent_id": "i",
            "initiator_did": "did:key:zSomebodyElse",
            "responder_did": "did:key:zWorker",
            "initial_proposal": {"price": 1},
        }

        refused = await api.call("POST", "/api/negotiations", offer, status=403, headers=proven)
        unproven = await api.call("POST", "/api/negotiations", offer, by="did:key:zProven", status=403)

        assert (refused["error"], unproven["error"]) == ("FORBIDDEN", "UNTRUSTED_REQUEST")


@pytest.mark.parametrize("shown", [None, "Bearer ", "Bearer secre", "Bearer secret2", "secret", "Bearer s\u00e9cret"])
async def test_def_12_only_the_whole_admin_token_is_taken(database_url: str, shown: str | None) -> None:
    async with an_api(database_url, admin_token="secret") as api:
        (agent,) = await api.register(1)
        body = {"agent_did": agent, "amount": 5}
        headers = [] if shown is None else [(b"authorization", shown.encode("latin-1"))]

        response = await api.client.post("/api/credits/deposit", json=body, headers=headers)

        assert (response.status_code, response.json()["error"]) == (403, "FORBIDDEN")
        right = await api.call("POST", "/api/credits/deposit", body, headers={"Authorization": "Bearer secret"})
        assert right["new_balance"] == "1000005"


async def test_def_73_numbers_are_numbers_and_an_embedding_is_no_database_text(database_url: str) -> None:
    async with an_api(database_url) as api:
        (did,) = await api.register(1)
        address = {"did": did, "capabilities": [{"description": "reads receipts"}]}
        await api.call("POST", "/api/agents/register", {"address": address})

        agent = await api.get(f"/api/agents/{did}?embeddings=true")

        assert isinstance(agent["trust"]["score"], float)
        assert {type(value) for value in agent["trust"]["dimensions"].values()} == {float}
        assert isinstance(agent["usefulness_score_cached"], float)
        embedding = base64.b64decode(agent["capabilities"][0]["embedding"], validate=True)
        assert len(embedding) == 256 * 4  # float32, of the local model


async def test_def_97_the_receipt_a_script_reads_is_that_of_its_own_negotiation(database_url: str) -> None:
    async with an_api(database_url) as api:
        client, agent, *_ = await api.register(7)
        await api.settled(client, agent)

        settled = await api.settled(client, agent)

        receipt = await api.get(f"/api/receipts/{settled['task_receipt_id']}")
        assert receipt["negotiation_id"] == receipt["receipt"]["negotiation_id"] == settled["negotiation_id"]
        listed = await api.get(f"/api/receipts?negotiation_id={settled['negotiation_id']}")
        assert [one["id"] for one in listed["receipts"]] == [settled["task_receipt_id"]]
