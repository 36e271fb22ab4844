"""Defects of the known implementation in operations, schema and error handling, each by its number."""

import asyncio
from datetime import UTC, datetime

from ainp.store import jobs, migrate
from ainp.worker.jobs import scheduled
from support.api import a_configuration, an_api
from support.migrating import connected
from support.world import World


async def test_def_85_readiness_names_what_the_schema_lacks(database_url: str) -> None:
    async with connected(database_url) as connection, an_api(database_url) as api:
        await migrate.down(connection, to=21)

        found = await api.get("/health/ready", status=503)

        assert found["missing"]
        assert "column task_receipts.version" in found["missing"][0]


async def test_def_86_running_all_up_files_in_order_destroys_nothing(database_url: str) -> None:
    async with connected(database_url) as connection, an_api(database_url) as api:
        client, agent, *_ = await api.register(7)
        settled = await api.settled(client, agent)

        for one in migrate.packaged():
            await connection.execute(one.up)

        assert (await api.get(f"/api/receipts/{settled['task_id']}"))["id"] == settled["task_id"]
        numbers = [one.number for one in migrate.packaged()]
        assert numbers == sorted(set(numbers))


async def test_def_87_the_missions_index_is_there_and_as_it_says(database_url: str) -> None:
    async with connected(database_url) as connection:
        query = "SELECT indexdef FROM pg_indexes WHERE tablename = 'task_receipts'"
        found = " ".join(row["indexdef"] for row in await connection.fetch(query))

    assert "(status, created_at DESC)" in found
    assert "USING gin (committee" in found


async def test_def_90_a_broker_without_redis_and_nats_is_healthy(world: World) -> None:
    found = await world.api.get("/health")

    assert found["connections"] == {"db": True, "redis": True, "nats": True}
    assert set(found["modes"]) == {"db", "redis", "nats"}


def test_def_91_there_is_one_port() -> None:
    assert a_configuration().port == 8080


async def test_def_92_a_clients_error_is_json_and_no_500(world: World) -> None:
    for method, path, body, expected in (
        ("GET", "/api/receipts/xx", None, 404),
        ("GET", "/nowhere", None, 404),
        ("POST", "/api/agents/register", {"did": world.client}, 400),
        ("POST", "/api/agents/register", {"did": world.client, "capabilities": [], "ttl": -1}, 400),
        ("POST", "/api/negotiations", {}, 400),
        ("DELETE", "/api/receipts", None, 405),
    ):
        response = await world.api.client.request(method, path, json=body)

        assert response.status_code == expected
        assert {"error", "message"} <= response.json().keys()
        assert "uuid:" not in response.text


async def test_def_93_a_body_of_a_megabyte_is_read(world: World) -> None:
    padding = "x" * (1024 * 1024 - 200)
    body = {"did": world.client, "capabilities": [], "ignored": padding}

    assert len(padding) > 100 * 1024
    await world.api.call("POST", "/api/agents/register", body)


async def test_def_89_a_job_runs_once_for_all_nodes(database_url: str) -> None:
    async with an_api(database_url) as one, an_api(database_url) as other:
        names = [[job.name for job in scheduled(api.broker)] for api in (one, other)]
        tick = datetime(2026, 1, 1, tzinfo=UTC)
        claimed = await asyncio.gather(
            *(jobs.claim(api.broker.database, names[0][0], tick) for api in (one, other) for _ in range(3))
        )

        assert names[0] == names[1]
        assert sum(claimed) == 1


async def test_def_96_the_clients_credit_routes_are_served(world: World) -> None:
    for path in (f"/api/credits/{world.client}", f"/api/credits/{world.client}/transactions?limit=5&offset=0"):
        await world.api.get(path)
    body = {"agent_did": world.client, "amount": 1, "metadata": {}}
    await world.api.call("POST", "/api/credits/deposit", body, headers={"authorization": "Bearer let-me-in"})


async def test_def_99_a_fresh_installation_has_no_agents(database_url: str) -> None:
    async with connected(database_url) as connection:
        assert await connection.fetchval("SELECT count(*) FROM agents") == 0
        assert await connection.fetchval("SELECT count(*) FROM ledger_entries") == 0
