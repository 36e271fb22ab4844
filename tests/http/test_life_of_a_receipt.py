"""The mission's flow from registration to reputation, over HTTP."""

from support.api import an_api


async def test_a_receipt_lives_from_settlement_to_judgement(database_url: str) -> None:
    async with an_api(database_url) as api:
        client, agent, *_ = await api.register(8)

        receipt = await api.finalized(client, agent, delivery_time=60_000)

        assert receipt["status"] == receipt["receipt"]["status"] == "finalized"
        assert len(receipt["committee"]) == 5
        assert receipt["judged_at"] is not None
        reputation = await api.get(f"/api/reputation/{agent}")
        assert reputation["r"] == 0.6
        assert reputation["q"] == 0.582
        worker = await api.get(f"/api/credits/{agent}")
        assert worker["earned"] == "70000"
        assert (await api.get(f"/api/credits/{client}"))["available"] == "900000"
