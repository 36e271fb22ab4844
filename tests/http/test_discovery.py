"""Discovery over HTTP: who is found for what is asked, in which order, and who is not."""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any

import pytest

from ainp.core.vectors import to_base64
from ainp.worker import upkeep
from support.api import Api, an_api
from support.builders import an_agent
from support.clock import let_pass
from support.envelopes import an_envelope
from support.shapes import check_values
from support.signing import a_strict_api, identity

Json = Any
MODEL = "wordllama:l2_supercat_256"
CAN = {
    "translator": ("Translates German contracts into English", ["legal", "german"]),
    "poet": ("Writes sonnets and limericks for birthdays", ["poetry"]),
    "baker": ("Plans the ovens and shifts of a bakery", ["food"]),
    "lawyer": ("Checks employment contracts under German labour law", ["legal", "law"]),
}


@pytest.fixture
async def api(database_url: str) -> AsyncIterator[Api]:
    async with an_api(database_url) as api:
        for name, (description, tags) in CAN.items():
            await register(api, name, description, tags=tags)
        yield api


async def register(api: Api, name: str, *descriptions: str, **said: object) -> Json:
    address = {"did": an_agent(name), "capabilities": [{"description": text, **said} for text in descriptions]}
    return await api.call("POST", "/api/agents/register", {"address": address})


async def search(api: Api, description: str | None = None, **query: object) -> list[Json]:
    said = {**({} if description is None else {"description": description}), **query}
    found: list[Json] = await api.call("POST", "/api/discovery/search", said)
    check_values(found)
    return found


def names(found: Sequence[Json], of: Sequence[str] = tuple(CAN)) -> list[str]:
    known = {an_agent(name): name for name in of}
    return [known[agent["did"]] for agent in found]


async def trust(api: Api, name: str, value: float, *, clients: int) -> None:
    """Give an agent a record: every dimension at *value*, seen by so many clients."""
    await api.broker.database.execute(
        """INSERT INTO agent_reputation AS r (agent_id, q, t, r, v, clients, observations)
           SELECT id, $2, $2, $2, $2, $3, array_fill($3::int, ARRAY[8]) FROM agents WHERE did = $1
           ON CONFLICT (agent_id) DO UPDATE SET q = excluded.q, t = excluded.t, r = excluded.r, v = excluded.v,
                                                clients = excluded.clients""",
        *(an_agent(name), value, clients),
    )
    await api.broker.database.execute(
        """INSERT INTO reputation_observations (agent_id, task_id, dimension, observed, before, after, reason)
           SELECT id, gen_random_uuid(), 'q', 0, 0, 0, 'seen' FROM agents WHERE did = $1""",
        an_agent(name),
    )
    await upkeep.rank_by_trust(api.broker)


async def test_agents_are_found_by_what_they_say_in_other_words(api: Api) -> None:
    assert names(await search(api, "a poem in rhymes"))[0] == "poet"
    assert names(await search(api, "I need bread"))[0] == "baker"
    assert names(await search(api, "turn a German agreement into English", limit=2)) == ["translator", "lawyer"]


async def test_an_agent_is_shown_as_registered_with_why_it_stands_there(api: Api) -> None:
    await register(api, "poet", "Sings", "Writes sonnets and limericks for birthdays")
    (found,) = await search(api, "sonnets", limit=1)

    assert [c["description"] for c in found["capabilities"]] == [CAN["poet"][0], "Sings"]
    assert found["trust"]["score"] == 0.5
    assert (found["usefulness_score_cached"], found["usefulness_last_updated"]) == (0, None)
    rank = found["rank"]
    answering = rank["similarity"] + (1 - rank["similarity"]) * rank["shared_words"] ** 2
    assert rank["score"] == pytest.approx(0.6 * answering, abs=1e-5)
    assert (rank["trust"], rank["usefulness"], rank["shared_words"]) == (0, 0, 1)
    assert (found["similarity"], found["score"]) == (rank["similarity"], rank["score"])


async def test_tags_and_trust_and_numbers_narrow_a_search(api: Api) -> None:
    await trust(api, "lawyer", 0.9, clients=100)

    assert set(names(await search(api, "contracts", tags=["legal", "none"]))) == {"translator", "lawyer"}
    assert names(await search(api, "contracts", tags=["none"])) == []
    assert names(await search(api, "contracts", min_trust=0.8)) == ["lawyer"]
    assert names(await search(api, "contracts", tags=["german"], min_trust=0.8)) == []
    assert len(await search(api, "contracts", limit=3)) == 3
    older = await api.call("POST", "/api/discovery/search", {"description": "contracts", "minTrust": 0.8})
    assert names(older["agents"]) == ["lawyer"]


async def test_what_says_that_it_takes_longer_or_costs_more_is_left_out(api: Api) -> None:
    await register(api, "poet", "Writes sonnets", latency_ms=2_000, cost=2.5)
    await register(api, "baker", "Bakes sonnets", latency_ms=100, cost=7)
    everybody = {"poet", "baker", "translator", "lawyer"}

    for most, left in (
        ({}, everybody),
        ({"max_latency_ms": 2_000, "max_cost": 7}, everybody),
        ({"max_latency_ms": 1_999.5}, everybody - {"poet"}),
        ({"maxLatency": 50}, everybody - {"poet", "baker"}),
        ({"max_cost": 2.5}, everybody - {"baker"}),
        ({"maxCost": 2.499, "max_cost": 9, "tags": [], "min_trust": 0}, everybody - {"poet", "baker"}),
        ({"max_latency_ms": 500, "max_cost": 5}, everybody - {"poet", "baker"}),
    ):
        assert set(names(await search(api, "sonnets", **most))) == left, most
    by_url = await api.get("/api/agents/discovery?description=sonnets&max_latency_ms=500&max_cost=7")
    assert set(names(by_url)) == everybody - {"poet"}
    for query in ("max_cost=-1", "max_cost=nan", "max_latency_ms=inf", "max_latency_ms=soon"):
        refused = await api.get(f"/api/agents/discovery?description=sonnets&{query}", status=400)
        assert "expected a number of 0 or more" in refused["message"]


async def test_what_an_agent_says_of_its_terms_is_shown_and_nothing_else(api: Api) -> None:
    await register(api, "poet", "Writes sonnets", latency_ms=2_000, cost=2.5)
    (found,) = await search(api, "sonnets", limit=1)
    shown = await api.get(f"/api/agents/{an_agent('poet')}")

    for capability in (*found["capabilities"], *shown["capabilities"]):
        assert (capability["latency_ms"], capability["cost"]) == (2_000, 2.5)
    await register(api, "poet", "Writes sonnets", cost=0)
    (capability,) = (await api.get(f"/api/agents/{an_agent('poet')}"))["capabilities"]
    assert capability.pop("cost") == 0
    assert set(capability) == {"description", "embedding", "tags", "version", "evidence"}
    for said, reason in (({"cost": 0.0001}, "cost"), ({"cost": -1}, "cost"), ({"latency_ms": 1.5}, "latency_ms")):
        body = {"did": an_agent("new"), "capabilities": [{"description": "x", **said}]}
        assert reason in (await api.call("POST", "/api/agents/register", body, status=400))["message"]


async def test_who_can_only_read_searches_by_url(api: Api) -> None:
    found = await api.get("/api/agents/discovery?description=contracts&tags=legal,food&limit=3&min_trust=0")

    assert set(names(found)) == {"translator", "lawyer", "baker"}
    for query in (
        "",
        "?description=",
        "?description=x&min_trust=2",
        "?description=x&limit=0",
        "?description=x&min_trust=a",
    ):
        await api.get(f"/api/agents/discovery{query}", status=400)


@pytest.mark.parametrize("query", [{}, {"tags": ["legal"]}, {"description": ""}, {"embedding": ""}])
async def test_a_search_says_what_it_looks_for(api: Api, query: Json) -> None:
    refused = await api.call("POST", "/api/discovery/search", query, status=400)

    assert (refused["error"], refused["message"]) == (
        "INVALID_QUERY",
        "Query must have either embedding or description",
    )


async def test_an_embedding_of_the_same_model_is_searched_by_in_every_form(api: Api) -> None:
    (poet,) = (await search(api, "sonnets", limit=1))[:1]
    assert poet["capabilities"][0]["embedding"] == ""
    shown = await api.call("POST", "/api/discovery/search?embeddings=true", {"description": "sonnets", "limit": 1})
    sent = shown[0]["capabilities"][0]["embedding"]
    agent = await api.get(f"/api/agents/{an_agent('poet')}?embeddings=true")
    assert agent["capabilities"][0]["embedding"] == sent

    for form in (sent, {"b64": sent}, {"b64": sent, "dim": 256, "dtype": "f32", "model": MODEL}, [1.0, *[0.0] * 255]):
        assert await search(api, embedding=form)
    (found,) = await search(api, embedding=sent, limit=1)
    assert (names([found]), found["rank"]["cosine"]) == (["poet"], pytest.approx(1, abs=1e-3))


@pytest.mark.parametrize(
    ("embedding", "said"),
    [
        ([1.0, 2.0], f"found 2 numbers, expected 256 of the model '{MODEL}'"),
        ({"b64": to_base64([1.0] * 256), "model": "other"}, f"found 'other', expected '{MODEL}' (dimension 256)"),
        ({"b64": to_base64([1.0] * 256), "dim": 3}, "expected dtype 'f32' and dim as many"),
        ({"b64": to_base64([1.0] * 256), "dtype": "f16"}, "expected dtype 'f32'"),
        ([0.0] * 256, "without a direction"),
        ("?", "expected base64"),
    ],
)
async def test_another_embedding_is_refused_with_both_sides(api: Api, embedding: Json, said: str) -> None:
    refused = await api.call("POST", "/api/discovery/search", {"embedding": embedding}, status=400)
    body = {"did": an_agent("new"), "capabilities": [{"description": "x", "embedding": embedding}]}
    likewise = await api.call("POST", "/api/agents/register", body, status=400)

    assert said in refused["message"]
    assert said in likewise["message"]
    await api.get(f"/api/agents/{an_agent('new')}", status=404)


async def test_an_agent_is_found_by_the_embedding_that_it_sends(api: Api) -> None:
    east, west = [1.0, *[0.0] * 255], [-1.0, *[0.0] * 255]
    await register(api, "east", "x", embedding=east)
    await register(api, "west", "x", embedding=to_base64(west))

    (found,) = await search(api, embedding=west, limit=1)

    assert names([found], ["west"]) == ["west"]


async def test_what_an_agent_can_do_no_more_is_not_found(api: Api) -> None:
    await register(api, "poet", "Repairs bicycles")

    (found,) = await search(api, "sonnets and limericks for a birthday", limit=1)
    assert names([found]) != ["poet"]
    assert names(await search(api, "bicycles", limit=1)) == ["poet"]
    await register(api, "poet")
    assert "poet" not in names(await search(api, "bicycles"))


async def test_an_expired_agent_is_not_found(api: Api) -> None:
    assert names(await search(api, "sonnets", limit=1)) == ["poet"]
    await let_pass(api.broker.database, timedelta(hours=2))

    assert await search(api, "sonnets") == []
    assert await search(api, "sonnets", tags=["poetry"]) == []


async def test_the_same_registration_writes_no_vector_again(api: Api) -> None:
    query = "SELECT ctid::text || xmin::text FROM capability_vectors ORDER BY 1"
    before = await api.broker.database.fetch(query)
    for name, (description, tags) in CAN.items():
        await register(api, name, description, tags=tags)

    assert await api.broker.database.fetch(query) == before


async def test_in_strict_mode_anybody_may_search(database_url: str) -> None:
    async with a_strict_api(database_url) as strict:
        alice = identity("alice")
        await strict.register(alice)
        await strict.api.client.post(
            "/api/discovery/envelope", content=an_envelope(alice), headers={"content-type": "application/json"}
        )

        (found,) = await search(strict.api, "who can answer questions")
        assert found["did"] == alice.did


async def test_an_envelope_discovers(api: Api) -> None:
    alice = identity("alice")
    forms: Sequence[dict[str, Any]] = (
        {"to_query": {"description": "sonnets"}},
        {"payload": {"query": {"description": "sonnets"}}},
    )
    for said in forms:
        raw = an_envelope(alice, **{"msg_type": "DISCOVER", "payload": {}, **said})
        answer = await api.client.post(
            "/api/discovery/envelope", content=raw, headers={"content-type": "application/json"}
        )
        assert answer.status_code == 200, answer.text
        assert names(answer.json()["results"])[0] == "poet"

    for payload in ({}, {"query": {"limit": 0}}):
        raw = an_envelope(alice, msg_type="DISCOVER", payload=payload)
        answer = await api.client.post(
            "/api/discovery/envelope", content=raw, headers={"content-type": "application/json"}
        )
        assert (answer.status_code, answer.json()["error"]) == (400, "INVALID_DISCOVER_PAYLOAD")
