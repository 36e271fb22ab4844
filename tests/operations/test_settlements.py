"""Settlement at its edges: the same answer twice, prices of nothing, the broker's own agent."""

from support.api import Api, an_api


async def twice(api: Api, client: str, agent: str, **proposal: object) -> tuple[dict[str, object], dict[str, object]]:
    accepted = await api.accepted(client, agent, **proposal)
    path = f"/api/negotiations/{accepted['id']}/settle"
    first, again = [await api.call("POST", path, {}, by=client) for _ in range(2)]
    assert again.pop("idempotent") is True
    return first, again


async def test_a_validator_without_a_share_is_named_the_same_the_second_time(database_url: str) -> None:
    async with an_api(database_url) as api:
        client, agent, validator, *_ = await api.register(8)
        split = {"agent": 8000, "broker": 1000, "validator": 0, "pool": 1000}

        free = await twice(api, client, agent, price=0, validator_did=validator)
        unshared = await twice(api, client, agent, validator_did=validator, incentive_split=split)

        assert free[0] == free[1]
        assert unshared[0] == unshared[1]
        assert free[0]["validator_did"] == validator


async def test_a_price_of_nothing_moves_no_reputation_whatever_the_threshold(database_url: str) -> None:
    async with an_api(database_url, pou_min_reputation_price=0) as api:
        client, agent, *_ = await api.register(8)

        await api.finalized(client, agent, price=0)

        reputation = await api.get(f"/api/reputation/{agent}")
        assert {reputation[letter] for letter in "qtrsvie"} == {0.5}
        assert reputation["distinct_clients"] == 0


async def test_the_brokers_own_agent_can_spend_what_it_has_just_earned(database_url: str) -> None:
    async with an_api(database_url) as api:
        (broker,) = await api.register(1, "broker")
    async with an_api(database_url, broker_did=broker) as api:
        await api.broker.database.execute(
            "UPDATE accounts SET hot = true WHERE account = 'available:' || $1::text", broker
        )
        client, agent, *_ = await api.register(8)
        await api.settled(client, agent, price=500)  # 50 credits go to the broker's agent

        accepted = await api.accepted(broker, agent, price=1040)

        assert accepted["reserved_atomic"] == "1040000"
        assert (await api.get(f"/api/credits/{broker}"))["available"] == "10000"


async def test_an_agent_that_came_back_is_drawn_at_once(database_url: str) -> None:
    async with an_api(database_url) as api:
        client, agent, *others = await api.register(7)
        db = api.broker.database
        await db.execute(
            "UPDATE agents SET expires_at = now() - interval '1 second' WHERE did = ANY ($1::text[])", others
        )
        await api.settled(client, agent)  # a list without them
        await api.register(7)

        settled = await api.settled(client, agent)

        assert set(settled["receipt"]["committee"]) == set(others)


async def test_a_deposit_that_no_account_can_hold_is_refused(database_url: str) -> None:
    async with an_api(database_url, credits_dev_deposit_enabled=True) as api:
        (agent,) = await api.register(1)
        await api.broker.database.execute(
            "UPDATE accounts SET balance = 9223372036854775000 WHERE account LIKE 'avail%'"
        )

        body = {"agent_did": agent, "amount": 10**15}
        refused = await api.call("POST", "/api/credits/deposit", body, status=400)

        assert refused["error"] == "INVALID_REQUEST"
