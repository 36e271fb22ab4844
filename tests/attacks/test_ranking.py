"""Attacks on the order in which agents are found: what one says of itself, alone or as a crowd, buys no place."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from ainp.worker import upkeep
from support.api import Api, Json, an_api
from support.builders import an_agent
from support.clock import let_pass
from support.world import ADMIN_TOKEN

WORK = "Translates German contracts into English for lawyers"
ASKED = "translate a German contract into English"


@pytest.fixture
async def api(database_url: str) -> AsyncIterator[Api]:
    settings = {"admin_token": ADMIN_TOKEN, "initial_credits": 50_000_000, "pou_k": 1, "pou_m": 1}
    async with an_api(database_url, **settings) as api:
        yield api


async def register(api: Api, name: str, *descriptions: str, **said: object) -> str:
    did = an_agent(name)
    address = {"did": did, "capabilities": [{"description": text} for text in descriptions], **said}
    await api.call("POST", "/api/agents/register", {"address": address})
    return did


async def work(api: Api, agent: str, clients: list[str], *, auditors: bool = True) -> None:
    """Have *agent* do a task for each of *clients*, finalized with the best of verdicts if there are *auditors*."""
    for client in clients:
        settled = await api.settled(client, agent)
        for member in settled["receipt"]["committee"] if auditors else ():
            await api.attest(settled["task_id"], member, "AUDIT_PASS", score=1, confidence=1)
            await api.attest(settled["task_id"], client, "ACCEPTED", score=1, confidence=1)
    await upkeep.rank_by_trust(api.broker)


async def found(api: Api, **query: object) -> list[str]:
    hits: list[Json] = await api.call("POST", "/api/discovery/search", {"description": ASKED, **query})
    return [hit["did"] for hit in hits]


async def test_trust_that_is_claimed_at_registration_changes_nothing(api: Api) -> None:
    perfect = {"score": 1, "dimensions": dict.fromkeys(("reliability", "honesty", "competence", "timeliness"), 1)}
    await register(api, "honest", WORK)
    await register(api, "boaster", f"{WORK}.", trust={**perfect, "decay_rate": 1, "last_updated": 0})
    await upkeep.rank_by_trust(api.broker)

    hits = await api.call("POST", "/api/discovery/search", {"description": ASKED})
    assert {hit["did"]: hit["rank"]["trust"] for hit in hits} == {an_agent("honest"): 0, an_agent("boaster"): 0}
    assert await found(api, min_trust=0.01) == []


async def test_ten_self_made_tasks_do_not_pass_a_long_record(api: Api) -> None:
    people = [*await api.register(30, "client")]
    known = await register(api, "known", f"{WORK} and notaries")
    fresh = await register(api, "fresh", WORK)
    await work(api, known, people[:25])
    await work(api, fresh, people[:1] * 10)  # ten of one's own second identity

    assert await found(api) == [known, fresh]
    assert await found(api, min_trust=0.8) == [known]


async def test_a_crowd_of_newcomers_does_not_hide_who_has_a_record(api: Api) -> None:
    people = [*await api.register(12, "client")]
    known = await register(api, "known", "Renders contracts that are in German as English ones")
    await work(api, known, people[:10])
    for number in range(130):
        await register(api, f"copy {number}", ASKED)

    assert known in await found(api)
    assert (await found(api, min_trust=0.1)) == [known]


async def test_one_agent_with_many_capabilities_takes_one_place(api: Api) -> None:
    await register(api, "crowd", *(f"{ASKED}, variant {number}" for number in range(100)))
    await register(api, "other crowd", *(f"{ASKED}, way {number}" for number in range(100)))
    modest = await register(api, "modest", "Translation work")

    assert await found(api) == [
        *sorted([an_agent("crowd"), an_agent("other crowd")], key=(await found(api)).index),
        modest,
    ]


async def test_who_is_slashed_or_expires_falls(api: Api) -> None:
    people = [*await api.register(12, "client")]
    one, other = await register(api, "one", WORK), await register(api, "other", f"{WORK} now")
    await work(api, one, people[:11])
    await work(api, other, people[:9])
    assert await found(api) == [one, other]

    await api.call("POST", "/api/stakes", {"agent_did": one, "amount_atomic": 1000})
    for _ in range(3):
        body = {"agent_did": one, "amount_atomic": "1", "reason": "passed off a machine's draft as its own"}
        headers = {"authorization": f"Bearer {ADMIN_TOKEN}"}
        await api.call("POST", "/api/admin/slash", body, headers=headers)
    await upkeep.rank_by_trust(api.broker)
    assert await found(api) == [other, one]

    await let_pass(api.broker.database, timedelta(hours=2))
    assert await found(api) == []


async def test_trust_decays_while_nobody_works_with_an_agent(api: Api) -> None:
    people = [*await api.register(12, "client")]
    agent = await register(api, "agent", WORK)
    await work(api, agent, people[:10])
    query = "SELECT trust_rank FROM agents WHERE did = $1"
    before = await api.broker.database.fetchval(query, agent)

    await let_pass(api.broker.database, timedelta(days=30))
    await upkeep.rank_by_trust(api.broker)

    assert 0 < await api.broker.database.fetchval(query, agent) < before
