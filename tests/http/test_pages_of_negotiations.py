"""An agent's negotiations, page by page: none twice, none left out, and no page without an end."""

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from support.api import Api, an_api

Json = dict[str, Any]


@pytest.fixture
async def api(database_url: str) -> AsyncIterator[Api]:
    async with an_api(database_url) as api:
        yield api


async def pages(api: Api, query: str) -> AsyncIterator[list[Json]]:
    """Page after page, as each says where the next is, up to the empty one."""
    path = f"/api/negotiations?{query}"
    while True:
        answer = await api.client.get(path)
        assert answer.status_code == 200, answer.text
        yield answer.json()
        if "link" not in answer.headers:
            return
        (path,) = re.findall(r'^<([^>]+)>; rel="next"$', answer.headers["link"])


async def test_the_pages_are_the_whole_list(api: Api) -> None:
    client, agent, *_ = await api.register(3)
    opened = [(await api.initiate(*((client, agent) if n % 2 else (agent, client))))["id"] for n in range(7)]

    found = [page async for page in pages(api, f"agent_did={client}&limit=3")]

    assert [len(page) for page in found] == [3, 3, 1, 0]
    assert [n["id"] for page in found for n in page] == opened[::-1]


async def test_the_filter_goes_with_the_pages(api: Api) -> None:
    client, agent, *_ = await api.register(3)
    accepted = [(await api.accepted(client, agent, price=1))["id"] for _ in range(3)]
    await api.initiate(client, agent)

    found = [page async for page in pages(api, f"agent_did={client}&state=accepted&limit=2")]

    assert [n["id"] for page in found for n in page] == accepted[::-1]


async def test_large_proposals_make_short_pages(api: Api) -> None:
    client, agent, *_ = await api.register(3)
    opened = [(await api.initiate(client, agent, note="x" * 16_000))["id"] for _ in range(70)]

    found = [page async for page in pages(api, f"agent_did={client}&limit=200")]

    assert [n["id"] for page in found for n in page] == opened[::-1]
    assert 2 < len(found) < 5
    assert all(len(page) < 70 for page in found)


@pytest.mark.parametrize("cursor", ["x", "====", "a" * 200])
async def test_a_cursor_of_somebody_s_own_is_refused(api: Api, cursor: str) -> None:
    refused = await api.get(f"/api/negotiations?agent_did=did:key:a&cursor={cursor}", status=400)

    assert refused["message"].startswith("cursor: found")
