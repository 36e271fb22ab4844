"""Requests as bytes over a real socket: what no client library would send."""

from collections.abc import AsyncIterator

import pytest

from support.socket import Raw, a_socket
from support.world import World

MIB = 1024 * 1024


@pytest.fixture(scope="module")
async def raw(world: World) -> AsyncIterator[Raw]:
    async with a_socket(world.api.broker) as raw:
        yield raw


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        (b"/api/agents/%2e%2e%2fx", 404, "NOT_FOUND"),
        (b"/api/agents/../receipts", 404, "NOT_FOUND"),
        (b"/api/./receipts", 404, "NOT_FOUND"),
        (b"/health/../api/receipts", 404, "NOT_FOUND"),
        (b"/api/receipts/%00", 404, "NOT_FOUND"),
        (b"/api/receipts/%ff", 400, "INVALID_REQUEST"),
        (b"/api/receipts/%zz", 404, "NOT_FOUND"),
        (b"/api/receipts/%", 404, "NOT_FOUND"),
        (b"/api/receipts/%2", 404, "NOT_FOUND"),
        (b"//127.0.0.1/api/receipts", 404, "NOT_FOUND"),
        (b"/api/receipts?limit=%ff", 400, "INVALID_REQUEST"),
        (b"/api/agents/did:key:z%23x", 404, "NOT_FOUND"),
    ],
)
async def test_an_odd_path_is_answered(raw: Raw, world: World, path: bytes, status: int, code: str) -> None:
    answer = await raw.get(path)

    assert (answer.status, answer.json["error"]) == (status, code)
    assert "server" not in answer.headers


async def test_what_is_no_http_is_refused_without_a_trace(raw: Raw) -> None:
    for request in (
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /health HTTP/9.9\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost 127.0.0.1\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: x\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -1\r\n\r\n",
        b"GET /api/receipts/\xff HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET /api/receipts?limit=\xff HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"FOO /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    ):
        answer = await raw.send(request)

        assert answer.status in {400, 405}, request
        assert b"Traceback" not in answer.body


async def test_a_body_of_two_megabytes_is_refused_before_it_is_read(raw: Raw, world: World) -> None:
    path = f"/api/receipts/{world.task_id}/finalize".encode()
    head = b"POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n" % path
    async with world.nothing_written():
        declared = await raw.send(head + b"Content-Length: %d\r\n\r\n" % (2 * MIB))
        sent = await raw.post(path, b" " * 2 * MIB)
        chunk = b"%x\r\n" % (MIB // 2) + b" " * (MIB // 2) + b"\r\n"
        chunked = await raw.send(head + b"Transfer-Encoding: chunked\r\n\r\n", chunk, chunk, chunk, chunk)
        huge = await raw.send(head + b"Content-Length: 99999999999999999999999999\r\n\r\n")

    for answer in (declared, sent, chunked):
        assert (answer.status, answer.json["error"]) == (413, "PAYLOAD_TOO_LARGE")
    assert huge.status in {400, 413}


async def test_a_body_with_two_lengths_is_not_read_twice(raw: Raw, world: World) -> None:
    path = f"/api/receipts/{world.task_id}/finalize".encode()
    head = b"POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n" % path
    async with world.nothing_written():
        both = head + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
        two = head + b"Content-Length: 2\r\nContent-Length: 4\r\n\r\n{}{}"
        for request in (both, two):
            assert (await raw.send(request)).status in {400, 409}


async def test_huge_headers_are_answered_or_refused(raw: Raw) -> None:
    one = await raw.get(b"/health", b"X-Large: " + b"x" * 60_000)
    many = await raw.get(b"/health", *[b"X-%d: y" % n for n in range(2000)])
    did = await raw.get(b"/api/receipts", b"X-AINP-DID: did:key:" + b"z" * 60_000)

    for answer in (one, many, did):
        assert answer.status in {200, 400, 431}


async def test_a_host_is_sent_once_and_is_loopback(raw: Raw) -> None:
    for lines in (
        [],
        [b"Host: evil.example"],
        [b"Host: 127.0.0.1", b"Host: 127.0.0.1"],
        [b"Host: 127.0.0.1", b"Host: evil.example"],
        [b"Host:"],
        [b"Host: 127.0.0.1.evil.example"],
        [b"Host: \xff"],
    ):
        answer = await raw.send(
            b"\r\n".join([b"GET /api/receipts HTTP/1.1", b"Connection: close", *lines]) + b"\r\n\r\n"
        )

        assert answer.status in {400, 403}, lines
        if answer.status == 403:
            assert answer.json["error"] == "UNTRUSTED_REQUEST"


async def test_a_target_with_a_host_does_not_stand_for_the_host(raw: Raw) -> None:
    absolute = await raw.get(b"http://127.0.0.1/api/receipts", host=b"evil.example")
    options = await raw.get(b"*", method=b"OPTIONS")
    tunnel = await raw.get(b"evil.example:443", method=b"CONNECT")

    assert absolute.status == 403
    assert options.status in {400, 404, 405}
    assert tunnel.status in {400, 403, 404, 405}


async def test_head_has_the_headers_of_get_and_no_body(raw: Raw) -> None:
    head = await raw.send(b"HEAD /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")

    assert head.status == 200
    assert head.headers["content-type"] == "application/json"


async def test_a_connection_is_used_again_after_a_refusal(raw: Raw, world: World) -> None:
    request = b"GET /api/receipts/x HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    last = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"

    first = await raw.send(request + last)

    assert first.status == 404


async def test_a_did_goes_through_a_path_raw_or_encoded_once(raw: Raw, world: World) -> None:
    did = "did:web:agents.example:8443%3Ax"
    await world.api.call("POST", "/api/agents/register", {"did": did, "capabilities": ["x"]})
    for path in (did.replace("%", "%25"), did.replace("%", "%25").replace(":", "%3A")):
        answer = await raw.get(f"/api/agents/{path}".encode())

        assert (answer.status, answer.json["did"]) == (200, did)
