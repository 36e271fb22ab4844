"""Discovery without what it needs, with another model, and while one model follows another."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from typer.testing import CliRunner

from ainp.cli import app
from ainp.core.vectors import to_base64
from ainp.store import migrate
from ainp.worker import upkeep
from support.api import Api, an_api
from support.builders import an_agent
from support.embeddings import DIMENSION, EmbeddingStandIn, an_embedding_server, vector_of
from support.migrating import connected, roll_back_by_hand

Json = Any
EAST = [1.0, 0.0, 0.0]


@pytest.fixture
async def server() -> AsyncIterator[EmbeddingStandIn]:
    async with an_embedding_server() as server:
        yield server


async def register(api: Api, name: str, *descriptions: str, **said: object) -> str:
    did = an_agent(name)
    body = {"did": did, "capabilities": [{"description": text, **said} for text in descriptions]}
    await api.call("POST", "/api/agents/register", body)
    return did


async def search(api: Api, *, status: int = 200, **query: object) -> Json:
    return await api.call("POST", "/api/discovery/search", query, status=status)


async def warnings(api: Api) -> list[str]:
    return list((await api.get("/health/ready"))["warnings"])


async def test_without_the_extension_everything_else_works(empty_database_url: str) -> None:
    async with connected(empty_database_url) as connection:
        await migrate.up(connection)
        await _without_vectors(connection)
    async with an_api(empty_database_url) as api:
        did = await register(api, "agent", "sings")
        refused = await search(api, description="sing", status=503)

        assert refused["error"] == "EMBEDDINGS_UNAVAILABLE"
        assert "PostgreSQL has no extension `vector`" in refused["message"]
        assert [w for w in await warnings(api) if "extension `vector`" in w] == [refused["message"]]
        assert (await api.get(f"/api/agents/{did}"))["capabilities"][0]["description"] == "sings"


async def _without_vectors(connection: asyncpg.Connection) -> None:
    """As on a server that does not have the extension: the function that would make it finds none."""
    definition = await connection.fetchval("SELECT pg_get_functiondef('prepare_vectors'::regproc)")
    await connection.execute(definition.replace("CREATE EXTENSION IF NOT EXISTS vector", "RETURN NULL"))


async def test_a_broker_prepares_its_model_when_it_is_first_needed(empty_database_url: str) -> None:
    async with connected(empty_database_url) as connection:
        await migrate.up(connection)
    async with an_api(empty_database_url) as api:
        did = await register(api, "agent", "sings")

        assert [hit["did"] for hit in await search(api, description="who sings")] == [did]
        assert [w for w in await warnings(api) if "discovery" in w] == []


async def test_without_reputations_agents_are_found(database_url: str) -> None:
    async with an_api(database_url) as api:
        did = await register(api, "agent", "sings")
        async with connected(database_url) as connection:
            await roll_back_by_hand(connection, [19])

        (hit,) = await search(api, description="who sings")
        assert (hit["did"], hit["trust"]["score"]) == (did, 0.5)


async def test_before_the_migration_agents_register_and_a_search_says_what_is_missing(database_url: str) -> None:
    async with connected(database_url) as connection:
        await migrate.down(connection, to=32)
    async with an_api(database_url) as api:
        assert (await search(api, description="x", status=503))["error"] == "SCHEMA_BEHIND"


async def test_without_a_model_agents_bring_their_embeddings(database_url: str) -> None:
    settings: Json = {"embeddings": "none", "embeddings_model": "ours", "embeddings_dimension": 3}
    async with an_api(database_url, **settings) as api:
        did = await register(api, "agent", "sings", embedding=EAST)
        await register(api, "silent", "sings")

        assert [hit["did"] for hit in await search(api, embedding=to_base64(EAST))] == [did]
        refused = await search(api, description="sings", status=503)
        assert (refused["error"], "EMBEDDINGS=none" in refused["message"]) == ("EMBEDDINGS_UNAVAILABLE", True)


async def test_without_a_model_and_a_dimension_nothing_is_found(database_url: str) -> None:
    async with an_api(database_url, embeddings="none") as api:
        await register(api, "agent", "sings", embedding=EAST)

        assert (await search(api, embedding=EAST, status=503))["error"] == "EMBEDDINGS_UNAVAILABLE"
        assert any("EMBEDDINGS=none" in warning for warning in await warnings(api))


async def test_a_server_makes_the_embeddings(database_url: str, server: EmbeddingStandIn) -> None:
    async with an_api(database_url, embeddings_url=server.url, embeddings_model="stand-in") as api:
        did = await register(api, "singer", "sings songs", tags=["music"])
        await register(api, "baker", "bakes bread")

        assert (await search(api, description="songs", limit=1))[0]["did"] == did
        assert server.asked[-2]["input"] == ["bakes bread"]
        assert (await search(api, embedding=vector_of("sings songs music"), limit=1))[0]["did"] == did
        refused = await search(api, embedding=EAST, status=400)
        assert f"expected {DIMENSION} of the model 'stand-in'" in refused["message"]


async def test_while_the_server_is_away_agents_register_and_are_embedded_later(
    database_url: str, server: EmbeddingStandIn
) -> None:
    async with an_api(database_url, embeddings_url=server.url, embeddings_model="stand-in") as api:
        await register(api, "first", "sings")
        server.failures.append((400, b""))
        did = await register(api, "late", "bakes bread")

        refused = await search(api, description="bread", status=503)
        assert (refused["error"], "answers 400" in refused["message"]) == ("EMBEDDINGS_UNAVAILABLE", True)
        assert await search(api, embedding=vector_of("sings"))
        await upkeep.embed_missing(api.broker)  # it is left alone still
    async with an_api(database_url, embeddings_url=server.url, embeddings_model="stand-in") as api:
        await upkeep.embed_missing(api.broker)
        assert (await search(api, description="bread", limit=1))[0]["did"] == did


async def test_a_model_that_changes_under_its_name_is_refused(database_url: str, server: EmbeddingStandIn) -> None:
    async with connected(database_url) as connection:
        await connection.execute("SELECT prepare_vectors('stand-in', 3, 0, 0.5)")
    async with an_api(database_url, embeddings_url=server.url, embeddings_model="stand-in") as api:
        refused = await search(api, description="bread", status=503)

    assert f"makes vectors of {DIMENSION} numbers now, those stored have 3" in refused["message"]


async def test_a_change_of_model_is_prepared_while_brokers_run(
    database_url: str, server: EmbeddingStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with an_api(database_url) as running:
        did = await register(running, "singer", "sings songs")
        for name, value in {"EMBEDDINGS_URL": server.url, "EMBEDDINGS_MODEL": "stand-in"}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("DATABASE_URL", database_url)
        assert "0 of 1 capabilities" in await ainp("status")
        assert "1 of 1 capabilities have a vector; 0 of other models" in await ainp("rebuild", "--keep")
        assert [hit["did"] for hit in await search(running, description="a song")] == [did]

        async with an_api(database_url, embeddings_url=server.url, embeddings_model="stand-in") as api:
            assert [hit["did"] for hit in await search(api, description="songs")] == [did]
            assert "1 of other models dropped" in await ainp("rebuild")
            assert [hit["did"] for hit in await search(api, description="songs")] == [did]


async def ainp(*arguments: str) -> str:
    """Run the command in a thread: it has an event loop of its own."""
    result = await asyncio.to_thread(CliRunner().invoke, app, ["embeddings", *arguments], env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    return result.stdout
