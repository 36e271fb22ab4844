"""Every fact leaves a row for those it concerns, in the transaction of the fact."""

from collections.abc import Sequence

from ainp.operations import negotiations
from ainp.worker import finalizer
from support.api import Api, an_api
from support.listening import a_whole_job

_OVER = "UPDATE task_receipts SET window_ends_at = now() - interval '1 second' WHERE judged_at IS NULL"


async def told(api: Api) -> list[tuple[str, list[str]]]:
    rows = await api.broker.database.fetch("SELECT event, recipients, body FROM outbox ORDER BY id")
    assert {row["body"]["@type"] for row in rows} <= {"NOTIFICATION"}
    assert all(row["event"].endswith("." + row["body"]["event"]) for row in rows)
    return [(row["event"], list(row["recipients"])) for row in rows]


async def negotiated(api: Api, client: str, agent: str, move: str, by: str) -> None:
    opened = await api.initiate(client, agent)
    await api.call("POST", f"/api/negotiations/{opened['id']}/{move}", {}, by=by)


async def test_a_task_that_succeeds_is_told_step_by_step(database_url: str) -> None:
    async with an_api(database_url) as api:
        client, agent, *_ = await api.register(7)

        _, committee = await a_whole_job(api, client, agent)

        everyone = [agent, client, *committee]
        attested = ("receipt.attested", everyone)
        assert await told(api) == [
            ("negotiation.proposed", [agent]),
            ("negotiation.proposed", [client]),
            ("negotiation.counter_proposed", [agent]),
            ("negotiation.accepted", [client]),
            ("negotiation.delivered", [client]),
            ("negotiation.settled", [client, agent]),
            ("receipt.opened", everyone),
            *[attested] * 3,
            ("receipt.finalized", everyone),
            *[attested] * 3,
            ("receipt.judged", everyone),
        ]


async def test_what_ends_early_is_told(database_url: str) -> None:
    async with an_api(database_url) as api:
        client, agent, *_ = await api.register(7)
        await negotiated(api, client, agent, "reject", agent)
        await negotiated(api, client, agent, "cancel", client)
        await api.initiate(client, agent)
        await api.broker.database.execute(
            "UPDATE negotiations SET expires_at = now() - interval '1 second' WHERE state = 'initiated'"
        )
        await negotiations.expire_due(api.broker.database)

        ends = [event for event in await told(api) if event[0] != "negotiation.proposed"]

        assert ends == [
            ("negotiation.rejected", [client]),
            ("negotiation.cancelled", [agent]),
            ("negotiation.expired", [client, agent]),
        ]


async def test_silence_and_a_late_committee_are_told(database_url: str) -> None:
    async with an_api(database_url, pou_max_extensions=1) as api:
        client, agent, *_ = await api.register(9)
        await api.settled(client, agent)
        for _ in range(2):
            await api.broker.database.execute(_OVER)
            await finalizer.run(api.broker)

        names: Sequence[str] = [name for name, _ in await told(api) if name.startswith("receipt.")]

        assert names == ["receipt.opened", "receipt.extended", "receipt.failed", "receipt.judged"]
