"""What time decides: who is heard too late, and when a seed may be known."""

from support.api import an_api

_OVER = "UPDATE task_receipts SET window_ends_at = now() - interval '1 second'"


async def test_nobody_is_heard_on_a_decided_receipt_after_its_window(database_url: str) -> None:
    async with an_api(database_url) as api:
        client, agent, *_ = await api.register(8)
        settled = await api.settled(client, agent)
        *early, late = settled["receipt"]["committee"][:4]
        for member in early:
            await api.attest(settled["task_id"], member, "AUDIT_PASS")
        await api.broker.database.execute(_OVER)

        refused = await api.attest(settled["task_id"], late, "AUDIT_FAIL", status=409)

        assert refused["error"] == "RECEIPT_CLOSED"


async def test_the_seed_of_a_receipt_without_a_committee_is_not_told(database_url: str) -> None:
    async with an_api(database_url) as api:
        client, agent, *_ = await api.register(4)
        settled = await api.settled(client, agent)
        path = f"/api/receipts/{settled['task_id']}"

        shown = [settled["receipt"], await api.get(path), await api.get(f"{path}/committee")]
        statement = await api.get(f"{path}/statement")

        assert [answer["seed"] for answer in shown] == [None, None, None]
        assert statement["seed"] is None
        assert statement["seed_commitment"] == shown[2]["seed_commitment"] != None  # noqa: E711 - it is a text
