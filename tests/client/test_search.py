"""The SDK finds agents."""

from ainp.client.clients import AsyncClient
from ainp.wire.agents import CapabilityBody
from support.signing import a_strict_broker, identity

BOB = identity("bob")


async def test_an_agent_is_found_with_the_sdk_by_whoever_asks(database_url: str) -> None:
    alice = identity("alice")
    async with a_strict_broker(database_url) as (_, port):
        url = f"http://127.0.0.1:{port}"
        async with AsyncClient(url, alice) as client:
            await client.register("Writes sonnets and limericks")
            (signed,) = await client.search("somebody who writes limericks")
        async with AsyncClient(url) as nobody:
            (found,) = await nobody.search("somebody who writes limericks", limit=1, tags=[], min_trust=0)

    assert (signed.did, found.did) == (alice.did, alice.did)
    assert 0 < found.rank.score < 1


async def test_terms_are_said_and_kept_to_with_the_sdk(database_url: str) -> None:
    async with a_strict_broker(database_url) as (_, port), AsyncClient(f"http://127.0.0.1:{port}", BOB) as client:
        await client.register(CapabilityBody("Writes sonnets", latency_ms=1500, cost=2.5))
        (found,) = await client.search("sonnets", max_latency_ms=1500, max_cost=2.5)

        assert (found.capabilities[0].latency_ms, found.capabilities[0].cost) == (1500, 2.5)
        assert await client.search("sonnets", max_latency_ms=1499) == []
        assert await client.search("sonnets", max_cost=2) == []
