"""Nothing needs a second connection of the pool while it has one: those who did would wait for each other."""

import asyncio

import pytest

from ainp.http.routes import ROUTES
from ainp.worker.jobs import scheduled
from support.api import an_api
from support.lived import live
from support.said import what_is_logged
from support.ticks import a_tick
from support.world import a_world

PATIENCE_S = 5  # less than anybody waits for a connection


@pytest.mark.parametrize("keyed", [False, True], ids=["without a key", "with a key"])
async def test_every_request_is_answered_by_one_connection(database_url: str, *, keyed: bool) -> None:
    refused = []
    async with a_world(database_url, pool_size=1) as world:
        for number, route in enumerate(ROUTES):
            sent = world.right(route)
            key = {"idempotency-key": str(number)} if keyed and route.keyed else {}
            async with asyncio.timeout(PATIENCE_S):
                answer = await world.send(route.method, sent.path, sent.raw, {**(sent.headers or {}), **key})
            assert answer.status_code < 500, (route, answer.text)
            if answer.is_error:
                refused.append(f"{route.method} {route.path}: {answer.status_code}")

    assert len(refused) < len(ROUTES) / 10, refused  # what an earlier request has already decided


async def test_every_job_at_once_makes_do_with_one_connection(database_url: str) -> None:
    await live(database_url)
    async with an_api(database_url, pool_size=1, memory_distiller_enabled=True) as api:
        jobs = scheduled(api.broker)
        with what_is_logged() as said:
            async with asyncio.timeout(len(jobs)):
                assert all(await asyncio.gather(*(a_tick(api.broker.database, job) for job in jobs)))

    assert {job.failed for job in jobs} & set(said.messages) == set()
