"""Requests that are sent at once, to one broker or to several, and what came of them."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar

import httpx

from support.api import Api, Json, an_api

_T = TypeVar("_T")


@asynccontextmanager
async def two_apis(database_url: str, **settings: object) -> AsyncIterator[tuple[Api, Api]]:
    """Two brokers, each with a pool of its own, on one database."""
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(an_api(database_url, **settings))
        second = await stack.enter_async_context(an_api(database_url, **settings))
        yield first, second


async def post(api: Api, path: str, body: Json = None, *, by: str | None = None, key: str = "") -> httpx.Response:
    """One POST, whatever comes of it."""
    headers = {**({} if by is None else {"X-AINP-DID": by}), **({"Idempotency-Key": key} if key else {})}
    return await api.client.post(path, json={} if body is None else body, headers=headers)


async def at_once(calls: Iterable[Awaitable[_T]]) -> list[_T]:
    """All of them together; the first exception is the test's."""
    return list(await asyncio.gather(*calls))


async def wait_until(condition: Callable[[], object]) -> None:
    """Wait for what others bring about; fail after twenty seconds."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - any condition, not only one that can be awaited
            await asyncio.sleep(0.01)


def statuses(responses: Iterable[httpx.Response]) -> dict[int, int]:
    """How often each status was answered."""
    return dict(Counter(response.status_code for response in responses))


def errors(responses: Iterable[httpx.Response]) -> dict[str, int]:
    """How often each refusal was given."""
    return dict(Counter(response.json()["error"] for response in responses if response.status_code >= 400))


def bodies(responses: Iterable[httpx.Response], status: int = 200) -> list[Any]:
    """What was answered with *status*."""
    return [response.json() for response in responses if response.status_code == status]
