"""From the first voice to the judgement: windows, extensions, late seats, rewards, records."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from uuid import UUID

import pytest

from ainp.core.committee import draw
from ainp.core.errors import DatabaseUnavailable
from ainp.core.ids import TaskId
from ainp.operations import judging
from ainp.operations.receipts import FIRST
from ainp.store import receipts
from ainp.worker import finalizer
from support.api import Api, Json, an_api
from support.books import wrong
from support.clock import close_window, let_pass


@pytest.fixture
async def api(database_url: str) -> AsyncIterator[Api]:
    async with an_api(database_url) as api:
        yield api
        assert await wrong(api.broker.database) == []


async def a_settled_task(api: Api, others: int = 20, **proposal: object) -> Json:
    client, agent, *_ = await api.register(others + 2)
    return await api.settled(client, agent, **proposal)


async def show(api: Api, settled: Json) -> Json:
    return await api.get(f"/api/receipts/{settled['task_id']}")


async def run_the_job(api: Api, settled: Json) -> Json:
    """Let the window end, run the job, and show the receipt."""
    await close_window(api.broker.database, settled["task_id"])
    await finalizer.run(api.broker)
    return await show(api, settled)


async def held_by(api: Api, account: str) -> int:
    found = await api.broker.database.fetchval(
        "SELECT balance + coalesce((SELECT sum(amount) FROM ledger_pending p WHERE p.account = a.account), 0)::bigint"
        " FROM accounts a WHERE account = $1",
        account,
    )
    return int(found or 0)


async def records(api: Api, dids: Sequence[str]) -> list[tuple[int, int, int]]:
    found = []
    for did in dids:
        auditor = (await api.get(f"/api/reputation/{did}"))["auditor"]
        found.append((auditor["agreed"], auditor["disagreed"], auditor["silent"]))
    return found


async def test_silence_extends_the_committee_by_the_next_seats_of_its_own_draw(api: Api) -> None:
    settled = await a_settled_task(api)
    drawn = settled["receipt"]["committee"]

    extended = await run_the_job(api, settled)

    assert extended["status"] == "pending"
    assert extended["committee"][:5] == drawn
    stored = await receipts.get(api.broker.database, TaskId(UUID(settled["task_id"])))
    assert stored is not None
    receipt, now = stored
    assert receipt.seed is not None
    assert receipt.epoch_id is not None
    epoch = (await api.broker.epochs.named(api.broker.database, receipt.epoch_id)).epoch
    assert receipt.committee == draw(epoch, seed=receipt.seed, seats=10, parties=receipt.contractors)
    assert timedelta(minutes=59) < receipt.window_ends_at - now <= timedelta(minutes=60)
    assert receipt.extensions == 1


async def test_only_the_silent_are_joined_by_others(api: Api) -> None:
    settled = await a_settled_task(api)
    for member in settled["receipt"]["committee"][:2]:
        await api.attest(settled["task_id"], member, "AUDIT_PASS")

    extended = await run_the_job(api, settled)

    assert len(extended["committee"]) == 5 + 3


async def test_a_new_member_may_speak_and_counts(api: Api) -> None:
    settled = await a_settled_task(api)
    for member in settled["receipt"]["committee"][:2]:
        await api.attest(settled["task_id"], member, "AUDIT_PASS")
    extended = await run_the_job(api, settled)

    answer = await api.attest(settled["task_id"], extended["committee"][-1], "AUDIT_PASS")

    assert answer["status"] == "finalized"


async def test_after_two_extensions_silence_is_no_verdict_and_the_pool_gets_the_reward(api: Api) -> None:
    settled = await a_settled_task(api)
    agent = settled["receipt"]["agent_did"]
    before = await api.get(f"/api/reputation/{agent}")
    pool = await held_by(api, "pool")

    for extension in (1, 2):
        assert (await run_the_job(api, settled))["status"] == "pending", extension
    ended = await run_the_job(api, settled)

    assert (ended["status"], ended["receipt"]["failure"]) == ("failed", "no_verdict")
    assert ended["judged_at"] is not None
    assert await held_by(api, f"reward:{settled['task_id']}") == 0
    assert await held_by(api, "pool") == pool + 10_000
    after = await api.get(f"/api/reputation/{agent}")
    assert {name: after[name] for name in "qrv"} == {name: before[name] for name in "qrv"}
    assert await records(api, ended["committee"]) == [(0, 0, 1)] * len(ended["committee"])
    refused = await api.attest(settled["task_id"], ended["committee"][0], "AUDIT_PASS", status=409)
    assert refused["error"] == "RECEIPT_CLOSED"


async def test_the_job_leaves_what_has_been_judged_alone(api: Api) -> None:
    client, agent, *_ = await api.register()
    judged = await api.finalized(client, agent)
    version = await api.broker.database.fetchval("SELECT version FROM task_receipts")

    await close_window(api.broker.database, judged["receipt"]["id"])
    await finalizer.run(api.broker)

    assert await api.broker.database.fetchval("SELECT version FROM task_receipts") == version


async def test_when_everybody_has_spoken_the_judgement_does_not_wait(api: Api) -> None:
    settled = await a_settled_task(api)
    task, committee = settled["task_id"], settled["receipt"]["committee"]
    await api.attest(task, settled["receipt"]["client_did"], "ACCEPTED")
    for member in committee[:4]:
        await api.attest(task, member, "AUDIT_PASS")
    waiting = await show(api, settled)
    assert (waiting["status"], waiting["judged_at"]) == ("finalized", None)

    answer = await api.attest(task, committee[4], "AUDIT_FAIL")

    assert answer["late"] is True
    judged = await show(api, settled)
    assert judged["status"] == "finalized"
    assert judged["judged_at"] is not None


async def test_the_reward_is_shared_by_those_who_gave_a_verdict_and_the_rest_goes_to_the_pool(api: Api) -> None:
    settled = await a_settled_task(api, price=1)  # 100 atomic units are for the committee
    committee = settled["receipt"]["committee"]
    before = [await held_by(api, f"available:{member}") for member in committee]
    pool = await held_by(api, "pool")
    for member in committee[:2]:
        await api.attest(settled["task_id"], member, "AUDIT_PASS")
    await api.attest(settled["task_id"], committee[2], "AUDIT_FAIL")
    await api.attest(settled["task_id"], committee[3], "AUDIT_PASS")
    assert (await show(api, settled))["status"] == "finalized"
    for member in committee[4:]:
        assert await held_by(api, f"available:{member}") == 1_000_000

    await run_the_job(api, settled)

    after = [await held_by(api, f"available:{member}") for member in committee]
    assert [now - then for then, now in zip(before, after, strict=True)] == [25, 25, 25, 25, 0]
    assert await held_by(api, "pool") == pool
    assert await records(api, committee) == [(1, 0, 0), (1, 0, 0), (0, 1, 0), (1, 0, 0), (0, 0, 1)]


async def test_what_cannot_be_shared_equally_goes_to_the_pool(api: Api) -> None:
    settled = await a_settled_task(api, price=1)
    pool = await held_by(api, "pool")
    for member in settled["receipt"]["committee"][:3]:
        await api.attest(settled["task_id"], member, "AUDIT_PASS")

    await run_the_job(api, settled)

    assert await held_by(api, "pool") == pool + 1
    assert await held_by(api, f"reward:{settled['task_id']}") == 0


async def test_a_price_below_the_least_moves_no_reputation(api: Api) -> None:
    client, agent, *_ = await api.register()

    judged = await api.finalized(client, agent, price=0.999)

    assert judged["status"] == "finalized"
    assert await api.broker.database.fetchval("SELECT count(*) FROM reputation_observations") == 0
    reputation = await api.get(f"/api/reputation/{agent}")
    assert [reputation[name] for name in "qtrsvie"] == [0.5] * 7
    assert await records(api, judged["committee"]) == [(1, 0, 0)] * 5


async def test_a_free_task_has_a_receipt_and_moves_nothing(api: Api) -> None:
    client, agent, *_ = await api.register()
    entries = await api.broker.database.fetchval("SELECT count(*) FROM ledger_entries")

    judged = await api.finalized(client, agent, price=0)

    assert judged["status"] == "finalized"
    assert await api.broker.database.fetchval("SELECT count(*) FROM ledger_entries") == entries
    assert await api.broker.database.fetchval("SELECT count(*) FROM reputation_observations") == 0


async def test_receipts_of_one_agent_in_one_batch_fold_in_order(api: Api) -> None:
    client, agent, *_ = await api.register(12)
    every = [await api.settled(client, agent) for _ in range(4)]
    for place, settled in enumerate(every):
        kind = "AUDIT_PASS" if place % 2 else "AUDIT_FAIL"
        for member in settled["receipt"]["committee"][:3]:
            await api.attest(settled["task_id"], member, kind)
    await api.broker.database.execute("UPDATE task_receipts SET window_ends_at = now() - interval '1 second'")

    await finalizer.run(api.broker)

    rows = await api.broker.database.fetch(
        "SELECT before, after, observed FROM reputation_observations WHERE dimension = 'r' ORDER BY id"
    )
    assert sorted(row["observed"] for row in rows) == [0, 0, 1_000_000, 1_000_000]
    value = 500_000
    for row in rows:
        assert row["before"] == value
        value = round(0.8 * value + 0.2 * row["observed"])
        assert row["after"] == value
    assert (await api.get(f"/api/reputation/{agent}"))["r"] == value / 1_000_000
    assert await api.broker.database.fetchval("SELECT clients FROM agent_reputation") == 1


async def test_a_receipt_without_a_committee_is_seated_when_enough_were_there_before(database_url: str) -> None:
    """Two eligible auditors are too few; five who come later don't help; five who were away do."""
    async with an_api(database_url) as api:
        database = api.broker.database
        client, agent, *others = await api.register(7)
        await away(api, others)
        settled = await api.settled(client, agent)
        assert settled["receipt"]["committee"] == []
        late = await api.register(8, "latecomer")
        await refreshed(api)
        await finalizer.run(api.broker)
        assert (await show(api, settled))["committee"] == []
        refused = await api.attest(settled["task_id"], late[0], "AUDIT_PASS", status=403)
        assert refused["error"] == "UNAUTHORIZED_ATTESTATION"

        await back(api, others)
        await refreshed(api)
        await finalizer.run(api.broker)

        seated = await show(api, settled)
        assert set(seated["committee"]) == set(others)
        for member in seated["committee"][:3]:
            await api.attest(settled["task_id"], member, "AUDIT_PASS")
        assert (await show(api, settled))["status"] == "finalized"
        assert await wrong(database) == []


async def test_one_too_few_is_not_seated(database_url: str) -> None:
    async with an_api(database_url) as api:
        client, agent, *others = await api.register(6)
        await away(api, others)
        settled = await api.settled(client, agent)
        await back(api, others)
        await refreshed(api)

        done = await judging.seat_due(
            api.broker.database,
            after=(FIRST[0], TaskId(FIRST[1])),
            policy=api.broker.terms.judging,
            epochs=api.broker.epochs,
            batch=10,
        )

        assert (done.seated, done.looked_at) == ((), 1)
        assert (await show(api, settled))["committee"] == []


async def test_a_receipt_that_nobody_could_be_seated_on_ends(api: Api) -> None:
    client, agent = await api.register(2)
    settled = await api.settled(client, agent)

    await run_the_job(api, settled)
    await run_the_job(api, settled)
    ended = await run_the_job(api, settled)

    assert (ended["status"], ended["receipt"]["failure"]) == ("failed", "no_verdict")
    assert await held_by(api, f"reward:{settled['task_id']}") == 0


async def test_receipts_that_cannot_move_do_not_starve_those_that_can(database_url: str) -> None:
    """More of them than a batch holds are noted as decidable and are not; one behind them is."""
    async with an_api(database_url, pou_finalizer_enabled=False, pou_finalizer_batch=3) as api:
        client, agent, *_ = await api.register()
        stuck = [await api.settled(client, agent, price=1) for _ in range(7)]
        await api.broker.database.execute("UPDATE task_receipts SET decidable = true")
        live = await api.settled(client, agent, price=1)
        for member in live["receipt"]["committee"][:3]:
            await api.attest(live["task_id"], member, "AUDIT_PASS")

        await finalizer.run(api.broker)

        assert (await show(api, live))["status"] == "finalized"
        assert [(await show(api, one))["status"] for one in stuck] == ["pending"] * 7
        assert await api.broker.database.fetchval("SELECT count(*) FROM task_receipts WHERE decidable") == 0


async def test_many_that_are_due_are_worked_off_in_one_run(database_url: str) -> None:
    async with an_api(database_url, pou_finalizer_enabled=False, pou_finalizer_batch=2) as api:
        client, agent, *_ = await api.register()
        every = [await api.settled(client, agent, price=1) for _ in range(5)]
        for settled in every:
            for member in settled["receipt"]["committee"][:3]:
                await api.attest(settled["task_id"], member, "AUDIT_PASS")

        await finalizer.run(api.broker)

        assert [(await show(api, one))["status"] for one in every] == ["finalized"] * 5
        assert await wrong(api.broker.database) == []


async def test_without_the_finalizer_the_route_still_decides(database_url: str) -> None:
    async with an_api(database_url, pou_finalizer_enabled=False) as api:
        client, agent, *_ = await api.register()
        settled = await api.settled(client, agent)
        for member in settled["receipt"]["committee"][:3]:
            assert (await api.attest(settled["task_id"], member, "AUDIT_PASS"))["status"] == "pending"

        done = await api.call("POST", f"/api/receipts/{settled['task_id']}/finalize", {})

        assert done["status"] == "finalized"
        assert await wrong(api.broker.database) == []


async def test_a_job_that_dies_half_way_leaves_nothing_and_the_next_one_does_it(api: Api) -> None:
    settled = await a_settled_task(api)
    for member in settled["receipt"]["committee"][:3]:
        await api.attest(settled["task_id"], member, "AUDIT_PASS")
    await close_window(api.broker.database, settled["task_id"])
    database = api.broker.database
    async with database.transaction() as tx:  # the job waits for the worker's reputation
        await tx.execute("SELECT FROM agent_reputation FOR UPDATE")
        run = asyncio.create_task(finalizer.run(api.broker))
        await asyncio.sleep(0.2)
        await tx.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        with pytest.raises(DatabaseUnavailable):
            await run
    assert (await show(api, settled))["judged_at"] is None

    await finalizer.run(api.broker)

    assert (await show(api, settled))["judged_at"] is not None


async def away(api: Api, dids: Sequence[str]) -> None:
    await seen_hours_ago(api, dids, 1000)


async def back(api: Api, dids: Sequence[str]) -> None:
    await seen_hours_ago(api, dids, 0)


async def seen_hours_ago(api: Api, dids: Sequence[str], hours: int) -> None:
    await api.broker.database.execute(
        "UPDATE agents SET last_seen_at = now() - $2 * interval '1 hour' WHERE did = ANY ($1::text[])", dids, hours
    )


async def refreshed(api: Api) -> None:
    """A minute passes, and the list of candidates is made anew."""
    await let_pass(api.broker.database, timedelta(seconds=61))
    await api.broker.epochs.refresh(api.broker.database)
