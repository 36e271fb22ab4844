"""Two registrations of one DID at once leave one of them, whole."""

import asyncio

from support.api import an_api


async def test_of_two_registrations_at_once_one_stands(database_url: str) -> None:
    async with an_api(database_url) as api:
        (did,) = await api.register(1)

        async def register(name: str) -> None:
            capabilities = [{"description": f"{name} {number}"} for number in range(5)]
            await api.call("POST", "/api/agents/register", {"address": {"did": did, "capabilities": capabilities}})

        async with api.broker.database.transaction() as tx:
            await tx.execute("SELECT 1 FROM agents WHERE did = $1 FOR UPDATE", did)
            both = asyncio.gather(register("reads"), register("writes"))
            await asyncio.sleep(0.3)
        await both

        kept = (await api.get(f"/api/agents/{did}"))["capabilities"]
        assert len(kept) == 5
        assert len({capability["description"].split()[0] for capability in kept}) == 1


async def test_what_an_agent_with_trust_adds_is_found_among_those_who_have_a_record(database_url: str) -> None:
    async with an_api(database_url) as api:
        (did,) = await api.register(1)
        database = api.broker.database
        await database.execute("UPDATE agents SET trust_rank = 1 WHERE did = $1", did)
        capabilities = [{"description": "Tunes pianos"}, {"description": "Builds harps"}]
        await api.call("POST", "/api/agents/register", {"address": {"did": did, "capabilities": capabilities}})

        rows = await database.fetch("SELECT recorded FROM capability_vectors")

        assert [row["recorded"] for row in rows] == [True, True]
