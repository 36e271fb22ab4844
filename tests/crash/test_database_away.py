"""PostgreSQL is stopped and started under a running broker."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from ainp.store.embedded import EmbeddedPostgres
from support.builders import an_agent
from support.database import a_folder
from support.serving import Served, a_data_dir, serving, status_of

AGENT = an_agent()
AT_ONCE = 40  # more than the pool holds
ANSWER_S = 5  # nothing waits for a database that is away


@pytest.fixture
def data_dir() -> Iterator[Path]:
    with a_data_dir() as folder:
        yield folder


def test_while_it_is_away_all_is_503_and_once_it_is_back_nothing_is(data_dir: Path) -> None:
    with (
        a_folder() as folder,
        EmbeddedPostgres(folder, durable=False) as postgres,
        serving(data_dir, "--migrate", DATABASE_URL=postgres.dsn) as broker,
    ):
        assert status_of(broker) == 200
        asyncio.run(an_outage(broker, postgres))
        assert [line for line in broker.lines if "exception" in line] == []
        assert broker.end() == 0


async def an_outage(broker: Served, postgres: EmbeddedPostgres) -> None:
    """Stop it twice, with all connections in use before: once under load, once idle."""
    async with httpx.AsyncClient(base_url=broker.url, timeout=ANSWER_S) as client:
        (
            await client.post("/api/agents/register", json={"address": {"did": AGENT, "capabilities": []}})
        ).raise_for_status()
        for under_load in (True, False):
            assert set(await statuses(client)) == {200}
            stopping = asyncio.create_task(asyncio.to_thread(postgres.stop))
            while under_load and not stopping.done():
                assert set(await statuses(client)) <= {200, 503}
            await stopping
            await is_away(client)
            await asyncio.to_thread(postgres.start)
            assert set(await statuses(client)) == {200}
            assert (await client.get("/health/ready")).status_code == 200


async def statuses(client: httpx.AsyncClient) -> list[int]:
    answers = await asyncio.gather(*(client.get(f"/api/agents/{AGENT}") for _ in range(AT_ONCE)))
    return [answer.status_code for answer in answers]


async def is_away(client: httpx.AsyncClient) -> None:
    requests = [("GET", f"/api/agents/{AGENT}"), ("POST", "/api/agents/register"), ("GET", "/api/receipts")]
    for method, path in requests:
        body = {"address": {"did": AGENT, "capabilities": []}} if method == "POST" else None
        answer = await client.request(method, path, json=body)
        assert (answer.status_code, answer.json()["error"]) == (503, "DATABASE_UNAVAILABLE")
        assert answer.headers["retry-after"] == "1"
    ready = await client.get("/health/ready")
    assert (ready.status_code, ready.json()["status"]) == (503, "not_ready")
    assert ready.json()["checks"]["database"].startswith("error: ")
