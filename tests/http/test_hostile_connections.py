"""Connections that are held, flooded or made to be misread; each ends with the right status and leaves nothing."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta

import pytest

from ainp.core.limits import (
    BODY_TIME,
    HEAD_TIME,
    IDLE_TIME,
    MAX_BODY_BYTES_SENT,
    MAX_DEPTH,
    MAX_HEADER_BYTES,
    MAX_HEADER_FIELDS,
    MAX_PIPELINED,
    MAX_REQUEST_LINE_BYTES,
    UNREAD_TIME,
)
from ainp.http.admission import Admission, Stall, source_of
from support.socket import Answer, Raw, _answer, a_socket
from support.world import World

HOST = b"Host: 127.0.0.1\r\n"
HEALTH = b"GET /openapi.json HTTP/1.1\r\n" + HOST + b"\r\n"
POST = b"POST /api/negotiations HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n"
PATIENCE_S = 5


@dataclass
class Door:
    """A broker on a port, and its view of who is connected."""

    raw: Raw
    admission: Admission

    def later(self, seconds: float) -> None:
        """Look at every connection as if so much time had gone by."""
        self.admission.look(asyncio.get_running_loop().time() + seconds)

    async def empty(self) -> None:
        """Wait until nobody is connected and nothing is being answered."""
        async with asyncio.timeout(PATIENCE_S):
            while self.admission.connections or self.admission.tasks:  # noqa: ASYNC110 - uvicorn tells nobody
                await asyncio.sleep(0.01)

    @asynccontextmanager
    async def connected(self) -> AsyncIterator["Line"]:
        """One connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.raw.port, limit=2**24)
        try:
            yield Line(reader, writer)
        finally:
            writer.transport.abort()


@dataclass
class Line:
    """The client's end of a connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        """Send, and let the broker read it."""
        self.writer.write(data)
        await self.writer.drain()
        await asyncio.sleep(0.01)

    async def answer(self) -> Answer:
        """The next answer."""
        async with asyncio.timeout(PATIENCE_S):
            return await _answer(self.reader)

    async def end(self) -> bytes:
        """Whatever else comes until the broker has closed."""
        async with asyncio.timeout(PATIENCE_S):
            try:
                return await self.reader.read()
            except ConnectionError:
                return b""


@pytest.fixture
async def door(world: World) -> AsyncIterator[Door]:
    admission = Admission()
    async with a_socket(world.api.broker, admission=admission) as raw, world.nothing_written():
        yield Door(raw, admission)
        await Door(raw, admission).empty()


@pytest.mark.parametrize(
    ("sent", "more", "patience"),
    [
        pytest.param(HEALTH[:30], HEALTH[30:31], HEAD_TIME, id="header"),
        pytest.param(POST + b"Content-Length: 100\r\n\r\n{", b" ", BODY_TIME, id="body"),
        pytest.param(POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n", b"1\r\n", BODY_TIME, id="chunks"),
    ],
)
async def test_who_does_not_finish_a_request_is_told_so(
    door: Door, sent: bytes, more: bytes, patience: timedelta
) -> None:
    seconds = patience.total_seconds()
    async with door.connected() as line:
        await line.send(sent)
        door.later(seconds - 2)
        await line.send(more)  # a byte now and then changes nothing
        door.later(seconds + 1)
        answer = await line.answer()

        assert (answer.status, answer.json["error"]) == (408, "REQUEST_TIMEOUT")
        assert await line.end() == b""


async def test_who_asks_for_nothing_is_let_go(door: Door) -> None:
    async with door.connected() as fresh, door.connected() as used:
        await used.send(HEALTH)
        assert (await used.answer()).status == 200
        await fresh.send(b"\r\n")
        door.later(IDLE_TIME.total_seconds() - 2)
        await used.send(HEALTH)
        assert (await used.answer()).status == 200
        door.later(IDLE_TIME.total_seconds() + 1)

        assert (await fresh.end(), await used.end()) == (b"", b"")


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        pytest.param(b"X: " + b"x" * MAX_HEADER_BYTES + b"\r\n\r\n", 431, "HEADER_TOO_LARGE", id="one field"),
        pytest.param(b"X: " + b"x" * (60 * 1024), 431, "HEADER_TOO_LARGE", id="without an end"),
        pytest.param(b"X: y\r\n" * MAX_HEADER_FIELDS + b"\r\n", 431, "HEADER_TOO_LARGE", id="many fields"),
        pytest.param(b"X: y\r\n" * 100_000, 431, "HEADER_TOO_LARGE", id="fields without an end"),
    ],
)
async def test_a_header_has_an_end(door: Door, sent: bytes, status: int, code: str) -> None:
    answer = await door.raw.send(b"GET /health HTTP/1.1\r\n" + HOST, sent)

    assert (answer.status, answer.json["error"]) == (status, code)


@pytest.mark.parametrize("rest", [b" HTTP/1.1\r\n" + HOST + b"\r\n", b""], ids=["whole", "without an end"])
async def test_a_target_has_an_end(door: Door, rest: bytes) -> None:
    size = MAX_REQUEST_LINE_BYTES if rest else 2 * MAX_HEADER_BYTES
    answer = await door.raw.send(b"GET /health?" + b"x" * size + rest)

    assert (answer.status, answer.json["error"]) == (414, "URI_TOO_LONG")


async def test_a_header_within_the_limits_is_answered(door: Door) -> None:
    fields = b"X: y\r\n" * (MAX_HEADER_FIELDS - 3) + b"X-Large: " + b"x" * 8000 + b"\r\n"
    answer = await door.raw.send(
        b"GET /openapi.json?" + b"x" * 7000 + b" HTTP/1.1\r\nConnection: close\r\n" + HOST + fields + b"\r\n"
    )

    assert answer.status == 200


async def test_a_body_that_never_ends_is_refused_and_then_cut_off(door: Door) -> None:
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    async with door.connected() as line:
        await line.send(POST + b"Transfer-Encoding: chunked\r\n\r\n" + 17 * chunk)
        answer = await line.answer()
        with suppress(ConnectionError):
            async with asyncio.timeout(PATIENCE_S):
                while not line.writer.is_closing():
                    await line.send(chunk)

    assert (answer.status, answer.json["error"]) == (413, "PAYLOAD_TOO_LARGE")


@pytest.mark.parametrize(
    "endless",
    [
        pytest.param(b"1;" + b"x" * 65536, id="extension"),
        pytest.param(b"1\r\n{\r\n0\r\nX: " + b"x" * 65536, id="trailer"),
    ],
)
async def test_what_is_skipped_in_a_body_has_an_end_too(door: Door, endless: bytes) -> None:
    async with door.connected() as line:
        await line.send(POST + b"Transfer-Encoding: chunked\r\n\r\n" + endless)
        for _ in range(20):
            line.writer.write(b"x" * (MAX_BODY_BYTES_SENT // 16))
        answer = await line.answer()

    assert (answer.status, answer.json["error"]) in {(413, "PAYLOAD_TOO_LARGE"), (400, "MALFORMED_HTTP")}


async def test_a_body_may_be_nested_so_deep_and_no_deeper(door: Door) -> None:
    deep = b'{"initial_proposal":' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH + b"}"
    very = b"[" * 500_000
    for body in (deep, very):
        answer = await door.raw.post(b"/api/negotiations", body)

        assert (answer.status, answer.json["error"]) == (400, "INVALID_REQUEST")


@pytest.mark.parametrize(
    "lines",
    [
        [b"Content-Length: 4", b"Transfer-Encoding: chunked"],
        [b"Transfer-Encoding: chunked", b"Content-Length: 4"],
        [b"Content-Length: 2", b"Content-Length: 4"],
        [b"Content-Length: 2", b"Content-Length: 2"],
        [b"Content-Length: 2, 2"],
        [b"Content-Length: +2"],
        [b"Content_Length: 2"],
        [b"Transfer-Encoding: xchunked"],
        [b"Transfer-Encoding: gzip, chunked"],
        [b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"],
        [b"Transfer-Encoding : chunked"],
        [b"Transfer-Encoding: \x0bchunked"],
        [b"Transfer_Encoding: chunked"],
        [b"X-A: b", b" folded: c"],
        [b"X-A: b\nX-AINP-DID: did:key:z6Mk"],
        [b"X-A: b\rX-AINP-DID: did:key:z6Mk"],
        [b"X-A: b\x00c"],
        [b": nameless"],
        [b"X_AINP_DID: did:key:z6Mk"],
        [b"x-ainp_did: did:key:z6Mk"],
        [b"X_Forwarded_For: 10.0.0.1"],
        [b"X-AINP-DID: did:key:z6Mka", b"X-AINP-DID: did:key:z6Mkb"],
        [b"Host: evil.example"],
        [b"Idempotency-Key: a", b"Idempotency-Key: b"],
    ],
    ids=lambda lines: b" + ".join(lines).decode("latin-1").encode("unicode_escape").decode(),
)
async def test_what_could_be_read_in_two_ways_is_refused(door: Door, lines: list[bytes]) -> None:
    answer = await door.raw.send(POST + b"\r\n".join(lines) + b"\r\n\r\n2\r\n{}\r\n0\r\n\r\n")

    assert (answer.status, answer.json["error"]) == (400, "MALFORMED_HTTP")


@pytest.mark.parametrize("version", [b"HTTP/1.0", b"HTTP/1.2", b"HTTP/2.0"])
async def test_chunks_are_for_the_one_version_that_has_them(door: Door, version: bytes) -> None:
    answer = await door.raw.send(POST.replace(b"HTTP/1.1", version) + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n")

    assert (answer.status, answer.json["error"]) == (400, "MALFORMED_HTTP")


async def test_a_field_behind_the_body_is_nobody_s_name(door: Door, world: World) -> None:
    path = f"/api/negotiations/{world.accepted}/settle".encode()
    head = b"POST " + path + b" HTTP/1.1\r\nConnection: close\r\n" + HOST + b"Content-Type: application/json\r\n"
    trailer = b"X-AINP-DID: " + world.client.encode()
    answer = await door.raw.send(head + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n" + trailer + b"\r\n\r\n")

    assert (answer.status, answer.json["error"]) == (401, "UNAUTHORIZED")


async def test_of_requests_that_do_not_wait_for_answers_some_are_answered(door: Door) -> None:
    async with door.connected() as line:
        line.writer.write(HEALTH * 2000)
        answers = (await line.end()).count(b"HTTP/1.1 200 ")

    assert answers == MAX_PIPELINED + 1


async def test_what_is_wrong_behind_a_good_request_does_not_take_its_answer(door: Door) -> None:
    async with door.connected() as line:
        line.writer.write(HEALTH + b"rubbish\r\n\r\n")
        everything = await line.end()

    assert everything.count(b"HTTP/1.1 ") == everything.count(b"HTTP/1.1 200 ") == 1


async def test_who_has_sent_all_and_still_listens_is_answered(door: Door) -> None:
    async with door.connected() as line:
        line.writer.write(HEALTH)
        line.writer.write_eof()

        assert (await line.end()).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("sent", [b"", HEALTH[:20], POST + b"Content-Length: 9\r\n\r\n{"])
async def test_who_goes_away_in_the_middle_leaves_nothing(door: Door, sent: bytes) -> None:
    async with door.connected() as line:
        await line.send(sent)
        line.writer.write_eof()

        assert await line.end() == b""


async def test_who_reads_no_answer_is_let_go(door: Door) -> None:
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", door.raw.port))
        client.setblocking(False)
        async with asyncio.timeout(PATIENCE_S):
            while not any(c.transport.get_write_buffer_size() for c in door.admission.connections):
                client.send(HEALTH)
                await asyncio.sleep(0.005)
        door.later(0)
        door.later(UNREAD_TIME.total_seconds() + 1)
        await door.empty()


async def test_an_upgrade_to_what_is_not_spoken_is_no_upgrade(door: Door) -> None:
    async with door.connected() as line:
        upgrade = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n"
        line.writer.write(HEALTH[:-2] + upgrade + b"\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        everything = await line.end()

    assert everything.count(b"HTTP/1.1 ") == everything.count(b"HTTP/1.1 200 ") == 1


async def test_a_process_has_so_many_connections_and_no_more(world: World) -> None:
    admission = Admission(2)
    async with a_socket(world.api.broker, admission=admission) as raw:
        door = Door(raw, admission)
        async with door.connected() as one, door.connected() as two:
            for line in (one, two):
                await line.send(HEALTH)
                assert (await line.answer()).status == 200
            async with door.connected() as three:
                refused = await three.answer()
                assert await three.end() == b""
        await door.empty()
        again = await raw.get(b"/openapi.json")

    assert (refused.status, refused.json["error"]) == (503, "TOO_MANY_CONNECTIONS")
    assert refused.headers["retry-after"] == "1"
    assert again.status == 200


def test_an_address_has_so_many_connections_and_no_more() -> None:
    admission = Admission(per_address=2)
    neighbours = [("2001:db8::1", 1), ("2001:db8::ffff:2", 2), ("2001:db8::3", 3)]

    for client in neighbours[:2]:
        admission.admit(client)
    with pytest.raises(Exception, match="your address has 2 connections"):
        admission.admit(neighbours[2])
    admission.admit(("2001:db8:0:1::1", 4))
    admission.leave(neighbours[0])
    admission.admit(neighbours[2])
    for number in range(9):
        admission.admit(("127.0.0.1", number))
    assert admission._held.total() == 3


def test_a_process_behind_a_proxy_does_not_count_addresses() -> None:
    admission = Admission(per_address=None)
    for number in range(9):
        admission.admit(("10.0.0.1", number))

    assert not admission._held


@pytest.mark.parametrize(
    ("client", "source"),
    [
        (("10.1.2.3", 1), "10.1.2.3"),
        (("::ffff:10.1.2.3", 1), "10.1.2.3"),
        (("2001:db8:1:2:3::4", 1), "2001:db8:1:2::/64"),
        (("fe80::1%eth0", 1), "fe80::/64"),
        (("127.8.8.8", 1), None),
        (("::1", 1), None),
        (("::ffff:127.0.0.1", 1), None),
        (("unix", 0), None),
        (None, None),
    ],
)
def test_an_address_is_one_customer_s(client: tuple[str, int] | None, source: str | None) -> None:
    assert source_of(client) == source


def test_a_mark_moves_as_long_as_somebody_reads() -> None:
    stall = Stall()

    assert stall.lasts(0, 1) == 0
    assert stall.lasts(500_000, 2) == 0
    assert stall.lasts(499_999, 12) == 10
    assert stall.lasts(900_000, 13) == 11
    assert stall.lasts(400_000, 14) == 0
    assert stall.lasts(0, 99) == 0
