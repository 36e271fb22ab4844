"""Who is asked outside may take as long as they like: nothing of the database waits for them meanwhile."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from support.embeddings import an_embedding_server
from support.providers import CoinbaseStandIn, a_coinbase, a_node
from support.races import statuses, wait_until
from support.signing import SignedApi, a_strict_api, identity, signed_request

ALICE, BOB = identity("alice"), identity("bob")
REQUESTS, REGISTER = "/api/payments/requests", "/api/agents/register"
WANTED = b'{"amount_atomic":"5000","method":"coinbase"}'
EIGHT = 8  # of a provider's calls at once


@asynccontextmanager
async def with_two_connections(database_url: str, **settings: Any) -> AsyncIterator[SignedApi]:  # noqa: ANN401
    async with a_strict_api(database_url, **settings) as api:
        await api.register(ALICE, BOB)
        database = api.api.broker.database
        await database.close()
        database._size = 2
        await database.open()
        yield api


@pytest.fixture
async def coinbase() -> AsyncIterator[CoinbaseStandIn]:
    async with a_coinbase() as coinbase:
        yield coinbase


@pytest.fixture
async def api(database_url: str, coinbase: CoinbaseStandIn) -> AsyncIterator[SignedApi]:
    async with with_two_connections(database_url, **coinbase.settings()) as api:
        yield api


def asking(api: SignedApi, path: str, body: bytes, key: str) -> asyncio.Task[httpx.Response]:
    request = signed_request(api, ALICE, "POST", path, body)
    request.headers["Idempotency-Key"] = key
    return asyncio.create_task(api.api.client.send(request))


async def nothing_waits(api: SignedApi, asked: Callable[[], bool]) -> None:
    """Once somebody outside is asked by all of them, a read is answered while they are."""
    await wait_until(asked)
    pool = api.api.broker.database.pool
    assert pool is not None
    await wait_until(lambda: pool.in_use == 0)
    await api.call("GET", f"/api/agents/{BOB.did}")
    assert pool.in_use == 0


async def rows(api: SignedApi, table: str) -> int:
    count: int = await api.api.broker.database.fetchval(f"SELECT count(*) FROM {table}")  # noqa: S608 - of this file
    return count


async def test_who_waits_for_a_provider_of_payments_holds_no_connection(
    api: SignedApi, coinbase: CoinbaseStandIn
) -> None:
    coinbase.server.slow = asyncio.Event()
    waiting = [asking(api, REQUESTS, WANTED, f"pay-{n}") for n in range(10)]
    await nothing_waits(api, lambda: len(coinbase.server.asked) == EIGHT)

    coinbase.server.slow.set()

    assert statuses(await asyncio.gather(*waiting)) == {201: EIGHT, 503: 2}
    assert await rows(api, "payment_requests WHERE status = 'pending'") == EIGHT


async def test_twenty_with_one_key_at_once_ask_the_provider_once(api: SignedApi, coinbase: CoinbaseStandIn) -> None:
    coinbase.server.slow = asyncio.Event()
    waiting = [asking(api, REQUESTS, WANTED, "pay") for _ in range(20)]
    await nothing_waits(api, lambda: len(coinbase.server.asked) == 1)

    coinbase.server.slow.set()
    answers = await asyncio.gather(*waiting)

    assert statuses(answers) == {201: 20}
    assert len({answer.content for answer in answers}) == 1
    assert sum("idempotency-replayed" in answer.headers for answer in answers) == 19
    assert (len(coinbase.server.asked), await rows(api, "payment_requests")) == (1, 1)


async def test_a_captured_signature_asks_the_provider_nothing_under_another_key(
    api: SignedApi, coinbase: CoinbaseStandIn
) -> None:
    request = signed_request(api, ALICE, "POST", REQUESTS, WANTED)
    request.headers["Idempotency-Key"] = "hers"
    first = await api.api.client.send(request)
    request.headers["Idempotency-Key"] = "mine"
    again = await api.api.client.send(request)

    assert (first.status_code, again.status_code, again.json()["error"]) == (201, 409, "REPLAY_DETECTED")
    assert len(coinbase.server.asked) == 1


async def test_what_the_provider_failed_at_may_come_again_as_it_is(api: SignedApi, coinbase: CoinbaseStandIn) -> None:
    coinbase.server.broken = b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n"
    request = signed_request(api, ALICE, "POST", REQUESTS, WANTED)
    request.headers["Idempotency-Key"] = "pay"
    failed = await api.api.client.send(request)
    nothing = await rows(api, "payment_requests")
    coinbase.server.broken = None
    done = await api.api.client.send(request)

    assert (failed.status_code, nothing, done.status_code) == (503, 0, 201)
    assert await rows(api, "payment_requests") == 1


async def test_a_refusal_before_the_provider_is_asked_is_a_first_answer_too(
    api: SignedApi, coinbase: CoinbaseStandIn
) -> None:
    for _ in range(20):
        await api.call("POST", REQUESTS, {"amount_atomic": "5000", "method": "coinbase"}, by=ALICE, status=201)
    first = await asking(api, REQUESTS, WANTED, "one-more")
    await api.api.broker.database.execute("UPDATE payment_requests SET status = 'cancelled'")
    again = await asking(api, REQUESTS, WANTED, "one-more")

    assert (first.status_code, first.json()["error"]) == (409, "TOO_MANY_PAYMENTS")
    assert (again.content, again.headers["idempotency-replayed"]) == (first.content, "true")
    assert len(coinbase.server.asked) == 20


async def test_who_has_a_node_asked_holds_no_connection(database_url: str) -> None:
    async with a_node() as node, with_two_connections(database_url, **node.settings()) as api:
        body = {"amount_atomic": "5000", "method": "lightning"}
        made = [await api.call("POST", REQUESTS, body, by=ALICE, status=201) for _ in range(3)]
        node.paid(made[0]["provider_id"])
        node.server.slow = asyncio.Event()
        paths = [f"{REQUESTS}/{one['request_id']}/confirm" for one in made]
        waiting = [asking(api, path, b"{}", key) for path in paths for key in ("a", "b")]
        await nothing_waits(api, lambda: len(node.server.asked) == 3 + 6)

        node.server.slow.set()
        answers = await asyncio.gather(*waiting)

        assert [answer.json()["status"] for answer in answers] == ["paid"] * 2 + ["pending"] * 4
        assert await rows(api, "payment_receipts") == 1


async def test_who_waits_for_embeddings_holds_no_connection(database_url: str) -> None:
    async with (
        an_embedding_server() as server,
        with_two_connections(database_url, embeddings="http", embeddings_url=server.url) as api,
    ):
        await api.call("POST", REGISTER, json.loads(registration("first")), by=ALICE)
        known = len(server.asked)
        server.failures = [1.0] * 10
        waiting = [asking(api, REGISTER, registration(f"number {n}"), f"register-{n}") for n in range(10)]
        await nothing_waits(api, lambda: len(server.asked) == known + 10)

        assert statuses(await asyncio.gather(*waiting)) == {200: 10}


def registration(said: str) -> bytes:
    return b'{"did":"%s","capabilities":[{"description":"%s"}]}' % (ALICE.did.encode(), said.encode())
