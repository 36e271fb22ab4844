"""Many at once, on one receipt or one agent's reputation."""

from collections import Counter
from collections.abc import Awaitable
from itertools import pairwise

import httpx
import pytest

from ainp.operations import accounts
from ainp.worker import finalizer
from support.api import Api, Json
from support.books import wrong
from support.builders import an_agent
from support.races import at_once, bodies, errors, post, statuses, two_apis

PASS = {"type": "AUDIT_PASS", "score": 0.9, "confidence": 0.9}


def attest(api: Api, settled: Json, by: str, **said: object) -> Awaitable[httpx.Response]:
    return post(api, f"/api/receipts/{settled['task_id']}/attestations", {**PASS, **said}, by=by)


async def told(api: Api, task_id: str) -> Counter[str]:
    """How often each thing was said to have become of a receipt."""
    rows = await api.broker.database.fetch("SELECT event FROM outbox WHERE body ->> 'task_id' = $1", task_id)
    return Counter(row["event"] for row in rows)


async def test_a_hundred_verdicts_of_one_member_count_once(database_url: str) -> None:
    async with two_apis(database_url) as apis:
        client, agent, *_ = await apis[0].register()
        settled = await apis[0].settled(client, agent)
        member = settled["receipt"]["committee"][0]

        answers = await at_once(attest(apis[turn % 2], settled, member) for turn in range(100))

        assert statuses(answers) == {201: 1, 409: 99}
        assert errors(answers) == {"DUPLICATE_ATTESTATION": 99}
        assert bodies(answers, 201)[0]["quorum"]["have"] == 1
        assert await wrong(apis[0].broker.database) == []


async def test_who_passes_and_fails_at_once_said_one_of_them(database_url: str) -> None:
    async with two_apis(database_url) as apis:
        client, agent, *_ = await apis[0].register()
        settled = await apis[0].settled(client, agent)

        for member in settled["receipt"]["committee"][:2]:
            answers = await at_once(
                attest(apis[turn % 2], settled, member, **({} if turn % 2 else {"type": "AUDIT_FAIL", "score": 0.1}))
                for turn in range(10)
            )
            assert statuses(answers) == {201: 1, 409: 9}


async def test_a_hundred_remarks_of_a_hundred_agents_are_all_kept(database_url: str) -> None:
    async with two_apis(database_url) as apis:
        speakers = await apis[0].register(102)
        client, agent = speakers[:2]
        settled = await apis[0].settled(client, agent)

        answers = await at_once(
            attest(apis[turn % 2], settled, by, type="QUALITY_HIGH") for turn, by in enumerate(speakers[2:])
        )

        assert statuses(answers) == {201: 100}


async def test_the_last_voice_arriving_thrice_finalizes_and_judges_once(database_url: str) -> None:
    """Three of five have passed but for one; all five and the client speak at once."""
    async with two_apis(database_url) as apis:
        client, agent, *_ = await apis[0].register()
        for _ in range(5):
            settled = await apis[0].settled(client, agent)
            members = settled["receipt"]["committee"]
            for member in members[:2]:
                await apis[0].attest(settled["task_id"], member, "AUDIT_PASS")

            answers = await at_once(
                [
                    *(attest(apis[turn % 2], settled, member) for turn, member in enumerate(members[2:])),
                    attest(apis[1], settled, client, type="ACCEPTED"),
                ]
            )

            assert statuses(answers) == {201: 4}
            assert await told(apis[0], settled["task_id"]) == {
                "negotiation.settled": 1,
                "receipt.opened": 1,
                "receipt.attested": 6,
                "receipt.finalized": 1,
                "receipt.judged": 1,
            }
        assert await wrong(apis[0].broker.database) == []


async def test_two_finalizers_finalize_once(database_url: str) -> None:
    async with two_apis(database_url, pou_finalizer_enabled=False) as apis:
        client, agent, *_ = await apis[0].register()
        every = [await apis[0].settled(client, agent) for _ in range(6)]
        for settled in every:
            for member in settled["receipt"]["committee"]:
                await apis[0].attest(settled["task_id"], member, "AUDIT_PASS")
            await apis[0].attest(settled["task_id"], client, "ACCEPTED")

        await at_once(finalizer.run(apis[turn % 2].broker) for turn in range(6))

        for settled in every:
            events = await told(apis[0], settled["task_id"])
            assert (events["receipt.finalized"], events["receipt.judged"]) == (1, 1)
        assert await wrong(apis[0].broker.database) == []


@pytest.mark.parametrize("turn", range(3))
async def test_the_job_the_route_and_the_members_may_come_at_once(database_url: str, turn: int) -> None:
    """The window ends while the members speak: whoever was told 201 in time was heard."""
    async with two_apis(database_url) as (one, other):
        client, agent, *_ = await one.register()
        every = [await one.settled(client, agent) for _ in range(6)]
        await one.broker.database.execute(
            "UPDATE task_receipts"
            "   SET window_ends_at = now() + ascii(right(id::text, 1)) % 8 * interval '20 milliseconds'"
        )

        answers = await at_once(
            [
                call
                for settled in every
                for place, member in enumerate(settled["receipt"]["committee"])
                for call in (
                    attest((one, other)[place % 2], settled, member),
                    *([post(other, f"/api/receipts/{settled['task_id']}/finalize")] if place == 2 else []),
                    *([finalizer.run(one.broker)] if place == turn else []),
                )
            ]
        )

        assert {answer.status_code for answer in answers if answer is not None} <= {200, 201, 409}
        await finalizer.run(one.broker)
        for settled in every:
            events = await told(one, settled["task_id"])
            assert events["receipt.finalized"] <= 1
            assert events["receipt.judged"] <= 1
        assert await heard_are_recorded(one) == []
        assert await wrong(one.broker.database) == []


async def test_forty_settlements_with_one_worker_all_succeed(database_url: str) -> None:
    async with two_apis(database_url) as apis:
        agent, *clients = await apis[0].register(41)
        accepted = [(client, await apis[0].accepted(client, agent)) for client in clients]

        answers = await at_once(
            post(apis[turn % 2], f"/api/negotiations/{n['id']}/settle", by=client)
            for turn, (client, n) in enumerate(accepted)
        )

        assert statuses(answers) == {200: 40}
        database = apis[0].broker.database
        rows = await database.fetch(
            "SELECT dimension, before, after, observed FROM reputation_observations ORDER BY id"
        )
        assert Counter(row["dimension"] for row in rows) == {"t": 40, "i": 40}
        for dimension in "ti":
            chain = [row for row in rows if row["dimension"] == dimension]
            assert chain[0]["before"] == 500_000
            assert all(abs(row["before"] - previous["after"]) <= 1 for previous, row in pairwise(chain))
        assert (await apis[0].get(f"/api/credits/{agent}"))["earned"] == str(40 * 70_000)
        assert await wrong(database) == []


@pytest.mark.long
async def test_a_busy_worker_is_not_refused(database_url: str) -> None:
    """More settlements of one worker at once than anybody would try again for: they queue."""
    async with two_apis(database_url) as apis:
        agent, *clients = await apis[0].register(10)
        accepted = [(client, await apis[0].accepted(client, agent, price=1)) for client in clients * 40]

        answers = await at_once(
            post(apis[turn % 2], f"/api/negotiations/{n['id']}/settle", by=client)
            for turn, (client, n) in enumerate(accepted)
        )

        assert statuses(answers) == {200: 360}
        assert await wrong(apis[0].broker.database) == []


async def test_the_brokers_own_agent_is_paid_without_a_queue(database_url: str) -> None:
    broker = an_agent("broker")
    async with two_apis(database_url, broker_did=broker, initial_credits=100_000) as apis:
        body = {"address": {"did": broker, "capabilities": []}}
        await apis[0].call("POST", "/api/agents/register", body)
        database = apis[0].broker.database
        await accounts.prepare_broker_account(database, broker)
        dids = await apis[0].register(12)
        accepted = [
            (client, await apis[0].accepted(client, dids[place - 1], price=10)) for place, client in enumerate(dids)
        ]

        answers = await at_once(
            [
                *(
                    post(apis[turn % 2], f"/api/negotiations/{n['id']}/settle", by=client)
                    for turn, (client, n) in enumerate(accepted)
                ),
                *(accounts.roll_up(database) for _ in range(4)),
            ]
        )

        assert statuses(answer for answer in answers if isinstance(answer, httpx.Response)) == {200: 12}
        assert (await apis[0].get(f"/api/credits/{broker}"))["earned"] == str(12 * 1000)
        assert await wrong(database) == []


async def test_settlements_and_judgements_of_one_worker_take_turns(database_url: str) -> None:
    async with two_apis(database_url) as apis:
        agent, client, *_ = await apis[0].register(9)
        open_ = [await apis[0].settled(client, agent, price=1) for _ in range(6)]
        accepted = [await apis[0].accepted(client, agent, price=1) for _ in range(12)]

        answers = await at_once(
            [
                *(
                    attest(apis[place % 2], settled, member)
                    for settled in open_
                    for place, member in enumerate(settled["receipt"]["committee"])
                ),
                *(attest(apis[0], settled, client, type="ACCEPTED") for settled in open_),
                *(post(apis[1], f"/api/negotiations/{n['id']}/settle", by=client) for n in accepted),
                *(finalizer.run(broker.broker) for broker in apis * 2),
            ]
        )

        assert statuses(answer for answer in answers if answer is not None) == {200: 12, 201: 36}
        reputation = await apis[0].get(f"/api/reputation/{agent}")
        assert reputation["r"] > 0.5
        assert await wrong(apis[0].broker.database) == []


async def heard_are_recorded(api: Api) -> list[object]:
    """Members whose verdict on a judged receipt is stored, and who were not paid for it."""
    rows = await api.broker.database.fetch(
        """
        SELECT a.task_id, a.by_did FROM task_attestations a JOIN task_receipts r ON r.id = a.task_id
         WHERE r.judged_at IS NOT NULL AND a.type IN ('AUDIT_PASS', 'AUDIT_FAIL')
           AND NOT EXISTS (SELECT FROM ledger_entries e WHERE e.key = 'reward:' || a.task_id || ':' || a.by_did)
        """
    )
    return [tuple(row) for row in rows]
