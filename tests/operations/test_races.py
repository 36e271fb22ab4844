"""Many at once, on one negotiation: what must happen once happens once."""

from datetime import timedelta

import pytest

from ainp.worker import upkeep
from support.api import Api, an_api
from support.books import wrong
from support.clock import let_pass
from support.races import at_once, bodies, errors, post, statuses, two_apis


async def test_fifty_settles_pay_once_and_name_the_same_task(database_url: str) -> None:
    async with two_apis(database_url) as apis:
        client, agent, *_ = await apis[0].register()
        path = f"/api/negotiations/{(await apis[0].accepted(client, agent))['id']}/settle"

        answers = await at_once(post(apis[turn % 2], path, by=client) for turn in range(50))

        assert statuses(answers) == {200: 50}
        assert len({answer["task_id"] for answer in bodies(answers)}) == 1
        assert sorted(answer.get("idempotent", False) for answer in bodies(answers)) == [False] + [True] * 49
        assert (await apis[0].get(f"/api/credits/{agent}"))["earned"] == "70000"
        assert (await apis[0].get(f"/api/credits/{client}"))["available"] == "900000"
        assert await wrong(apis[0].broker.database) == []


async def test_fifty_settles_with_one_idempotency_key_get_one_answer(database_url: str) -> None:
    async with an_api(database_url) as api:
        client, agent, *_ = await api.register()
        path = f"/api/negotiations/{(await api.accepted(client, agent))['id']}/settle"

        answers = await at_once(post(api, path, by=client, key="one") for _ in range(50))

        assert statuses(answers) == {200: 50}
        assert len({answer.content for answer in answers}) == 1
        assert await wrong(api.broker.database) == []


async def test_fifty_accepts_reserve_once(database_url: str) -> None:
    async with two_apis(database_url) as apis:
        client, agent, *_ = await apis[0].register()
        path = f"/api/negotiations/{(await apis[0].initiate(client, agent))['id']}/accept"

        answers = await at_once(post(apis[turn % 2], path, {"acceptor_did": agent}) for turn in range(50))

        assert statuses(answers) == {200: 1, 409: 49}
        assert errors(answers) == {"INVALID_STATE": 49}
        balance = await apis[0].get(f"/api/credits/{client}")
        assert (balance["available"], balance["reserved"]) == ("900000", "100000")
        assert await wrong(apis[0].broker.database) == []


@pytest.mark.parametrize("claim", ["terms_hash", "round_number"])
async def test_a_changed_proposal_is_never_accepted_by_an_older_accept(database_url: str, claim: str) -> None:
    """The client counters at ten times the price while the agent accepts what it has read before."""
    async with two_apis(database_url) as (one, other):
        client, agent, *_ = await one.register()
        for _ in range(25):
            opened = await one.initiate(client, agent)
            path = f"/api/negotiations/{opened['id']}"
            read = await one.call("POST", f"{path}/propose", {"proposer_did": agent, "proposal": {"price": 1}})
            said = {"terms_hash": read["terms_hash"], "round_number": read["rounds"][-1]["round_number"]}

            accepted, proposed = await at_once(
                (
                    post(other, f"{path}/accept", {"acceptor_did": client, claim: said[claim]}),
                    post(one, f"{path}/propose", {"proposer_did": client, "proposal": {"price": 10}}),
                )
            )

            after = await one.get(path)
            if accepted.status_code == 200:
                assert proposed.status_code == 409
                assert after["state"] == "accepted"
                assert after["current_proposal"]["price"] == 1
            else:
                assert proposed.status_code == 200
                assert after["state"] == "counter_proposed"
                assert after["current_proposal"]["price"] == 10
        assert await wrong(one.broker.database) == []


async def test_an_accept_without_a_claim_reserves_the_price_it_answers_with(database_url: str) -> None:
    """Whichever proposal was accepted: what is reserved is its price, and nobody accepted their own."""
    async with an_api(database_url) as api:
        client, agent, *_ = await api.register()
        for _ in range(25):
            path = f"/api/negotiations/{(await api.initiate(client, agent, price=3))['id']}"

            accepted, _ = await at_once(
                (
                    post(api, f"{path}/accept", {"acceptor_did": agent}),
                    post(api, f"{path}/propose", {"proposer_did": agent, "proposal": {"price": 5}}),
                )
            )

            after = await api.get(path)
            if accepted.status_code == 200:
                assert (after["state"], after["current_proposal"]["price"]) == ("accepted", 3)
            else:
                assert (after["state"], after["current_proposal"]["price"]) == ("proposed", 5)
        assert await wrong(api.broker.database) == []


async def test_accepting_many_at_once_never_overdraws(database_url: str) -> None:
    async with two_apis(database_url, initial_credits=1_000_000) as apis:
        client, agent, *_ = await apis[0].register()
        opened = [await apis[0].initiate(client, agent, price=300) for _ in range(20)]

        answers = await at_once(
            post(apis[turn % 2], f"/api/negotiations/{one['id']}/accept", {"acceptor_did": agent})
            for turn, one in enumerate(opened)
        )

        assert statuses(answers) == {200: 3, 402: 17}
        assert errors(answers) == {"INSUFFICIENT_CREDITS": 17}
        balance = await apis[0].get(f"/api/credits/{client}")
        assert (balance["available"], balance["reserved"]) == ("100000", "900000")
        assert await wrong(apis[0].broker.database) == []


@pytest.mark.parametrize(
    ("moves", "legal"),
    [
        (("settle", "cancel"), {"settled": {"settle"}, "cancelled": {"cancel"}}),
        (("cancel", "cancel"), {"cancelled": {"cancel"}}),
        (("cancel", "deliver"), {"cancelled": {"cancel"}}),
        (("settle", "deliver"), {"settled": {"settle"}}),
        (("deliver", "deliver"), {"accepted": {"deliver"}}),
    ],
    ids=lambda part: "-".join(part) if isinstance(part, tuple) else "",
)
async def test_of_two_moves_at_once_one_ends_it(
    database_url: str, moves: tuple[str, str], legal: dict[str, set[str]]
) -> None:
    async with two_apis(database_url) as apis:
        client, agent, *_ = await apis[0].register()
        for turn in range(12):
            path = f"/api/negotiations/{(await apis[0].accepted(client, agent, price=1))['id']}"

            answers = await at_once(
                post(apis[(turn + place) % 2], f"{path}/{move}", {}, by=client if move == "settle" else agent)
                for place, move in enumerate(moves)
            )

            done = [move for move, answer in zip(moves, answers, strict=True) if answer.status_code == 200]
            state = (await apis[0].get(path))["state"]
            # What was delivered may still be cancelled or settled; what is over is over.
            assert set(done) - {"deliver"} == legal[state] - {"deliver"}
            assert len(done) == len(set(done))
        assert await wrong(apis[0].broker.database) == []


@pytest.mark.parametrize("move", ["settle", "deliver", "cancel"])
async def test_what_is_due_to_expire_either_expires_or_moves(database_url: str, move: str) -> None:
    """The end of the time falls between two reads: the move was in time, or the reservation went back."""
    async with two_apis(database_url) as (one, other):
        client, agent, *_ = await one.register()
        by = client if move == "settle" else agent
        accepted = [await one.accepted(client, agent, price=1) for _ in range(24)]
        await let_end(one, accepted)

        answers = await at_once(
            call
            for turn, n in enumerate(accepted)
            for call in (
                post(one, f"/api/negotiations/{n['id']}/{move}", {}, by=by),
                *([expire(other)] if turn % 4 == 0 else []),
            )
        )

        await expire(one)
        states = [(await one.get(f"/api/negotiations/{n['id']}"))["state"] for n in accepted]
        assert set(states) <= {"settled", "accepted", "cancelled", "expired"}
        assert all(answer is None or answer.status_code in (200, 409, 410) for answer in answers)
        assert await wrong(one.broker.database) == []


async def test_expiring_and_settling_crosswise_never_wait_in_a_circle(database_url: str) -> None:
    """Everyone is everyone's client: one transaction releases to all, others pay from one to the other."""
    async with two_apis(database_url) as (one, other):
        dids = await one.register(8)
        pairs = [(client, agent) for client in dids for agent in dids if client != agent]
        due = [await one.accepted(client, agent, price=1) for client, agent in pairs]
        await let_end(one, due)
        live = [(client, await one.accepted(client, agent, price=1)) for client, agent in pairs]

        answers = await at_once(
            [
                *(post(one, f"/api/negotiations/{n['id']}/settle", by=client) for client, n in live),
                *(expire(broker) for broker in (one, other) * 4),
            ]
        )

        assert statuses(answer for answer in answers if answer is not None) == {200: len(pairs)}
        assert await wrong(one.broker.database) == []


async def test_twenty_registrations_of_a_new_did_grant_once(database_url: str) -> None:
    async with two_apis(database_url, initial_credits=500_000, initial_credits_hourly_cap=10**9) as apis:
        body = {"address": {"did": "did:key:z6MkfirstFirstFirstFirstFirst", "capabilities": []}}

        answers = await at_once(post(apis[turn % 2], "/api/agents/register", body) for turn in range(20))

        assert len(bodies(answers, 201)) + len(bodies(answers, 200)) == 20, [answer.text for answer in answers]
        held = await apis[0].get(f"/api/credits/{body['address']['did']}")
        assert held["available"] == "500000"
        database = apis[0].broker.database
        assert await database.fetchval("SELECT sum(granted)::bigint FROM welcome_grants") == 500_000
        assert await wrong(database) == []


async def test_the_hourly_cap_holds_for_many_at_once(database_url: str) -> None:
    async with two_apis(database_url, initial_credits=100, initial_credits_hourly_cap=1050) as apis:
        await at_once(apis[turn % 2].register(1, f"newcomer {turn}") for turn in range(40))

        database = apis[0].broker.database
        granted = await database.fetchval("SELECT count(*) FROM ledger_entries WHERE reason = 'welcome_grant'")
        assert granted == 10
        assert await database.fetchval("SELECT sum(granted)::bigint FROM welcome_grants") == 1000
        assert await wrong(database) == []


async def test_who_came_too_late_for_this_hours_grant_gets_the_next_hours(database_url: str) -> None:
    async with an_api(database_url, initial_credits=100, initial_credits_hourly_cap=100) as api:
        await api.register(1, "first")
        (late,) = await api.register(1, "second")
        assert (await api.get(f"/api/credits/{late}"))["available"] == "0"

        await let_pass(api.broker.database, timedelta(hours=1))
        await at_once(api.register(1, "second") for _ in range(5))

        assert (await api.get(f"/api/credits/{late}"))["available"] == "100"
        assert await wrong(api.broker.database) == []


async def let_end(api: Api, negotiations: list[dict[str, str]]) -> None:
    """Half of them are over now, the others in a moment."""
    await api.broker.database.execute(
        "UPDATE negotiations SET settle_by = now() + (ascii(right(id::text, 1)) % 2) * interval '80 milliseconds'"
        " WHERE id = ANY ($1::uuid[])",
        [n["id"] for n in negotiations],
    )


async def expire(api: Api) -> None:
    await upkeep.expire(api.broker)
