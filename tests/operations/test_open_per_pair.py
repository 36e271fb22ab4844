"""How many negotiations one agent may have open with another: one after the other, and many at once."""

from datetime import timedelta

from support.api import Api, an_api
from support.clock import let_deadlines_come
from support.races import at_once, errors, post, statuses, two_apis

OPEN = "SELECT count(*) FROM negotiations WHERE initiator_did = $1 AND responder_did = $2 AND closed_at IS NULL"


def offer(client: str, agent: str, **more: object) -> dict[str, object]:
    return {
        "intent_id": "translate",
        "initiator_did": client,
        "responder_did": agent,
        "initial_proposal": {"price": 1},
        **more,
    }


async def opened(api: Api, client: str, agent: str) -> int:
    count: int = await api.broker.database.fetchval(OPEN, client, agent)
    return count


async def test_so_many_are_opened_at_once_and_no_more(database_url: str) -> None:
    async with two_apis(database_url, max_open_negotiations_per_pair=50) as apis:
        client, agent, other, *_ = await apis[0].register()

        answers = await at_once(
            post(apis[turn % 2], "/api/negotiations", offer(client, agent), key=f"k{turn}" if turn % 5 == 0 else "")
            for turn in range(120)
        )

        assert statuses(answers) == {201: 50, 409: 70}
        assert errors(answers) == {"TOO_MANY_OPEN": 70}
        assert await opened(apis[0], client, agent) == 50
        told = "SELECT count(*) FROM outbox WHERE $1 = ANY (recipients)"
        assert await apis[0].broker.database.fetchval(told, agent) == 50
        for pair in ((agent, client), (client, other)):
            assert (await post(apis[0], "/api/negotiations", offer(*pair))).status_code == 201


async def test_twenty_at_once_get_the_one_place_that_is_left_once(database_url: str) -> None:
    async with two_apis(database_url, max_open_negotiations_per_pair=20) as apis:
        client, agent, *_ = await apis[0].register()
        for _ in range(19):
            await apis[0].initiate(client, agent)

        answers = await at_once(post(apis[turn % 2], "/api/negotiations", offer(client, agent)) for turn in range(20))

        assert statuses(answers) == {201: 1, 409: 19}
        assert await opened(apis[0], client, agent) == 20


async def test_what_ends_makes_room(database_url: str) -> None:
    async with an_api(database_url, max_open_negotiations_per_pair=3) as api:
        client, agent, *_ = await api.register()
        one, two, three = [await api.initiate(client, agent) for _ in range(3)]
        moved = f"/api/negotiations/{three['id']}/propose"
        await api.call("POST", moved, {"proposer_did": agent, "proposal": {"price": 2}})
        refused = await api.call("POST", "/api/negotiations", offer(client, agent), status=409)

        await api.call("POST", f"/api/negotiations/{one['id']}/accept", {"acceptor_did": agent})
        await api.call("POST", f"/api/negotiations/{two['id']}/reject", {"rejector_did": agent})
        for status in (201, 201, 409):
            await api.call("POST", "/api/negotiations", offer(client, agent), status=status)

        assert (refused["error"], refused["limit"]) == ("TOO_MANY_OPEN", 3)


async def test_an_offer_whose_time_is_over_is_in_nobody_s_way(database_url: str) -> None:
    async with an_api(database_url, max_open_negotiations_per_pair=2) as api:
        client, agent, *_ = await api.register()
        late = await api.call("POST", "/api/negotiations", offer(client, agent, ttl_minutes=1), status=201)
        await api.call("POST", "/api/negotiations", offer(client, agent), status=201)
        await api.call("POST", "/api/negotiations", offer(client, agent), status=409)

        await let_deadlines_come(api.broker.database, timedelta(minutes=2))

        await api.call("POST", "/api/negotiations", offer(client, agent), status=201)
        await api.call("POST", "/api/negotiations", offer(client, agent), status=409)
        accepted = await api.call("POST", f"/api/negotiations/{late['id']}/accept", {"acceptor_did": agent}, status=410)
        assert accepted["error"] == "EXPIRED"
