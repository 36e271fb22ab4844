"""How an answer goes over the wire, whatever form of ASGI it comes in."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from ainp.cli.server import Server, listen
from ainp.http.admission import Admission

START: dict[str, Any] = {"type": "http.response.start", "status": 200}
LENGTH = (b"content-length", b"4")
WHOLE: dict[str, object] = {"type": "http.response.body", "body": b"done"}
PARTS: list[dict[str, object]] = [
    {"type": "http.response.body", "body": b"do", "more_body": True},
    {"type": "http.response.body", "body": b"ne"},
]


@pytest.mark.parametrize(
    ("headers", "bodies", "expected"),
    [
        ([LENGTH], [WHOLE], b"content-length: 4\r\n\r\ndone"),
        ([LENGTH, (b"x-odd", b"a, b")], [WHOLE], b"x-odd: a, b\r\n\r\ndone"),
        ([], [WHOLE], b"transfer-encoding: chunked\r\n\r\n4\r\ndone\r\n0\r\n\r\n"),
        ([LENGTH], PARTS, b"content-length: 4\r\n\r\ndone"),
        ([], PARTS, b"2\r\ndo\r\n2\r\nne\r\n0\r\n\r\n"),
        ([LENGTH, (b"connection", b"close")], [WHOLE], b"connection: close\r\n\r\ndone"),
    ],
)
async def test_an_answer_is_written_whole_or_in_parts_as_it_comes(
    headers: Sequence[tuple[bytes, bytes]], bodies: Sequence[dict[str, object]], expected: bytes
) -> None:
    assert (await answered(headers, bodies)).endswith(expected)


@pytest.mark.parametrize(
    "headers", [[LENGTH, (b"x-name", b"a\r\nset-cookie: b")], [(b"content-length", b"3")], [LENGTH, (b"x\nname", b"a")]]
)
async def test_an_answer_that_could_be_read_as_two_is_not_written(headers: Sequence[tuple[bytes, bytes]]) -> None:
    got = await answered(headers, [WHOLE])

    assert b"set-cookie" not in got
    assert not got.endswith(b"done")


async def answered(headers: Sequence[tuple[bytes, bytes]], bodies: Sequence[dict[str, object]]) -> bytes:
    """What a client reads of the first of two answers on a connection."""

    async def app(_: object, __: object, send: Any) -> None:  # noqa: ANN401 - ASGI
        await send({**START, "headers": headers})
        for body in bodies:
            await send(body)

    opened = listen("127.0.0.1", 0)
    server = Server(app, admission=Admission())  # type: ignore[arg-type]  # an application that says what a test wants
    serving = asyncio.create_task(server.serve(sockets=[opened]))
    try:
        reader, writer = await asyncio.open_connection(*opened.getsockname())
        writer.write(b"GET / HTTP/1.1\r\nHost: here\r\n\r\nGET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
        whole = await asyncio.wait_for(reader.read(), 10)
        writer.close()
    finally:
        server.should_exit = True
        await serving
    return whole.removeprefix(b"HTTP/1.1 ").partition(b"HTTP/1.1 ")[0]
