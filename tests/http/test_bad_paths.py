"""Paths, ids, query parameters and methods that are not right, and some that only look odd."""

from urllib.parse import quote

import httpx
import pytest

from ainp.http.routes import ROUTES, Query, Route
from support.world import World

UNKNOWN = "0193a2b4-0000-7000-8000-000000000000"
NOT_UUIDS = {
    "a word": "not-a-uuid",
    "a number": "1",
    "braces": f"{{{UNKNOWN}}}",
    "encoded braces": quote(f"{{{UNKNOWN}}}"),
    "a URN": f"urn:uuid:{UNKNOWN}",
    "no dashes": UNKNOWN.replace("-", ""),
    "one digit short": UNKNOWN[:-1],
    "one digit more": UNKNOWN + "0",
    "NUL": "%00",
    "NUL at the end": UNKNOWN + "%00",
    "a line at the end": UNKNOWN + "%0A",
    "a slash": "a%2Fb",
    "an encoded slash, twice encoded": "a%252Fb",
    "twice encoded": quote(quote(UNKNOWN + " ")),
    "dots": "..",
    "encoded dots": "%2e%2e",
    "dots and a slash": "..%2f..%2fetc%2fpasswd",
    "a backslash": "..%5c..%5c",
    "another alphabet": quote("٠١٢٣"),
    "a quote": quote("'; DROP TABLE agents; --"),
    "a percent sign": "%25",
    "very long": "x" * 4000,
}
NOT_UTF_8 = ("%ff", "%c0%80", "%ed%a0%80", "a%80b")
NOT_DIDS = {
    "a word": "agent",
    "another method": "did:foo:x",
    "no method": "did",
    "nothing in it": "did:key:",
    "capitals": "DID:KEY:z6Mk",
    "a space": "did:key:a%20b",
    "a line": "did:key:a%0Ab",
    "NUL": "did:key:a%00",
    "letters of others": quote("did:key:é"),
    "a slash": "did:web:a%2Fb",
    "twice encoded": "did%253Akey%253Az",
    "a fragment": "did:key:z%23key-1",
    "long": "did:key:" + "a" * 600,
}
NO_ROUTES = (
    "/",
    "/api",
    "/api/receipts/x/y/z",
    "//api/receipts",
    "/api//receipts",
    "/api%2Freceipts",
    "/api/receipts%00",
    "/api/receipts%0A",
    "/api/receipts;x",
    "/api/agents/%2e%2e/receipts",
    "/healthy",
    "/openapi.json/x",
    "/docs%2F",
    "/.env",
    "/%2e%2e/%2e%2e/etc/passwd",
)
METHODS = ("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "POST", "TRACE")
LIMITS = ("0", "-1", "201", "abc", "1e3", "1.0", "+1", " 1", "", "0x10", "٣", "²", "9" * 30, "1,2", "null")
PAGED = {
    "/api/receipts": ("%3f", "AA", "!!!!", "A" * 31, "f" + "_" * 31, "A" * 5000, "é", ""),
    "/api/receipts/{task_id}": ("AA", "A" * 31, ""),
    "/api/receipts/{task_id}/attestations": ("AA", "A" * 33, ""),
    "/api/admin/audit": ("%3f", "AA", "A" * 31, ""),
    "/api/reputation/{did}/history": ("AA", "-1", "0", "1.5", "٣", "9" * 30, ""),
}


def params(routes: list[Route]) -> list[object]:
    return [pytest.param(route, id=f"{route.method} {route.path}") for route in routes]


NO_UUIDS = ("{did}", "{conversation_id}")
WITH_ID = params([r for r in ROUTES if "id}" in r.path and not any(name in r.path for name in NO_UUIDS)])
WITH_DID = params([route for route in ROUTES if "{did}" in route.path])
WITH_LIMIT = params([route for route in ROUTES if any(q.name == "limit" for q in route.query)])
DID_FILTERS = [
    pytest.param(route, query, id=f"{route.path} {query.name}")
    for route in ROUTES
    for query in route.query
    if query.name.endswith("_did")
]


def refused(response: httpx.Response, status: int, code: str) -> None:
    found = response.json()
    assert (response.status_code, found["error"]) == (status, code), response.text[:300]
    assert found["message"]


def with_id(world: World, route: Route, id_: str) -> str:
    """The right path of *route* with another id in it."""
    right = world.right(route).path
    start = route.path.index("{")
    place = route.path[:start].count("/")
    parts = right.split("?")[0].split("/")
    parts[place] = id_
    return "/".join(parts)


@pytest.mark.parametrize("route", WITH_ID)
async def test_what_is_no_id_is_not_found_or_refused(world: World, route: Route) -> None:
    sent = world.right(route)
    expected = (400, "INVALID_REQUEST") if route.writes else (404, "NOT_FOUND")
    async with world.nothing_written():
        for name, bad in NOT_UUIDS.items():
            response = await world.send(route.method, with_id(world, route, bad), sent.raw, sent.headers)

            if name in {"dots", "encoded dots"} and response.status_code == 404:
                continue
            if route.path == "/api/committee-epochs/{id}" and name == "a number":
                continue
            refused(response, *expected)
        for bad in NOT_UTF_8:
            response = await world.send(route.method, with_id(world, route, bad), sent.raw, sent.headers)

            refused(response, 400, "INVALID_REQUEST")


@pytest.mark.parametrize("route", WITH_ID)
async def test_what_is_no_id_is_refused_with_a_key_as_well(world: World, route: Route) -> None:
    sent = world.right(route)
    if route.method == "POST":
        async with world.nothing_written():
            for bad in NOT_UUIDS.values():
                path = with_id(world, route, bad)
                response = await world.send("POST", path, sent.raw, {**(sent.headers or {}), "idempotency-key": "k"})

                assert response.status_code in {400, 404}, response.text


@pytest.mark.parametrize("route", WITH_ID)
async def test_an_unknown_id_is_not_found(world: World, route: Route) -> None:
    sent = world.right(route)
    if route.path.endswith("/attestations") and route.method == "POST":
        sent.body["task_id"] = UNKNOWN
    async with world.nothing_written():
        response = await world.send(route.method, with_id(world, route, UNKNOWN), sent.raw, sent.headers)

        refused(response, 404, "NOT_FOUND")


@pytest.mark.parametrize("route", WITH_DID)
async def test_what_is_no_did_is_not_found(world: World, route: Route) -> None:
    for bad in NOT_DIDS.values():
        response = await world.send("GET", with_id(world, route, bad), headers=world.right(route).headers)

        refused(response, 404, "NOT_FOUND")
    path = with_id(world, route, "did:web:nobody.example")
    unknown = await world.send("GET", path, headers=world.right(route).headers)
    refused(unknown, 404, "AGENT_NOT_FOUND" if "/agents/" in route.path else "NOT_FOUND")


@pytest.mark.parametrize("route", params(list(ROUTES)))
async def test_a_method_that_is_not_there_names_those_that_are(world: World, route: Route) -> None:
    path = world.right(route).path
    there = {r.method for r in ROUTES if r.path == route.path}
    async with world.nothing_written():
        for method in set(METHODS) - there - ({"HEAD"} if "GET" in there else set()):
            response = await world.send(method, path)

            assert response.status_code == 405
            assert response.headers["allow"] == ", ".join(sorted(there))
            if method != "HEAD":
                refused(response, 405, "METHOD_NOT_ALLOWED")


@pytest.mark.parametrize("route", params(list(ROUTES)))
async def test_a_path_is_read_in_any_case_with_a_slash_or_encoded(world: World, route: Route) -> None:
    if route.method == "GET":
        right = world.right(route)
        path, _, query = right.path.partition("?")
        fixed, _, rest = path.partition("did:")
        for odd in (fixed.upper() + _ + rest, path + "/", path + "//", path.replace("i", "%69"), quote(path)):
            response = await world.send("GET", f"{odd}?{query}", headers=right.headers)

            assert response.status_code == 200, odd
        head = await world.send("HEAD", f"{path}?{query}", headers=right.headers)
        assert head.status_code == 200


@pytest.mark.parametrize("path", NO_ROUTES)
async def test_what_is_no_route_is_not_found(world: World, path: str) -> None:
    for method in ("GET", "POST"):
        refused(await world.send(method, path), 404, "NOT_FOUND")


@pytest.mark.parametrize("route", WITH_LIMIT)
async def test_a_limit_is_a_whole_number_from_1_to_200(world: World, route: Route) -> None:
    path, headers = world.right(route).path, world.right(route).headers
    joint = "&" if "?" in path else "?"
    for limit in LIMITS:
        response = await world.send("GET", f"{path}{joint}limit={quote(limit)}", headers=headers)

        refused(response, 400, "INVALID_LIMIT" if "/mail/" in route.path else "INVALID_REQUEST")
        assert "limit" in response.json()["message"].lower()
    for limit in ("1", "100" if "discovery" in route.path else "200", "007"):
        assert (await world.send("GET", f"{path}{joint}limit={limit}", headers=headers)).status_code == 200


@pytest.mark.parametrize(("path", "cursors"), PAGED.items(), ids=PAGED)
async def test_a_cursor_that_the_broker_did_not_give_is_refused(
    world: World, path: str, cursors: tuple[str, ...]
) -> None:
    route = next(r for r in ROUTES if (r.method, r.path) == ("GET", path))
    for cursor in cursors:
        right = world.right(route)
        response = await world.send("GET", f"{right.path}?cursor={quote(cursor)}", headers=right.headers)

        refused(response, 400, "INVALID_REQUEST")
        assert "cursor" in response.json()["message"]


@pytest.mark.parametrize(("route", "query"), DID_FILTERS)
async def test_a_filter_that_is_no_did_is_refused(world: World, route: Route, query: Query) -> None:
    for bad in ("", "agent", "did:foo:x", "did:key:a%00", "did:key:%20", "did:key:%C3%A9", "a" * 600, "%ff"):
        response = await world.send("GET", f"{route.path}?{query.name}={bad}", headers=world.right(route).headers)

        refused(response, 400, "INVALID_DID")


async def test_other_filters_are_checked(world: World) -> None:
    mine = f"/api/negotiations?agent_did={world.client}"
    for path in (
        "/api/negotiations",
        f"{mine}&state=open",
        f"{mine}&state=",
        f"{mine}&state=ACCEPTED",
        f"{mine}&state=%00",
        "/api/receipts?status=done",
        "/api/receipts?status=",
        "/api/receipts?status=%00",
        f"/api/credits/{world.client}/transactions?offset=-1",
        f"/api/credits/{world.client}/transactions?offset=10001",
        f"/api/credits/{world.client}/transactions?offset=x",
    ):
        refused(await world.send("GET", path), 400, "INVALID_REQUEST")
    for bad in NOT_UUIDS.values():
        if "{" not in bad:
            refused(await world.send("GET", f"/api/receipts?negotiation_id={bad}"), 404, "NOT_FOUND")
    assert (await world.api.get(f"/api/receipts?negotiation_id={UNKNOWN}"))["receipts"] == []


@pytest.mark.parametrize("route", params([route for route in ROUTES if route.method == "GET"]))
async def test_unknown_parameters_are_ignored(world: World, route: Route) -> None:
    path, headers = world.right(route).path, world.right(route).headers
    joint = "&" if "?" in path else "?"

    for extra in ("x=1", "x[]=1&x[]=2", "=", "&&&", "%00=%00", "x=%ff", "x=" + "y" * 8000):
        assert (await world.send("GET", f"{path}{joint}{extra}", headers=headers)).status_code == 200
