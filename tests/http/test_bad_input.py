"""Every route against bodies it can't take: refused with the right code, nothing written, never a 500."""

from collections.abc import AsyncIterator

import httpx
import pytest

from ainp.http.routes import ROUTES, Route
from support import wrong
from support.world import COVERED, World

MIB = 1024 * 1024


def params(routes: list[Route]) -> list[object]:
    return [pytest.param(route, id=f"{route.method} {route.path}") for route in routes]


# What is no envelope is refused as that: test_envelopes.py.
POSTS = params([route for route in ROUTES if route.method == "POST" and not route.envelope])
WITH_BODY = params([route for route in ROUTES if route.body is not None and not route.envelope])
WITH_ACTOR = params([route for route in ROUTES if route.actor is not None])

MALFORMED = {
    "truncated object": b'{"a":1',
    "truncated text": b'{"a":"',
    "truncated escape": b'{"a":"\\u00',
    "half a word": b"nul",
    "another number after it": b"{} 1",
    "an object after it": b"{}{}",
    "a comma too many": b'{"a":1,}',
    "a comment": b"{}//",
    "single quotes": b"{'a':1}",
    "bare words": b"{a:1}",
    "spaces": b"   ",
    "NUL": b"\x00",
    "BOM": b"\xef\xbb\xbf{}",
    "UTF-16": "{}".encode("utf-16"),
    "Latin-1": b'{"\xe9":1}',
    "a form": b"a=1&b=2",
    "html": b"<html>",
}
NOT_OBJECTS = {
    "array": b"[]",
    "array of objects": b"[{}]",
    "text": b'"{}"',
    "number": b"1",
    "null": b"null",
    "true": b"true",
}
DEEP = {
    "arrays": b"[" * 100_000 + b"]" * 100_000,
    "arrays that never end": b"[" * 100_000,
    "objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "objects that never end": b'{"a":' * 100_000,
    "arrays in a member": b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "behind quotes": b'{"\\"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "one level too many": b'{"a":' + b"[" * 64 + b"]" * 64 + b"}",
}
TYPES = ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/x-cbor")
ODD_TYPES = ("", "json", "application/jsonp", "application/json-seq", "text/json", "application/xml", "*/*")


def refused(response: httpx.Response, *expected: tuple[int, str]) -> None:
    """The answer is one of these refusals, said as a refusal is said."""
    found = response.json()
    assert (response.status_code, found["error"]) in expected, response.text[:300]
    assert isinstance(found["message"], str)
    assert found["message"]
    assert response.headers["content-type"] == "application/json"
    for leak in ("Traceback", "asyncpg", "msgspec", "/src/", "psycopg", "SELECT "):
        assert leak not in response.text


def test_every_route_has_a_right_request_here() -> None:
    assert {(route.method, route.path) for route in ROUTES} == COVERED


@pytest.mark.parametrize("route", params(list(ROUTES)))
async def test_the_right_request_of_a_read_is_answered(world: World, route: Route) -> None:
    sent = world.right(route)
    if route.method == "GET":
        response = await world.send("GET", sent.path, headers=sent.headers)

        assert response.status_code == 200, response.text


@pytest.mark.parametrize("route", WITH_BODY)
async def test_a_value_of_another_type_is_refused(world: World, route: Route) -> None:
    assert route.body is not None
    sent = world.right(route)
    async with world.nothing_written():
        for path, kind in wrong.fields(route.body):
            for literal in wrong.wrong_literals(kind):
                content = wrong.with_literal(sent.body, path, literal)
                response = await world.send(route.method, sent.path, content, sent.headers)

                refused(response, (400, "INVALID_REQUEST"), (400, "INVALID_JSON"))


@pytest.mark.parametrize("route", WITH_BODY)
async def test_a_text_that_cannot_be_stored_is_refused(world: World, route: Route) -> None:
    assert route.body is not None
    sent = world.right(route)
    async with world.nothing_written():
        for path, kind in wrong.fields(route.body):
            for text in wrong.BAD_TEXTS:
                values = [text] if wrong.takes_text(kind) else []
                if wrong.takes_anything(kind):
                    values = [b'{"a":%s}' % text, b"{%s:1}" % text, b'{"a":[{"b":{%s:[%s]}}]}' % (text, text)]
                for value in values:
                    content = wrong.with_literal(sent.body, path, value)
                    response = await world.send(route.method, sent.path, content, sent.headers)

                    refused(response, (400, "INVALID_REQUEST"), (400, "INVALID_JSON"))


@pytest.mark.parametrize("route", WITH_BODY)
async def test_a_missing_member_is_named(world: World, route: Route) -> None:
    assert route.body is not None
    sent = world.right(route)
    async with world.nothing_written():
        for path in wrong.required(route.body):
            response = await world.send(route.method, sent.path, wrong.without(sent.body, path), sent.headers)

            refused(response, (400, "INVALID_REQUEST"))
            assert str(path[-1]) in response.json()["message"]


@pytest.mark.parametrize("route", WITH_BODY)
async def test_a_number_that_is_far_too_large_is_refused(world: World, route: Route) -> None:
    assert route.body is not None
    sent = world.right(route)
    lenient = {"ttl"}  # clamped, as clients send seconds and milliseconds alike
    async with world.nothing_written():
        for path, kind in wrong.fields(route.body):
            if wrong.takes_number(kind) and path[-1] not in lenient:
                for number in (2**63, 2**64, 2**70, -(2**70), 10**400):
                    content = wrong.with_literal(sent.body, path, str(number).encode())
                    response = await world.send(route.method, sent.path, content, sent.headers)

                    refused(response, (400, "INVALID_REQUEST"), (409, "PROPOSAL_CHANGED"), (400, "INVALID_PROOF"))


@pytest.mark.parametrize("route", POSTS)
async def test_what_is_no_json_is_refused(world: World, route: Route) -> None:
    sent = world.right(route)
    async with world.nothing_written():
        for content in MALFORMED.values():
            refused(await world.send(route.method, sent.path, content, sent.headers), (400, "INVALID_JSON"))
        for cut in range(1, len(sent.raw) - 1, 7):
            refused(await world.send(route.method, sent.path, sent.raw[:cut], sent.headers), (400, "INVALID_JSON"))
        refused(await world.send(route.method, sent.path, sent.raw + b"]", sent.headers), (400, "INVALID_JSON"))


@pytest.mark.parametrize("route", POSTS)
async def test_json_that_is_no_object_is_refused(world: World, route: Route) -> None:
    sent = world.right(route)
    async with world.nothing_written():
        for content in NOT_OBJECTS.values():
            refused(await world.send(route.method, sent.path, content, sent.headers), (400, "INVALID_REQUEST"))


@pytest.mark.parametrize("route", POSTS)
async def test_what_is_nested_too_deeply_is_refused(world: World, route: Route) -> None:
    sent = world.right(route)
    async with world.nothing_written():
        for content in DEEP.values():
            response = await world.send(route.method, sent.path, content, sent.headers)

            refused(response, (400, "INVALID_REQUEST"))
            assert "nested" in response.json()["message"]


@pytest.mark.parametrize("route", POSTS)
async def test_a_body_of_two_megabytes_is_refused(world: World, route: Route) -> None:
    sent = world.right(route)

    async def chunked() -> AsyncIterator[bytes]:
        for _ in range(32):
            yield b" " * (MIB // 16)

    headers = [(name.encode(), value.encode()) for name, value in (sent.headers or {}).items()]
    async with world.nothing_written():
        whole = await world.send(route.method, sent.path, b" " * 2 * MIB, sent.headers)
        in_parts = await world.send(route.method, sent.path, chunked(), sent.headers)
        lying = await world.send(
            route.method, sent.path, b" " * 2 * MIB, {**(sent.headers or {}), "content-length": "2"}
        )
        odd = await world.send(route.method, sent.path, b" " * 2 * MIB, [*headers, (b"content-length", b"\xb2")])

        for response in (whole, in_parts, lying, odd):
            refused(response, (413, "PAYLOAD_TOO_LARGE"))
            assert response.json()["limit"] == MIB


@pytest.mark.parametrize("route", POSTS)
async def test_a_body_that_does_not_say_it_is_json_is_refused(world: World, route: Route) -> None:
    sent = world.right(route)
    async with world.nothing_written():
        for kind in (*TYPES, *ODD_TYPES):
            headers = {**(sent.headers or {}), "content-type": kind}

            refused(
                await world.send(route.method, sent.path, sent.raw or b"{}", headers), (415, "UNSUPPORTED_MEDIA_TYPE")
            )


@pytest.mark.parametrize("route", WITH_ACTOR)
async def test_an_actor_that_is_no_did_is_refused(world: World, route: Route) -> None:
    sent = world.right(route)
    actors = (
        {"address", "did"} if route.path == "/api/agents/register" else {n for n in sent.body if n.endswith("_did")}
    )
    actors -= {"responder_did", "validator_did"}
    anonymous = {name: value for name, value in sent.body.items() if name not in actors}
    async with world.nothing_written():
        for did in ("", "did:foo:x", "did:key:", "agent", "did:key:a b", "did:key:\xe9", "x" * 600):
            headers = [(b"x-ainp-did", did.encode("latin-1"))]
            content = httpx.Request("POST", "http://x", json=anonymous).content
            response = await world.send(route.method, sent.path, content, headers)

            if route.path == "/api/agents/register":
                refused(response, (400, "INVALID_REQUEST"))  # who registers stands in the body
            else:
                refused(response, (400, "INVALID_DID"))


@pytest.mark.parametrize("route", WITH_BODY)
async def test_a_did_in_a_body_that_is_none_is_refused(world: World, route: Route) -> None:
    assert route.body is not None
    sent = world.right(route)
    dids = [path for path, _ in wrong.fields(route.body) if str(path[-1]).endswith("did") and path != ("did",)]
    async with world.nothing_written():
        for path in dids:
            if path == ("validator_did",):
                continue  # a settlement does not read it: who is paid stands in the terms
            for did in (
                "",
                "did:foo:x",
                "x y",
                "did:key:a\\nb",
                "did:key:\\u00e9",
                "DID:KEY:zA",
                "did:key:" + "a" * 600,
            ):
                content = wrong.with_literal(sent.body, path, f'"{did}"'.encode())
                response = await world.send(route.method, sent.path, content, sent.headers)

                refused(response, (400, "INVALID_DID"), *([(400, "INVALID_REQUEST")] if len(did) > 512 else []))


async def test_unknown_members_are_refused_in_a_statement_and_ignored_elsewhere(world: World) -> None:
    attest = f"/api/receipts/{world.task_id}/attestations"
    async with world.nothing_written():
        for member in (b'"note":1', b'"Type":"X"', b'"statement":{}'):
            content = b'{"type":"QUALITY_HIGH",%s}' % member
            refused(await world.send("POST", attest, content, {"x-ainp-did": world.client}), (400, "INVALID_REQUEST"))
        unread = b'{"note":1,"price":"free"}'
        response = await world.send("POST", f"/api/receipts/{world.task_id}/finalize", unread)
        refused(response, (409, "QUORUM_NOT_MET"))
    known = await world.api.initiate(world.client, world.agent)
    moved = await world.api.call(
        "POST", f"/api/negotiations/{known['id']}/reject", {"rejector_did": world.agent, "note": {"deep": [1]}}
    )
    assert moved["state"] == "rejected"


async def test_a_member_that_stands_twice_in_a_statement_is_refused(world: World) -> None:
    attest = f"/api/receipts/{world.task_id}/attestations"
    async with world.nothing_written():
        for content in (
            b'{"type":"QUALITY_HIGH","type":"QUALITY_HIGH"}',
            b'{"type":"QUALITY_HIGH","score":0.1,"score":0.9}',
            b'{"type":"QUALITY_HIGH","t\\u0079pe":"SAFETY_PASS"}',
            b'{"type":"QUALITY_HIGH","score":null,"score":0.9}',
        ):
            response = await world.send("POST", attest, content, {"x-ainp-did": world.client})

            refused(response, (400, "INVALID_REQUEST"))
            assert "twice" in response.json()["message"]


async def test_brackets_in_a_text_are_text(world: World) -> None:
    proposal = {"price": 1, "custom_terms": {"drawing": '[{"' * 3000}}

    opened = await world.api.initiate(world.client, world.agent, **proposal)

    assert opened["current_proposal"] == proposal


async def test_backslashes_before_an_escape_are_counted(world: World) -> None:
    content = rb'{"address":{"did":"%s","capabilities":[{"description":"a \\u0000 b"}]}}' % world.client.encode()

    response = await world.send("POST", "/api/agents/register", content)

    assert response.status_code == 200  # an escaped backslash and five letters, not NUL
    assert (await world.api.get(f"/api/agents/{world.client}"))["capabilities"][0]["description"] == r"a \u0000 b"
