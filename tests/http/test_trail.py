"""The audit trail: refusals that are about who asked, and what administrators did; nothing secret, nothing twice."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from ainp.operations import trail
from ainp.worker import upkeep
from support.api import Api, an_api
from support.builders import agents
from support.clock import let_pass
from support.races import at_once, post
from support.world import ADMIN_TOKEN, World

ADMIN = {"authorization": f"Bearer {ADMIN_TOKEN}"}
Json = Any


@pytest.fixture(autouse=True)
async def _nothing_noted(world: World) -> None:
    """Other tests of the module were refused, too."""
    world.api.broker.refusals.take()
    await world.api.broker.database.execute("DELETE FROM audit_log")


async def records(api: Api, query: str = "") -> list[Json]:
    await trail.flush(api.broker.database, api.broker.refusals)
    page = await api.call("GET", f"/api/admin/audit{query}", headers=ADMIN)
    return list(page["records"])


def told(record: Json) -> tuple[Any, ...]:
    return (record["event_type"], record["agent_did"], record["details"]["code"], record["details"]["count"])


async def test_a_refusal_says_who_from_where_and_why(world: World) -> None:
    stranger = world.others[0]
    for _ in range(3):
        await world.api.call("POST", f"/api/negotiations/{world.accepted}/settle", {}, by=stranger, status=403)

    (record,) = await records(world.api)

    assert told(record) == ("forbidden", stranger, "FORBIDDEN", 3)
    assert record["ip_address"] == "127.0.0.1"
    assert record["details"]["route"] == "/api/negotiations/{id}/settle"
    assert record["details"]["method"] == "POST"


async def test_who_is_named_in_the_body_is_the_one_who_was_refused(world: World) -> None:
    outsider = next(did for did in world.others if did not in world.committee)
    body = {"type": "AUDIT_PASS", "score": 0.9, "by_did": outsider}
    path = f"/api/receipts/{world.task_id}/attestations"
    await world.api.call("POST", path, body, by=world.client, status=403)
    await world.api.attest(world.task_id, world.agent, "AUDIT_PASS", score=0.9, status=403)

    found = {told(record) for record in await records(world.api, "?event_type=attestation_refused")}

    assert found == {
        ("attestation_refused", outsider, "UNAUTHORIZED_ATTESTATION", 1),
        ("attestation_refused", world.agent, "SELF_ATTESTATION", 1),
    }


@pytest.mark.parametrize(
    ("headers", "event", "code", "status"),
    [
        ({"x-forwarded-for": "192.0.2.1"}, "untrusted_request", "UNTRUSTED_REQUEST", 403),
        ({"origin": "https://evil.example"}, "untrusted_request", "UNTRUSTED_REQUEST", 403),
        ({}, "unauthenticated", "UNAUTHORIZED", 401),
        ({"x-ainp-did": "no did", "via": "x"}, "untrusted_request", "UNTRUSTED_REQUEST", 403),
    ],
    ids=["forwarded", "a web page", "nobody", "no did"],
)
async def test_each_kind_of_refusal_has_its_name(
    world: World, headers: Mapping[str, str], event: str, code: str, status: int
) -> None:
    path = f"/api/negotiations/{world.accepted}/settle"
    await world.api.call("POST", path, {}, headers=headers, status=status)

    (record,) = await records(world.api)

    assert told(record) == (event, None, code, 1)


async def test_what_was_wrong_with_a_body_is_nobody_s_fault(world: World) -> None:
    await world.api.call("POST", "/api/negotiations", {"intent_id": 1}, by=world.client, status=400)
    await world.api.get("/api/receipts/nothing", status=404)
    await world.api.call("POST", f"/api/negotiations/{world.settled}/accept", {}, by=world.agent, status=409)

    assert await records(world.api) == []


async def test_a_refusal_with_an_idempotency_key_is_noted_when_it_is_decided(world: World) -> None:
    stranger = world.others[0]
    for _ in range(2):
        answer = await post(world.api, f"/api/negotiations/{world.accepted}/settle", by=stranger, key="k")
        assert answer.status_code == 403

    (record,) = await records(world.api)

    assert told(record) == ("forbidden", stranger, "FORBIDDEN", 1)


async def test_what_administrators_do_is_written_with_what_it_did(world: World) -> None:
    did = world.others[0]
    deposit = {"agent_did": did, "amount": 1000}
    slash = {"agent_did": did, "amount_atomic": 400, "reason": "lied\x1b[31m\nAgent slashed", "evidence_ref": "x:y"}
    await world.api.call("POST", "/api/credits/deposit", deposit, headers=ADMIN)
    done = await world.api.call("POST", "/api/admin/slash", slash, headers=ADMIN)

    newest, oldest = await records(world.api, f"?agent_did={did}")

    assert (oldest["event_type"], oldest["ip_address"]) == ("deposit", "127.0.0.1")
    assert (oldest["details"]["amount"], oldest["details"]["by"]) == ("1000", "admin token")
    assert newest["event_type"] == "slash"
    assert newest["details"] == {
        "slash_id": done["slash_id"], "amount": "400", "taken": "400", "reason": "lied�[31m�Agent slashed",
        "evidence_ref": "x:y", "by": "admin token",
    }  # fmt: skip


async def test_what_was_undone_is_not_told(world: World) -> None:
    body = {"agent_did": "did:web:nobody.example", "amount_atomic": 1, "reason": "lied"}
    await world.api.call("POST", "/api/admin/slash", body, headers=ADMIN, status=404)

    assert await records(world.api) == []


async def test_nothing_secret_gets_into_the_trail(database_url: str) -> None:
    secret = "hunter2-hunter2-hunter2"
    settings = {"admin_token": ADMIN_TOKEN, "ainp_proxy_secret": secret}
    async with an_api(database_url, **settings) as api:
        sent = {"authorization": f"Bearer {secret}", "x-ainp-proxy-secret": secret, "signature": secret}
        body = {"agent_did": "did:key:z1", "amount_atomic": 1, "reason": secret}
        await api.call("POST", "/api/admin/slash", body, headers=sent, status=403)
        await api.call("POST", "/api/admin/slash", body, headers={"x-ainp-proxy-secret": "guess"}, status=403)
        await trail.flush(api.broker.database, api.broker.refusals)
        rows = await api.broker.database.fetch("SELECT * FROM audit_log")

        assert [row["event_type"] for row in rows] == ["forbidden", "untrusted_request"]
        assert secret not in str([dict(row) for row in rows])
        assert "guess" not in str([dict(row) for row in rows])


@pytest.mark.parametrize("bad", ["a\x1b[31mb", "a\nb", "b\x00c", "é" * 500], ids=["escape", "line", "NUL", "long"])
async def test_no_control_character_gets_into_the_trail(world: World, bad: str) -> None:
    raw = [(b"host", bad.encode("utf-8", "surrogateescape")), (b"x-ainp-did", bad.encode())]
    response = await world.send("GET", "/api/receipts", headers=raw)

    (record,) = await records(world.api)

    assert response.status_code == 403
    assert json.dumps(record, ensure_ascii=False).isprintable()
    assert len(record["details"]["message"]) <= 200
    assert record["agent_did"] is None


async def test_pages_are_filtered_and_each_record_is_on_one(world: World) -> None:
    for did in world.others:
        for path in ("settle", "deliver"):
            await world.api.call("POST", f"/api/negotiations/{world.accepted}/{path}", {}, by=did, status=403)
        await trail.flush(world.api.broker.database, world.api.broker.refusals)
    deposit = {"agent_did": world.others[0], "amount": 1}
    await world.api.call("POST", "/api/credits/deposit", deposit, headers=ADMIN)
    everything, cursor = [], ""
    while True:
        page = await world.api.call("GET", f"/api/admin/audit?limit=5{cursor}", headers=ADMIN)
        everything += page["records"]
        if page["cursor"] is None:
            break
        cursor = f"&cursor={page['cursor']}"

    assert len(everything) == len({record["id"] for record in everything}) == 2 * len(world.others) + 1
    times = [record["timestamp"] for record in everything]
    assert times == sorted(times, reverse=True)
    mine = await records(world.api, f"?agent_did={world.others[0]}")
    assert [record["event_type"] for record in mine] == ["deposit", "forbidden", "forbidden"]
    both = await records(world.api, f"?agent_did={world.others[0]}&event_type=forbidden")
    assert both == mine[1:]
    assert len(await records(world.api, "?event_type=forbidden")) == 2 * len(world.others)
    assert await records(world.api, "?event_type=slash") == []
    assert await records(world.api, "?since=2999-01-01T00:00:00Z") == []
    assert len(await records(world.api, "?since=2000-01-01T00:00:00%2B01:00")) == len(everything)


@pytest.mark.parametrize(
    "query", ["event_type=x", "event_type=", "since=", "since=yesterday", "since=2026-01-01", "since=2026-01-01T00:00"]
)
async def test_a_filter_that_can_mean_nothing_is_refused(world: World, query: str) -> None:
    refused = await world.api.call("GET", f"/api/admin/audit?{query}", headers=ADMIN, status=400)

    assert refused["error"] == "INVALID_REQUEST"


async def test_only_an_administrator_reads_it(world: World) -> None:
    for headers in ({}, {"authorization": "Bearer wrong"}, {"x-ainp-did": world.client}):
        refused = await world.api.call("GET", "/api/admin/audit", headers=headers, status=403)
        assert refused["error"] == "FORBIDDEN"


async def test_a_flood_is_a_few_rows_and_a_number(world: World) -> None:
    path = f"/api/negotiations/{world.accepted}/settle"
    answers = await at_once(post(world.api, path, by=f"did:key:z{n}") for n in range(300))

    found = await records(world.api)

    assert {answer.status_code for answer in answers} == {403}
    assert len(found) == 6
    assert sum(record["details"]["count"] for record in found) == 300
    (left_out,) = [record for record in found if record["event_type"] == "left_out"]
    assert left_out["details"]["codes"] == {"FORBIDDEN": 295}


async def test_what_is_old_is_dropped(database_url: str) -> None:
    async with an_api(database_url, admin_token=ADMIN_TOKEN, audit_retention_days=30) as api:
        db = api.broker.database
        (did,) = await api.register(1)
        for age in (29, 2):
            await api.call("POST", "/api/credits/deposit", {"agent_did": did, "amount": 1}, headers=ADMIN)
            await let_pass(db, timedelta(days=age))
        await upkeep.forget_records(api.broker)

        assert await db.fetchval("SELECT count(*) FROM audit_log") == 1


async def test_refusals_outlive_a_database_that_is_away_as_a_number(database_url: str) -> None:
    async with an_api(database_url, admin_token=ADMIN_TOKEN) as api:
        db = api.broker.database
        await api.call("GET", "/api/admin/audit", status=403)
        await db.execute("ALTER TABLE audit_log RENAME TO elsewhere")
        lost = await trail.flush(db, api.broker.refusals)
        await db.execute("ALTER TABLE elsewhere RENAME TO audit_log")

        (record,) = await records(api)

        assert lost == 1
        assert (record["event_type"], record["details"]) == ("left_out", {"count": 1, "codes": {"FORBIDDEN": 1}})


async def test_who_comes_too_often_is_one_record_with_the_address_that_the_proxy_names(database_url: str) -> None:
    settings = {"admin_token": ADMIN_TOKEN, "ainp_proxy_secret": "what the proxy shows"}
    limits = {"rate_limit_enabled": True, "rate_limit_max": 5, "rate_limit_address_factor": 1}
    async with an_api(database_url, **settings, **limits) as api:
        (did,) = agents(1)
        sent = {
            "x-ainp-proxy-secret": "what the proxy shows",
            "x-forwarded-for": "203.0.113.7, 2001:db8::7",
            "x-ainp-did": did,
        }
        answers = [await api.client.get(f"/api/reputation/{did}", headers=sent) for _ in range(40)]
        await trail.flush(api.broker.database, api.broker.refusals)
        rows = await api.broker.database.fetch("SELECT abbrev(ip_address) AS address, * FROM audit_log")

        limited = [answer for answer in answers if answer.status_code == 429]
        assert limited
        (row,) = rows
        assert (row["event_type"], row["agent_did"], row["address"]) == ("rate_limit", did, "2001:db8::/64")
        assert row["details"]["count"] == len(limited)
