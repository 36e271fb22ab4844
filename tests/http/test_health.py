"""Health: with a database, without one, and with one whose schema is behind."""

import json
from io import StringIO
from typing import Any

from ainp import __version__
from ainp.store import migrate
from ainp.store.embedded import EmbeddedPostgres
from ainp.store.migration_files import packaged
from support.api import Api, an_api
from support.database import a_folder
from support.migrating import connected
from support.shapes import TIME
from support.world import World

Json = Any
LATER = [f"{one.number:03}" for one in packaged() if one.number >= 17]


async def test_a_broker_that_works_is_healthy(world: World) -> None:
    found = await world.api.get("/health")

    assert found["status"] == "healthy"
    assert found["connections"] == {"db": True, "redis": True, "nats": True}
    assert found["modes"]["redis"] == found["modes"]["nats"] == "in-process"
    assert TIME.fullmatch(found["timestamp"])
    assert isinstance(found["uptime"], float)
    assert found["version"] == __version__
    assert not {"error", "warning"} & found.keys()


async def test_a_broker_that_is_complete_is_ready(world: World) -> None:
    found = await world.api.get("/health/ready")

    assert found["status"] == "ready"
    assert found["checks"]["database"] == found["checks"]["migrations"] == "ok"
    assert found["missing"] == []
    assert found["warnings"] == ["POU_COMMITTEE_MIN_STAKE=0: the committee is not Sybil-resistant"]
    assert await world.api.get("/health/detailed") == found


async def test_a_stopped_database_is_unhealthy_until_it_is_back(log: StringIO) -> None:
    with a_folder() as folder:
        postgres = EmbeddedPostgres(folder, durable=False)
        url = postgres.start()
        try:
            async with connected(url) as connection:
                await migrate.up(connection)
            async with an_api(url) as api:
                (did,) = await api.register(1)
                postgres.stop()
                await _is_down(api, did)
                assert postgres.start() == url
                await _is_up(api, did)
        finally:
            postgres.stop()
    assert not [line for line in lines(log) if line["level"] == "ERROR" and "exception" in line]


async def _is_down(api: Api, did: str) -> None:
    found = await api.get("/health", status=503)
    assert (found["status"], found["connections"]["db"]) == ("unhealthy", False)
    assert found["error"] == "PostgreSQL does not answer"
    ready = await api.get("/health/ready", status=503)
    assert ready["status"] == "not_ready"
    assert ready["checks"]["database"] == "error: PostgreSQL does not answer"
    for method, path in (("GET", f"/api/agents/{did}"), ("POST", "/api/agents/register")):
        response = await api.client.request(method, path, json={"did": did, "capabilities": []})
        assert (response.status_code, response.json()["error"]) == (503, "DATABASE_UNAVAILABLE")
        assert response.headers["retry-after"] == "1"
    assert (await api.client.get("/openapi.json")).status_code == 200


async def _is_up(api: Api, did: str) -> None:
    assert (await api.get("/health"))["status"] == "healthy"
    assert (await api.get("/health/ready"))["status"] == "ready"
    assert (await api.get(f"/api/agents/{did}"))["did"] == did


async def test_below_017_the_broker_says_what_is_missing_and_loses_nothing(database_url: str, log: StringIO) -> None:
    async with connected(database_url) as connection, an_api(database_url) as api:
        client, worker, *_ = await api.register(3)
        await api.settled(client, worker)
        accepted = await api.accepted(client, worker)
        await migrate.down(connection, to=16)

        ready = await api.get("/health/ready", status=503)
        alive = await api.get("/health")
        assert alive["status"] == "healthy"
        assert alive["warning"] == f"{len(LATER)} migrations missing: /health/ready names them"
        assert [named.split("_")[0] for named in ready["missing"]] == LATER
        assert "table task_receipts" in ready["missing"][0]
        assert (await api.get(f"/api/negotiations/{accepted['id']}"))["state"] == "accepted"
        await _is_behind(api, accepted["id"], client)
        assert (await api.get(f"/api/credits/{client}"))["reserved"] == "100000"

        await migrate.up(connection)
        assert (await api.get("/health/ready"))["status"] == "ready"
        settled = await api.call("POST", f"/api/negotiations/{accepted['id']}/settle", {}, by=client)
        assert (await api.get(f"/api/receipts/{settled['task_id']}"))["status"] == "pending"

    said = [line["message"] for line in lines(log) if line["level"] == "ERROR"]
    assert any('relation "task_receipts" does not exist' in message for message in said)
    assert not [line for line in lines(log) if "exception" in line]


async def _is_behind(api: Api, negotiation: str, did: str) -> None:
    unknown = "0193a2b4-0000-7000-8000-000000000000"
    for method, path in (
        ("POST", f"/api/negotiations/{negotiation}/settle"),
        ("GET", "/api/receipts"),
        ("GET", f"/api/receipts/{unknown}"),
        ("GET", f"/api/receipts/{unknown}/attestations"),
        ("GET", f"/api/receipts/{unknown}/committee"),
        ("GET", f"/api/receipts/{unknown}/statement"),
        ("POST", f"/api/receipts/{unknown}/finalize"),
        ("GET", f"/api/reputation/{did}"),
        ("GET", f"/api/reputation/{did}/history"),
        ("GET", "/api/committee-epochs/1"),
    ):
        response = await api.client.request(method, path, json={}, headers={"x-ainp-did": did})
        found = response.json()
        assert (response.status_code, found["error"]) == (503, "SCHEMA_BEHIND"), (path, found)
        assert "does not exist" in found["message"]
        assert response.headers["retry-after"]


async def test_one_missing_table_is_named(database_url: str) -> None:
    async with connected(database_url) as connection, an_api(database_url) as api:
        await connection.execute("DROP TABLE agent_stakes")

        found = await api.get("/health/ready", status=503)

        assert len(found["missing"]) == 2  # the one that made it, and the one that added to it
        assert all("agent_stakes" in missing for missing in found["missing"])
        assert found["checks"]["migrations"] == "2 missing"


def lines(log: StringIO) -> list[Json]:
    return [json.loads(line) for line in log.getvalue().splitlines() if line.startswith("{")]
