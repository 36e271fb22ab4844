"""What the jobs do and what they say, word for word as operators search for it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from functools import partial

import pytest

from ainp.core.did import AgentDid
from ainp.core.errors import DatabaseUnavailable
from ainp.core.http_signature import SKEW, USUAL
from ainp.worker import finalizer, upkeep
from ainp.worker.jobs import scheduled
from support.api import Api, an_api
from support.books import wrong
from support.builders import an_agent
from support.clock import let_pass
from support.races import wait_until
from support.said import what_is_logged
from support.signing import a_strict_api, identity

FORGETS = "[MemoryDistiller] Disabled (set MEMORY_DISTILLER_ENABLED=true to enable)"
AGGREGATED = "[UsefulnessAggregator] Cron job scheduled (0 * * * *)"


@pytest.fixture
async def api(database_url: str) -> AsyncIterator[Api]:
    async with an_api(database_url) as api:
        yield api
        assert await wrong(api.broker.database) == []


async def test_every_run_of_the_finalizer_says_that_it_ran(api: Api) -> None:
    with what_is_logged() as said:
        await finalizer.run(api.broker)

    assert said.messages == ["[PoU Finalizer] Checking 0 pending receipts"]


async def test_the_finalizer_says_what_it_finalized_and_what_that_moved(database_url: str) -> None:
    async with an_api(database_url, pou_finalizer_enabled=False) as api:
        client, agent, *_ = await api.register()
        settled = await api.settled(client, agent)
        task = settled["task_id"]
        await api.attest(task, client, "ACCEPTED")
        for member in settled["receipt"]["committee"]:
            await api.attest(task, member, "AUDIT_PASS")

        with what_is_logged() as said:
            await finalizer.run(api.broker)

        assert said.messages == [
            "[PoU Finalizer] Checking 1 pending receipts",
            "[PoU Finalizer] Finalized task receipt",
            "[PoU Finalizer] Judged task receipt",
            "Reputation updated",
        ]
        finalized = said.facts("[PoU Finalizer] Finalized task receipt")
        assert finalized == {"task_id": task, "attestations": 6, "k": 3, "mode": "committee_only"}
        moved = said.facts("Reputation updated")
        assert moved["agent_did"] == agent
        assert moved["r"] == 0.6


async def test_the_voice_that_completes_the_quorum_logs_the_same_line(api: Api) -> None:
    client, agent, *_ = await api.register()
    settled = await api.settled(client, agent)
    task, members = settled["task_id"], settled["receipt"]["committee"]
    for member in members[:2]:
        await api.attest(task, member, "AUDIT_PASS")

    with what_is_logged() as said:
        await api.attest(task, members[2], "AUDIT_PASS")

    finalized = said.facts("[PoU Finalizer] Finalized task receipt")
    assert finalized == {"task_id": task, "attestations": 3, "k": 3, "mode": "committee_only"}


async def test_the_finalizer_says_what_it_extended_and_what_failed(api: Api) -> None:
    client, agent, *_ = await api.register(20)
    settled = await api.settled(client, agent)
    task = settled["task_id"]
    for _ in range(2):
        await let_pass(api.broker.database, timedelta(minutes=61))
        with what_is_logged() as said:
            await finalizer.run(api.broker)
        assert said.messages == [
            "[PoU Finalizer] Checking 1 pending receipts",
            "[PoU Finalizer] Extended committee",
        ]
    await let_pass(api.broker.database, timedelta(minutes=61))

    with what_is_logged() as said:
        await finalizer.run(api.broker)

    failed = said.facts("[PoU Finalizer] Failed task receipt")
    assert failed == {"task_id": task, "attestations": 0, "k": 3, "mode": "committee_only", "reason": "no_verdict"}


async def test_what_was_never_answered_expires(api: Api) -> None:
    client, agent, *_ = await api.register()
    opened = await api.initiate(client, agent)
    await let_pass(api.broker.database, timedelta(minutes=61))

    with what_is_logged() as said:
        await upkeep.expire(api.broker)

    assert said.facts("Expired stale negotiations") == {"expired": 1, "released": 0}
    assert (await api.get(f"/api/negotiations/{opened['id']}"))["state"] == "expired"


async def test_what_was_accepted_and_not_delivered_goes_back_to_the_client(api: Api) -> None:
    client, agent, *_ = await api.register()
    accepted = await api.accepted(client, agent)
    assert (await api.get(f"/api/credits/{client}"))["reserved"] == "100000"
    await let_pass(api.broker.database, timedelta(minutes=61))

    with what_is_logged() as said:
        await upkeep.expire(api.broker)

    assert said.facts("Expired stale negotiations") == {"expired": 1, "released": 1}
    assert (await api.get(f"/api/negotiations/{accepted['id']}"))["state"] == "expired"
    balance = await api.get(f"/api/credits/{client}")
    assert (balance["available"], balance["reserved"]) == ("1000000", "0")
    told = await api.broker.database.fetchval("SELECT recipients FROM outbox WHERE event = 'negotiation.expired'")
    assert set(told) == {client, agent}


async def test_what_was_delivered_does_not_expire(api: Api) -> None:
    client, agent, *_ = await api.register()
    accepted = await api.accepted(client, agent)
    path = f"/api/negotiations/{accepted['id']}"
    await api.call("POST", f"{path}/deliver", {}, by=agent)
    await let_pass(api.broker.database, timedelta(minutes=119))
    await upkeep.expire(api.broker)
    assert (await api.get(path))["state"] == "accepted"
    refused = await api.call("POST", f"{path}/settle", {}, by=agent, status=403)
    assert refused["error"] == "FORBIDDEN"

    await let_pass(api.broker.database, timedelta(minutes=1))

    assert (await api.call("POST", f"{path}/settle", {}, by=agent))["state"] == "settled"


async def test_more_than_a_batch_expires_in_one_run(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ainp.operations.negotiations.EXPIRY_BATCH", 3)
    monkeypatch.setattr("ainp.worker.upkeep.EXPIRY_BATCH", 3)
    client, agent, *_ = await api.register()
    for _ in range(7):
        await api.accepted(client, agent, price=1)
    await let_pass(api.broker.database, timedelta(minutes=61))

    with what_is_logged() as said:
        await upkeep.expire(api.broker)

    assert said.facts("Expired stale negotiations") == {"expired": 7, "released": 7}


async def test_nothing_to_expire_is_not_worth_a_line(api: Api) -> None:
    with what_is_logged() as said:
        await upkeep.expire(api.broker)

    assert said.messages == []


async def test_rolling_up_folds_the_fees(api: Api) -> None:
    client, agent, *_ = await api.register()
    await api.settled(client, agent)

    await upkeep.roll_up(api.broker)

    rows = await api.broker.database.fetch("SELECT account, balance FROM accounts WHERE hot")
    held = {row["account"]: row["balance"] for row in rows}
    assert (held["fees"], held["pool"]) == (10_000, 10_000)


async def test_a_key_is_forgotten_after_a_day(api: Api) -> None:
    client, agent, *_ = await api.register()
    accepted = await api.accepted(client, agent)
    path, headers = f"/api/negotiations/{accepted['id']}/settle", {"Idempotency-Key": "one"}
    await api.call("POST", path, {}, by=client, headers=headers)
    await upkeep.forget_keys(api.broker)
    assert await api.broker.database.fetchval("SELECT count(*) FROM idempotency_keys") == 1

    await let_pass(api.broker.database, timedelta(hours=24, seconds=1))
    await upkeep.forget_keys(api.broker)

    assert await api.broker.database.fetchval("SELECT count(*) FROM idempotency_keys") == 0


async def test_a_nonce_is_forgotten_when_no_clock_takes_its_signature_any_more(database_url: str) -> None:
    count = "SELECT count(*) FROM used_nonces"
    async with a_strict_api(database_url) as api:
        broker, alice = api.api.broker, identity("alice")
        await api.register(alice)
        await upkeep.forget_nonces(broker)
        assert await broker.database.fetchval(count) == 1

        await let_pass(broker.database, USUAL + 2 * SKEW + timedelta(seconds=2))
        await upkeep.forget_nonces(broker)

        assert await broker.database.fetchval(count) == 0


async def test_the_jobs_are_named_with_the_words_that_their_failures_log(api: Api) -> None:
    with what_is_logged() as said:
        jobs = {job.name: job for job in scheduled(api.broker)}

    assert said.messages == [AGGREGATED, FORGETS, "[PoU Finalizer] Cron job scheduled (*/1 * * * *)"]
    assert jobs["pou-finalizer"].failed == "[PoU Finalizer] Job error"
    assert set(jobs) >= {"negotiation-expiry", "committee-epoch", "ledger-roll-up", "idempotency-keys"}


async def test_a_finalizer_that_is_switched_off_says_so_and_is_not_scheduled(database_url: str) -> None:
    async with an_api(database_url, pou_finalizer_enabled=False) as api:
        with what_is_logged() as said:
            jobs = scheduled(api.broker)

        assert said.messages == [AGGREGATED, FORGETS, "[PoU Finalizer] Disabled via flag POU_FINALIZER_ENABLED"]
        assert "pou-finalizer" not in {job.name for job in jobs}


async def test_who_was_seen_is_written_down(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    (did,) = map(AgentDid, await api.register(1))
    await api.broker.database.execute("UPDATE agents SET last_seen_at = now() - interval '1 day'")
    monkeypatch.setattr("ainp.worker.upkeep.NOTICE_EVERY_S", 0.01)
    api.broker.notice(did)

    await noticing_until(api, lambda: not api.broker.take_seen())

    seen = await api.broker.database.fetchval("SELECT now() - last_seen_at FROM agents WHERE did = $1", did)
    assert seen < timedelta(minutes=1)


@pytest.mark.parametrize("error", [DatabaseUnavailable("gone"), RuntimeError("a bug")], ids=["gone", "bug"])
async def test_noticing_goes_on_after_a_failure(api: Api, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    tries: list[object] = []

    async def failing(_: object, dids: object) -> None:
        tries.append(dids)
        raise error

    monkeypatch.setattr("ainp.worker.upkeep.NOTICE_EVERY_S", 0.01)
    monkeypatch.setattr("ainp.operations.agents.seen", failing)
    task = asyncio.create_task(upkeep.notice_forever(api.broker))
    with what_is_logged():
        for count in (1, 2):
            api.broker.notice(an_agent())
            await wait_until(partial(reached, tries, count))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert len(tries) == 2


def reached(tries: list[object], count: int) -> bool:
    return len(tries) >= count


async def noticing_until(api: Api, done: Callable[[], bool]) -> None:
    task = asyncio.create_task(upkeep.notice_forever(api.broker))
    await asyncio.sleep(0.3)
    assert done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_mail_is_distilled_where_that_is_switched_on(database_url: str) -> None:
    async with an_api(database_url, memory_distiller_enabled=True, memory_distiller_cron="*/7 * * * *") as api:
        [job] = [job for job in scheduled(api.broker) if job.name == "memory-distiller"]
        await job.run()

        assert job.cron == "*/7 * * * *"
