"""Proofs of usefulness over HTTP: kept once, scored, added up, shown."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from support import useful
from support.api import Api, an_api
from support.clock import let_pass
from support.signing import a_strict_api, identity

Json = dict[str, Any]


@pytest.fixture
async def api(database_url: str) -> AsyncIterator[Api]:
    async with an_api(database_url) as api:
        yield api


async def submit(api: Api, by: str, trace: str = "t", *, status: int = 201, **changes: object) -> Json:
    now = (await api.broker.database.clock()).timestamp() * 1000
    body = {"work_type": "compute", "metrics": {"compute_ms": 5000}, "trace_id": trace, "timestamp": now, **changes}
    said = {name: value for name, value in body.items() if value is not ...}
    answer: Json = await api.call("POST", "/api/usefulness/proofs", said, by=by, status=status)
    return answer


async def test_a_proof_is_scored_and_counts_from_the_next_aggregation_on(api: Api) -> None:
    agent, *_ = await api.register(1)

    kept = await submit(api, agent)
    before = await api.get(f"/api/usefulness/agents/{agent}")
    await let_pass(api.broker.database, timedelta(seconds=6))
    await submit(api, agent, "u", work_type="routing", metrics={"routing_hops": 3, "note": 1})
    done = await api.call("POST", "/api/usefulness/aggregate")
    after = await api.get(f"/api/usefulness/agents/{agent}")

    assert kept["usefulness_score"] == 50.0
    assert (before["usefulness_score"], before["total_proofs"]) == (0, 1)
    assert (done["updated"], after["usefulness_score"], after["total_proofs"]) == (1, 40.0, 2)
    assert after["work_type_breakdown"] == {
        "compute": 50.0,
        "memory": 0.0,
        "routing": 30.0,
        "validation": 0.0,
        "learning": 0.0,
    }
    assert (await api.get(f"/api/agents/{agent}"))["usefulness_score_cached"] == 40.0


async def test_what_is_older_than_thirty_days_counts_no_more(api: Api) -> None:
    old, new, *_ = await api.register(2)
    await submit(api, old)
    await let_pass(api.broker.database, timedelta(days=30, seconds=1))
    await submit(api, new)
    await api.broker.database.execute("UPDATE agents SET usefulness_proofs = 1, usefulness_score_cached = 50")

    assert (await api.call("POST", "/api/usefulness/aggregate"))["updated"] == 2
    assert (await api.get(f"/api/usefulness/agents/{old}"))["usefulness_score"] == 0
    assert (await api.get(f"/api/usefulness/agents/{new}"))["usefulness_score"] == 50
    assert (await api.call("POST", "/api/usefulness/aggregate"))["updated"] == 1


async def test_of_a_hundred_submissions_of_one_trace_one_is_kept(api: Api) -> None:
    agent, *_ = await api.register(1)
    now = (await api.broker.database.clock()).timestamp() * 1000
    body = {"work_type": "compute", "metrics": {"compute_ms": 1}, "trace_id": "one", "timestamp": now}

    answers = await asyncio.gather(
        *[api.client.post("/api/usefulness/proofs", json=body, headers={"X-AINP-DID": agent}) for _ in range(100)]
    )

    assert sorted(a.status_code for a in answers) == [201, *[409] * 99]
    assert {a.json()["error"] for a in answers if a.status_code == 409} == {"DUPLICATE_PROOF"}
    assert (await api.get(f"/api/usefulness/agents/{agent}"))["total_proofs"] == 1


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"work_type": ...}, "INVALID_PROOF", "Missing required fields: work_type, metrics, trace_id, timestamp"),
        ({"timestamp": None}, "INVALID_PROOF", "Missing required fields"),
        ({"timestamp": -1}, "INVALID_PROOF", "milliseconds since 1970"),
        ({"timestamp": 1e300}, "INVALID_PROOF", "milliseconds since 1970"),
        ({"work_type": "magic"}, "INVALID_WORK_TYPE", "work_type must be one of: compute, memory, routing"),
        ({"timestamp": 1_760_000_000_000}, "STALE_PROOF", "Proof timestamp must be within 5 minutes of server time"),
        ({"metrics": {"compute_ms": 0}}, "EMPTY_METRICS", "Proof must contain at least one non-zero metric"),
        ({"metrics": {"compute_ms": 3_600_001}}, "INVALID_PROOF", "Invalid compute_ms: must be between 0 and 3600000"),
        ({"metrics": {"routing_hops": 1}}, "INVALID_PROOF", "Invalid compute_ms"),
        ({"metrics": {"compute_ms": "1"}}, "INVALID_PROOF", "Invalid compute_ms"),
        ({"trace_id": "x" * 201}, "INVALID_REQUEST", "200"),
    ],
)
async def test_a_proof_is_refused(api: Api, changes: Json, error: str, words: str) -> None:
    agent, *_ = await api.register(1)

    refused = await submit(api, agent, status=400, **changes)

    assert refused["error"] == error
    assert words in refused["message"]
    assert (await api.get(f"/api/usefulness/agents/{agent}"))["total_proofs"] == 0


async def test_a_stranger_proves_nothing(api: Api) -> None:
    assert (await submit(api, "did:key:zStranger", status=404))["error"] == "AGENT_NOT_FOUND"
    assert (await api.get("/api/usefulness/agents/did:key:zStranger", status=404))["message"] == "Agent not found"


async def test_an_agent_takes_its_time(api: Api) -> None:
    agent, *_ = await api.register(1)
    await submit(api, agent)

    refused = await submit(api, agent, "u", status=400)

    assert (refused["error"], refused["message"][:14]) == ("FRAUD_DETECTED", "Fraud detected")


async def test_an_hour_has_room_for_so_many(database_url: str) -> None:
    async with an_api(database_url, max_proofs_per_hour=2) as api:
        agent, *_ = await api.register(1)
        for trace in ("a", "b"):
            await submit(api, agent, trace)
            await let_pass(api.broker.database, timedelta(seconds=6))

        refused = await submit(api, agent, "c", status=429)
        await let_pass(api.broker.database, timedelta(hours=1))
        await submit(api, agent, "c")

    assert "2/2 proofs submitted in last hour" in refused["message"]


async def test_a_receipt_has_one_proof_of_its_worker(api: Api) -> None:
    client, agent, *_ = await api.register()
    receipt = (await api.settled(client, agent))["task_id"]

    assert (await submit(api, client, status=403, receipt_id=receipt))["error"] == "FORBIDDEN"
    assert (await submit(api, agent, status=404, receipt_id=agent))["error"] == "NOT_FOUND"
    await submit(api, agent, receipt_id=receipt)
    await let_pass(api.broker.database, timedelta(seconds=6))
    assert (await submit(api, agent, "u", status=409, receipt_id=receipt))["error"] == "DUPLICATE_PROOF"


async def test_what_is_switched_off_says_so(database_url: str) -> None:
    async with an_api(database_url, usefulness_aggregation_enabled=False) as api:
        agent, *_ = await api.register(1)
        refused = await submit(api, agent, status=503)

    assert (refused["error"], refused["message"]) == ("FEATURE_DISABLED", "Usefulness aggregation is disabled")


async def test_in_strict_mode_a_proof_is_signed_and_aggregating_is_for_administrators(database_url: str) -> None:
    alice = identity("alice")
    async with a_strict_api(database_url) as strict:
        await strict.register(alice)
        now = (await strict.api.broker.database.clock()).timestamp() * 1000
        body = {"work_type": "compute", "metrics": {"compute_ms": 1}, "trace_id": "t", "timestamp": now}

        await strict.call("POST", "/api/usefulness/proofs", body, status=401)
        await strict.call("POST", "/api/usefulness/proofs", body, by=alice, status=201)
        await strict.call("POST", "/api/usefulness/aggregate", status=403)


async def test_a_day_of_praising_oneself_does_not_pass_a_record_of_finalized_work(api: Api) -> None:
    database = api.broker.database
    boaster, worker, client = await api.register(3)
    for did in (boaster, worker):
        capabilities = [{"description": "Tunes pianos"}]
        await api.call("POST", "/api/agents/register", {"address": {"did": did, "capabilities": capabilities}})
    await useful.prove(database, [boaster] * 1000, score=10_000)
    await useful.trade(database, [(client, worker)] * 110, at=await database.clock(), price=1000, score=8_000)

    await api.call("POST", "/api/usefulness/aggregate")
    found = await api.call("POST", "/api/discovery/search", {"description": "tune a piano"})

    assert [agent["did"] for agent in found] == [worker, boaster]
    assert [agent["usefulness_score_cached"] for agent in found] == [80, 100]
    assert found[0]["rank"]["usefulness"] > found[1]["rank"]["usefulness"] == 0.75
