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
