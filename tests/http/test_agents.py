"""Agents and reputation over HTTP: registration in every form, what is shown, what is never believed."""

from typing import Any
from urllib.parse import quote

import pytest

from ainp.core.did import key_of_did
from support.api import Api, an_api
from support.builders import an_agent
from support.shapes import UUID, check_values
from support.world import World

Json = Any
HOUR = 3_600_000
DAY = 24 * HOUR
LIVES = [
    (None, HOUR),
    (3600, 60_000),
    (0.001, 60_000),
    (HOUR, HOUR),
    (90_000.5, 90_000),
    (40 * DAY, 30 * DAY),
    (2**70, 30 * DAY),
    (1e300, 30 * DAY),
]


async def registered(api: Api, body: Json, **headers: str) -> Json:
    answer = await api.call("POST", "/api/agents/register", body, headers=headers)
    check_values(answer)
    return answer


async def shown(api: Api, did: str) -> Json:
    answer = await api.get(f"/api/agents/{quote(did, safe='')}")
    check_values(answer)
    return answer


async def test_a_registration_is_answered_with_money_and_an_end(database_url: str) -> None:
    async with an_api(database_url) as api:
        did = an_agent("new")
        told = await registered(api, {"address": {"did": did, "capabilities": []}, "ttl": HOUR})

        assert told["message"] == "Agent registered successfully"
        assert told["agent"] == {"did": did}
        assert told["credits"] == {"balance": "1000000", "reserved": "0"}
        assert (told["status"], told["did"]) == ("registered", did)
        assert UUID.fullmatch(told["id"])
        again = await registered(api, {"address": {"did": did, "capabilities": []}})
        assert (again["id"], again["credits"]) == (told["id"], told["credits"])


async def test_an_agent_is_shown_with_what_it_can_do(world: World) -> None:
    did = an_agent("shown")
    capability = {"description": "translates", "tags": ["de", "en"], "version": "2.0.1", "evidence": "https://x"}
    await registered(world.api, {"address": {"did": did, "capabilities": [capability, {"description": "sings"}]}})

    agent = await shown(world.api, did)

    assert {c["description"]: c for c in agent["capabilities"]} == {
        "translates": {**capability, "embedding": ""},
        "sings": {"description": "sings", "embedding": "", "tags": [], "version": "1.0.0", "evidence": None},
    }
    assert agent["credentials"] == [key_of_did(did).hex()]
    assert agent["trust"] == {
        "score": 0.5,
        "dimensions": {"reliability": 0.5, "honesty": 0.5, "competence": 0.5, "timeliness": 0.5},
        "decay_rate": 0.977,
        "last_updated": None,
    }
    assert (agent["usefulness_score_cached"], agent["usefulness_last_updated"]) == (0, None)
    assert await world.api.get(f"/api/agents/{did}") == agent


async def test_what_an_agent_says_of_its_own_trust_is_not_believed(world: World) -> None:
    did = an_agent("boaster")
    trust = {"score": 1, "dimensions": {"reliability": 1}, "decay_rate": 0, "last_updated": 0}
    body = {"did": did, "capabilities": [], "trust": trust, "credentials": ["mine"], "embedding": ""}
    await registered(world.api, {"address": body, "trust": trust})

    agent = await shown(world.api, did)

    assert agent["trust"]["score"] == 0.5
    assert agent["credentials"] == [key_of_did(did).hex()]
    assert (await world.api.get(f"/api/reputation/{did}"))["score"] == 0.5


@pytest.mark.parametrize(
    "form",
    [
        {"publicKey": "k", "capabilities": ["sings"], "ttl": HOUR},
        {"capabilities": [{"description": "sings", "embedding": "", "tags": []}]},
        {"semantic_address": {"capabilities": ["sings"], "description": "a bird", "endpoint": "http://x"}},
    ],
    ids=["flat", "flat with objects", "by address"],
)
async def test_older_clients_register_flat(world: World, form: Json) -> None:
    did = an_agent(f"flat {sorted(form)}")

    told = await registered(world.api, {"did": did, **form})

    assert told["did"] == did
    (capability,) = (await shown(world.api, did))["capabilities"]
    assert capability["description"] == "sings"


async def test_registering_again_replaces_what_an_agent_can_do(world: World) -> None:
    did = an_agent("changing")
    await registered(world.api, {"did": did, "capabilities": ["sings", "dances"]})
    await registered(world.api, {"did": did, "capabilities": [{"description": "dances", "version": "3.0.0"}, "paints"]})

    found = {c["description"]: c["version"] for c in (await shown(world.api, did))["capabilities"]}

    assert found == {"dances": "3.0.0", "paints": "1.0.0"}
    await registered(world.api, {"did": did, "capabilities": []})
    assert (await shown(world.api, did))["capabilities"] == []


@pytest.mark.parametrize(("ttl", "lives"), LIVES)
async def test_a_life_is_between_a_minute_and_a_month(world: World, ttl: float | None, lives: int) -> None:
    did = an_agent(f"lives {ttl}")
    await registered(world.api, {"did": did, "capabilities": [], **({} if ttl is None else {"ttl": ttl})})

    query = "SELECT ttl, extract(epoch FROM expires_at - now()) * 1000 AS left FROM agents WHERE did = $1"
    row = await world.api.broker.database.fetchrow(query, did)

    assert row is not None
    assert row["ttl"] == lives
    assert lives - 10_000 < row["left"] <= lives


async def test_an_agent_whose_time_is_over_is_not_found(world: World) -> None:
    did = an_agent("short-lived")
    await registered(world.api, {"did": did, "capabilities": []})
    await world.api.broker.database.execute(
        "UPDATE agents SET expires_at = now() - interval '1 second' WHERE did = $1", did
    )

    gone = await world.api.get(f"/api/agents/{did}", status=404)

    assert gone == {"error": "AGENT_NOT_FOUND", "message": "Agent not found", "did": did}
    await registered(world.api, {"did": did, "capabilities": []})
    assert (await shown(world.api, did))["did"] == did


async def test_the_welcome_grant_is_given_once_ever(database_url: str) -> None:
    async with an_api(database_url) as api:
        client, agent = await api.register(2)
        await api.settled(client, agent)
        told = [await registered(api, {"did": client, "capabilities": []}) for _ in range(3)]
        await api.broker.database.execute("UPDATE welcome_grants SET hour = hour - interval '2 hours'")

        assert {t["credits"]["balance"] for t in told} == {"900000"}
        assert (await registered(api, {"did": client, "capabilities": []}))["credits"]["balance"] == "900000"
        moved = (await api.get(f"/api/credits/{client}/transactions"))["transactions"]
        assert [m["amount"] for m in moved if m["type"] == "welcome_grant"] == ["1000000"]


async def test_grants_have_a_cap_an_hour(database_url: str) -> None:
    async with an_api(database_url, initial_credits_hourly_cap=2_500_000) as api:
        dids = [an_agent(f"capped {n}") for n in range(4)]
        told = [await registered(api, {"did": did, "capabilities": []}) for did in dids]
        await api.broker.database.execute("UPDATE welcome_grants SET hour = hour - interval '1 hour'")
        later = await registered(api, {"did": dids[3], "capabilities": []})

        assert [t["credits"] and t["credits"]["balance"] for t in told] == ["1000000", "1000000", None, None]
        assert later["credits"]["balance"] == "1000000"
        assert (await api.get(f"/api/credits/{dids[2]}"))["balance"] == "0"


async def test_without_a_grant_an_agent_starts_with_nothing(database_url: str) -> None:
    async with an_api(database_url, initial_credits=0) as api:
        (did,) = await api.register(1)

        assert (await api.get(f"/api/credits/{did}"))["balance"] == "0"
        assert (await api.get(f"/api/credits/{did}/transactions"))["transactions"] == []


async def test_a_reputation_is_neutral_before_anything_was_seen(world: World) -> None:
    did = an_agent("neutral")
    await registered(world.api, {"did": did, "capabilities": []})

    found = await world.api.get(f"/api/reputation/{did}")

    for letter in "qtrsvie":
        assert found[letter] == found["reputation"][letter] == 0.5
    assert found["updated_at"] is None
    for name in ("score", "reliability", "honesty", "competence", "timeliness"):
        assert found[name] == found["trust_scores"][name] == 0.5
    assert found["trust_scores"]["decay_rate"] == 0.977
    assert found["agent_did"] == did
    assert found["auditor"] == {"agreed": 0, "disagreed": 0, "silent": 0}
    assert found["dimensions"]["quality"] == {
        "value": 0.5, "observations": 0, "lower_bound": 0, "observed_at": None
    }  # fmt: skip
    assert (await world.api.get(f"/api/reputation/{did}/history")) == {
        "agent_did": did,
        "changes": [],
        "cursor": None,
    }


async def test_the_history_explains_every_change_page_by_page(database_url: str) -> None:
    async with an_api(database_url) as api:
        client, agent, *_ = await api.register(8)
        receipt = await api.finalized(client, agent, delivery_time=60_000)
        found = await api.get(f"/api/reputation/{agent}")
        check_values(found)

        whole = (await api.get(f"/api/reputation/{agent}/history"))["changes"]
        paged, cursor = [], ""
        while True:
            page = await api.get(f"/api/reputation/{agent}/history?limit=2{cursor}")
            paged += page["changes"]
            if page["cursor"] is None:
                break
            cursor = f"&cursor={page['cursor']}"

        assert paged == whole
        assert {c["task_id"] for c in whole} == {receipt["id"]}
        assert {c["name"] for c in whole} >= {"timeliness", "impact", "reliability", "quality", "truthfulness"}
        for change in whole:
            assert change["reason"]
            moved = change["before"] + 0.2 * (change["observed"] - change["before"])
            assert change["after"] == pytest.approx(moved, abs=2e-6)
            if change["dimension"] in found:
                assert found[change["dimension"]] == pytest.approx(change["after"], abs=1e-4)
        check_values(whole)


async def test_the_auditors_have_a_record_of_their_own(database_url: str) -> None:
    async with an_api(database_url) as api:
        client, agent, *_ = await api.register(7)
        settled = await api.settled(client, agent)
        *passing, failing = settled["receipt"]["committee"]
        await api.attest(settled["task_id"], failing, "AUDIT_FAIL")
        await api.attest(settled["task_id"], client, "ACCEPTED")
        for did in passing:
            await api.attest(settled["task_id"], did, "AUDIT_PASS")

        records = [(await api.get(f"/api/reputation/{did}"))["auditor"] for did in (passing[0], failing)]

        assert records[0] == {"agreed": 1, "disagreed": 0, "silent": 0}
        assert records[1] == {"agreed": 0, "disagreed": 1, "silent": 0}
        assert (await api.get(f"/api/reputation/{passing[0]}"))["score"] == 0.5
