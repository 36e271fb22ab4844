"""Agents that are apart: drawn for each other only, found by nobody, and their money back however they end."""

from collections.abc import Sequence
from contextlib import aclosing
from datetime import timedelta

import pytest

from ainp.core.audit import Finding
from ainp.core.cohort import LIFETIME
from ainp.core.did import AgentDid
from ainp.operations import cohorts, fsck, trust_ranks
from ainp.operations.fsck import Skipped
from ainp.store.cohorts import Lent
from ainp.worker import upkeep
from support.api import Api, an_api
from support.builders import agents

LENT = 100_000
APART = agents(7, "apart")
CLIENT, WORKER, *AUDITORS = APART
GONE = timedelta(seconds=-1)  # over already


async def begin(api: Api, *, lifetime: timedelta = LIFETIME) -> int:
    return await cohorts.begin(api.broker.database, APART, lent=LENT, lifetime=lifetime)


async def close(api: Api, number: int) -> Lent:
    policy, epochs = api.broker.terms.judging, api.broker.epochs
    return await cohorts.close(api.broker.database, number, policy=policy, epochs=epochs)


async def wrong(api: Api) -> list[str]:
    async with aclosing(fsck.run(api.broker.database)) as events:
        return [str(event) async for event in events if isinstance(event, Finding | Skipped)]


async def money(api: Api) -> dict[str, int]:
    """What everybody has, what is pending with it; what is 0 is left out."""
    rows = await api.broker.database.fetch(
        "SELECT account, sum(balance)::bigint AS held FROM (SELECT account, balance FROM accounts"
        " UNION ALL SELECT account, amount FROM ledger_pending) part GROUP BY account HAVING sum(balance) <> 0"
    )
    return {row["account"]: row["held"] for row in rows}


async def drawn(api: Api, parties: Sequence[str]) -> set[str]:
    return set((await api.settled(*parties))["receipt"]["committee"])


async def test_a_whole_task_leaves_no_money_anywhere(database_url: str) -> None:
    async with an_api(database_url) as api:
        (broker_did,) = await api.register(1, "broker")
    async with an_api(database_url, broker_did=broker_did) as api:
        await api.register(8)
        before = await money(api)
        number = await begin(api)

        receipt = await api.finalized(CLIENT, WORKER)
        seats = await api.get(f"/api/receipts/{receipt['id']}/committee")
        assert await wrong(api) == []
        lent = await close(api, number)

        assert (receipt["status"], seats["epoch"], set(seats["committee"])) == ("finalized", number, set(AUDITORS))
        assert lent == Lent(LENT, LENT)
        assert await money(api) == before
        assert await wrong(api) == []
        assert await close(api, number) == lent


@pytest.mark.parametrize("step", ["begun", "initiated", "accepted", "delivered", "settled", "passed", "decided"])
async def test_wherever_it_dies_a_job_gives_the_money_back(database_url: str, step: str) -> None:
    async with an_api(database_url, pou_finalizer_enabled=False) as api:
        before = await money(api)
        await begin(api, lifetime=GONE if step == "begun" else timedelta(minutes=5))
        await _until(api, step)
        await api.broker.database.execute("UPDATE cohorts SET ends_at = now() - interval '1 second'")

        await upkeep.close_cohorts(api.broker)

        assert await api.broker.database.fetchval("SELECT count(*) FROM cohorts WHERE closed_at IS NOT NULL") == 1
        assert await money(api) == before
        assert await wrong(api) == []
        await upkeep.close_cohorts(api.broker)  # nothing is left to do


async def _until(api: Api, step: str) -> None:
    if step == "initiated":
        await api.initiate(CLIENT, WORKER)
    if step in ("accepted", "delivered"):
        accepted = await api.accepted(CLIENT, WORKER)
        if step == "delivered":
            await api.call("POST", f"/api/negotiations/{accepted['id']}/deliver", {}, by=WORKER)
    if step in ("settled", "passed", "decided"):
        settled = await api.settled(CLIENT, WORKER)
        voices = {"settled": 0, "passed": 2, "decided": 3}[step]
        for member in settled["receipt"]["committee"][:voices]:
            await api.attest(settled["task_id"], member, "AUDIT_PASS")


async def test_nobody_else_sits_in_its_committee_and_it_in_nobody_elses(database_url: str) -> None:
    async with an_api(database_url) as api:
        others = await api.register(4)  # fewer than m beside the parties
        await begin(api)

        theirs, own = await drawn(api, (CLIENT, WORKER)), None
        await api.register(8)
        own = await drawn(api, others[:2])

        assert theirs == set(AUDITORS)
        assert own
        assert own.isdisjoint(APART)
        newest = await api.broker.epochs.rebuild(api.broker.database)
        assert newest.id > 0
        assert newest.epoch.population == 8


async def test_a_first_task_of_all_is_drawn_from_the_list_of_all(database_url: str) -> None:
    """While there is no list but a cohort's, there is none."""
    async with an_api(database_url) as api:
        await begin(api)
        others = await api.register(8)

        own = await drawn(api, others[:2])

        assert len(own) == 5
        assert own <= set(others)


async def test_to_everybody_else_its_agents_are_not_registered(database_url: str) -> None:
    async with an_api(database_url) as api:
        outsider, *_ = await api.register(8)
        await begin(api)

        for client, agent in ((outsider, WORKER), (CLIENT, outsider)):
            opened = await api.initiate(client, agent)
            path = f"/api/negotiations/{opened['id']}/accept"
            refused = await api.call("POST", path, {"acceptor_did": agent}, status=404)
            assert refused["error"] == "AGENT_NOT_FOUND"


async def test_its_record_counts_in_no_ranking(database_url: str) -> None:
    async with an_api(database_url) as api:
        client, agent, *_ = await api.register(8)
        await begin(api)
        for parties in ((CLIENT, WORKER), (client, agent)):
            await api.finalized(*parties)

        await trust_ranks.refresh(api.broker.database)

        ranked = await api.broker.database.fetch("SELECT did FROM agents WHERE trust_rank > 0")
        assert [row["did"] for row in ranked] == [agent]
        assert (await api.get(f"/api/reputation/{WORKER}"))["distinct_clients"] == 1  # it can be looked at


async def test_its_list_can_be_read_and_stays(database_url: str) -> None:
    async with an_api(database_url) as api:
        number = await begin(api)
        await api.broker.database.execute("UPDATE committee_epochs SET created_at = now() - interval '1 day'")
        await api.register(8)
        await api.broker.epochs.refresh(api.broker.database)

        shown = await api.get(f"/api/committee-epochs/{number}")

        assert set(shown["members"]) == set(APART)
        await api.get("/api/committee-epochs/--1", status=404)


async def test_what_the_pool_has_paid_out_meanwhile_is_not_asked_for(database_url: str) -> None:
    async with an_api(database_url) as api:
        number = await begin(api)
        await api.finalized(CLIENT, WORKER)
        await api.broker.database.execute(
            "INSERT INTO ledger_entries (key, from_account, to_account, amount, reason)"
            " VALUES ('x', 'pool', 'mint', 6000, 'usefulness_reward')"
        )

        lent = await close(api, number)

        assert lent == Lent(LENT, LENT - 6000)


async def test_agents_of_a_cohort_are_gone_when_it_is_closed(database_url: str) -> None:
    async with an_api(database_url) as api:
        number = await begin(api)
        await api.get(f"/api/agents/{WORKER}")

        await close(api, number)

        await api.get(f"/api/agents/{AgentDid(WORKER)}", status=404)
