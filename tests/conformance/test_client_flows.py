"""The scripts of existing clients, call by call, reading the members that they read."""

from typing import Any

from support.api import Api, an_api
from support.builders import an_agent

Json = Any


async def call(api: Api, method: str, path: str, body: Json = None, *, did: str | None = None) -> Json:
    """As the scripts call: no check of the status, the body is read whatever it is."""
    headers = {} if did is None else {"x-ainp-did": did}
    response = await api.client.request(method, path, json=body, headers=headers)
    return response.json()


async def registered(api: Api, name: str) -> str:
    did = an_agent(name)
    address = {"did": did, "capabilities": [{"description": name, "embedding": "", "tags": [], "version": "1.0.0"}]}
    told = await call(api, "POST", "/api/agents/register", {"address": address, "ttl": 3600})
    assert told["agent"]["did"] == did
    return did


async def opened(api: Api, client: str, agent: str) -> Json:
    body = {
        "intent_id": "test-intent-1",
        "initiator_did": client,
        "responder_did": agent,
        "initial_proposal": {"price": 100, "delivery_time": 5000, "quality_sla": 0.95},
        "max_rounds": 5,
        "ttl_minutes": 60,
    }
    return await call(api, "POST", "/api/negotiations", body)


async def test_e2e(database_url: str) -> None:
    """Unsigned, settles with the header, reads the receipt at the top level and `q` of the reputation."""
    async with an_api(database_url) as api:
        client, agent = await registered(api, "client"), await registered(api, "agent")
        auditors = [await registered(api, f"auditor {n}") for n in range(6)]
        negotiation = await opened(api, client, agent)
        proposed = await call(
            api, "POST", f"/api/negotiations/{negotiation['id']}/propose",
            {"proposer_did": agent, "proposal": {"price": 110, "delivery_time": 5000}},
        )  # fmt: skip
        accepted = await call(
            api, "POST", f"/api/negotiations/{negotiation['id']}/accept", {"acceptor_did": client}
        )  # fmt: skip
        settled = await call(api, "POST", f"/api/negotiations/{negotiation['id']}/settle", {}, did=client)
        receipt = await call(api, "GET", f"/api/receipts/{settled['task_id']}")

        assert (negotiation["state"], proposed["state"], accepted["state"]) == ("initiated", "proposed", "accepted")
        assert settled["success"] is True
        assert (receipt["status"], receipt["id"], receipt["k"]) == ("pending", settled["task_id"], 3)
        assert receipt["negotiation_id"] == negotiation["id"]
        assert len(receipt["committee"]) == 5
        assert set(receipt["committee"]) <= set(auditors)

        path = f"/api/receipts/{receipt['id']}/attestations"
        said = {"type": "ACCEPTED", "score": 0.95, "confidence": 0.98}
        assert (await call(api, "POST", path, said, did=client))["ok"] is True
        for member in receipt["committee"][:3]:
            said = {"type": "AUDIT_PASS", "score": 0.9, "confidence": 0.95}
            assert (await call(api, "POST", path, said, did=member))["ok"] is True
        finalized = await call(api, "POST", f"/api/receipts/{receipt['id']}/finalize")

        assert (finalized["ok"], finalized["status"]) == (True, "finalized")
        assert (await call(api, "GET", f"/api/receipts/{receipt['id']}"))["status"] == "finalized"
        reputation = await call(api, "GET", f"/api/reputation/{agent}")
        assert isinstance(reputation["q"], float)
        assert isinstance(reputation["reputation"]["q"], float)


async def test_simple(database_url: str) -> None:
    """The responder accepts the first proposal at once."""
    async with an_api(database_url) as api:
        client, agent = await registered(api, "client"), await registered(api, "agent")
        negotiation = await opened(api, client, agent)

        accepted = await call(api, "POST", f"/api/negotiations/{negotiation['id']}/accept", {"acceptor_did": agent})
        settled = await call(
            api, "POST", f"/api/negotiations/{negotiation['id']}/settle", {"validator_did": client}, did=client
        )

        assert accepted["state"] == "accepted"
        assert accepted["current_proposal"]["custom_terms"]["reserved_credits"] == "100000"
        assert (settled["success"], settled["negotiation_id"]) == (True, negotiation["id"])
        assert settled["validator_did"] is None
        assert settled["note"]


async def test_final(database_url: str) -> None:
    """Reads the receipt under `receipt`, and finalizes by hand."""
    async with an_api(database_url, pou_finalizer_enabled=False) as api:
        client, agent, *_ = [await registered(api, f"agent {n}") for n in range(8)]
        negotiation = await opened(api, client, agent)
        await call(api, "POST", f"/api/negotiations/{negotiation['id']}/accept", {"acceptor_did": agent})
        settled = await call(api, "POST", f"/api/negotiations/{negotiation['id']}/settle", {}, did=client)
        shown = await call(api, "GET", f"/api/receipts/{settled['receipt']['id']}")
        committee = (await call(api, "GET", f"/api/receipts/{shown['receipt']['id']}/committee"))["committee"]
        path = f"/api/receipts/{shown['receipt']['id']}"
        await call(api, "POST", f"{path}/attestations", {"type": "ACCEPTED", "by_did": client})
        early = await call(api, "POST", f"{path}/finalize")
        for member in committee[:3]:
            await call(api, "POST", f"{path}/attestations", {"type": "AUDIT_PASS", "by_did": member})

        late = await call(api, "POST", f"{path}/finalize")

        assert (early["error"], early["needed"], early["have"]) == ("QUORUM_NOT_MET", 3, 0)
        assert late["ok"] is True
        final = await call(api, "GET", path)
        assert final["receipt"]["status"] == "finalized"
        assert final["receipt"]["finalized_at"] == late["finalized_at"]
        assert len(final["attestations"]) == 4


async def test_flow(database_url: str) -> None:
    """An intent that is no UUID; a negotiation without a first proposal is refused by name; reads `task_receipt_id`."""
    async with an_api(database_url) as api:
        client, agent, *_ = [await registered(api, f"agent {n}") for n in range(8)]
        body = {"intent_id": "intent_17", "initiator_did": client, "responder_did": agent}

        refused = await call(api, "POST", "/api/negotiations", body, did=client)
        negotiation = await call(api, "POST", "/api/negotiations", {**body, "initial_proposal": {"price": 10}})
        await call(api, "POST", f"/api/negotiations/{negotiation['id']}/accept", {"acceptor_did": agent})
        settled = await call(api, "POST", f"/api/negotiations/{negotiation['id']}/settle", {}, did=client)
        receipt = await call(api, "GET", f"/api/receipts/{settled['task_receipt_id']}")
        found = await call(api, "GET", f"/api/receipts?negotiation_id={negotiation['id']}")

        assert refused == {"error": "INVALID_REQUEST", "message": "Missing required fields: initial_proposal"}
        assert receipt["intent_id"] == "intent_17"
        assert receipt["negotiation_id"] == negotiation["id"]
        assert [r["id"] for r in found["receipts"]] == [settled["task_receipt_id"]]


async def test_direct(database_url: str) -> None:
    """Writes a receipt by SQL with few columns and drives it over HTTP."""
    async with an_api(database_url) as api:
        client, agent, *_ = [await registered(api, f"agent {n}") for n in range(8)]
        insert = """INSERT INTO task_receipts (agent_did, client_did, intent_type, metrics, amount_atomic, status, k, m)
                    VALUES ($1, $2, 'TEST', '{"latency_ms": 1200}', 100000, 'pending', 3, 5) RETURNING id"""
        task_id = await api.broker.database.fetchval(insert, agent, client)

        receipt = await call(api, "GET", f"/api/receipts/{task_id}")
        said = await call(api, "POST", f"/api/receipts/{task_id}/attestations", {"type": "ACCEPTED"}, did=client)
        finalized = await call(api, "POST", f"/api/receipts/{task_id}/finalize")

        assert (receipt["status"], receipt["k"], receipt["m"], receipt["committee"]) == ("pending", 3, 5, [])
        assert receipt["metrics"] == {"latency_ms": 1200}
        assert said["ok"] is True
        assert finalized["error"] == "QUORUM_NOT_MET"  # nobody audits a receipt without a committee
