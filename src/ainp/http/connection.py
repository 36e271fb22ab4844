"""
HTTP under uvicorn: its protocol, with an end to what a client can send, hold and make the broker wait for.

Refused are also requests that two readers could understand as two things, so that no proxy in front of the broker sees
another request than the broker does.
"""

import asyncio
from collections import Counter
from http import HTTPStatus
from typing import cast

import httptools
from uvicorn._types import ASGISendEvent, HTTPResponseBodyEvent, HTTPResponseStartEvent
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from ainp.core.errors import (
    BrokerError,
    HeaderTooLarge,
    MalformedHttp,
    RequestTimeout,
    TooLarge,
    TooManyConnections,
    UriTooLong,
)
from ainp.core.limits import (
    BODY_TIME,
    HEAD_TIME,
    IDLE_TIME,
    MAX_BODY_BYTES_SENT,
    MAX_HEADER_BYTES,
    MAX_HEADER_FIELDS,
    MAX_PIPELINED,
    MAX_REQUEST_LINE_BYTES,
    UNREAD_TIME,
)
from ainp.http import problems
from ainp.http.admission import Admission, Stall
from ainp.telemetry.metrics import REFUSALS

_HEAD_S, _BODY_S, _IDLE_S, _UNREAD_S = (
    limit.total_seconds() for limit in (HEAD_TIME, BODY_TIME, IDLE_TIME, UNREAD_TIME)
)
_LINGER_S = 1.0  # for the refusal to be read: what is still unread when a connection is closed takes it away
_ONCE = frozenset(
    {b"host", b"content-type", b"authorization", b"idempotency-key", b"x-ainp-did", b"x-ainp-proxy-secret"}
)
_FRAMING = frozenset({b"connection", b"transfer-encoding"})
# What comes next on a connection. Plain numbers, as an enum's member takes longer to be named than a header to be read.
_NOTHING = 0  # of a request: it is idle
_HEAD = 1
_BODY = 2
_ANSWER = 3  # nothing, until the request is answered
_MIRRORED = _ONCE | {
    *(b"content-length", b"transfer-encoding", b"connection", b"upgrade", b"expect"),
    *(b"origin", b"forwarded", b"via", b"content-digest", b"signature-input"),
}


class RequestProtocol(HttpToolsProtocol):
    """One connection."""

    # Beside the base class's thirty, which more would make slower: that many an object finds without a search.
    __slots__ = ("_admitted", "_chunk", "_deaf", "_receives", "_since", "_stall", "_taken")
    server_state: Admission

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection, or say that there are too many."""
        super().connection_made(cast("asyncio.Transport", transport))
        self._receives, self._since = _NOTHING, self.loop.time()
        self._taken = self._chunk = 0  # bytes of the head or of the body so far, and those that are being read
        self._stall = Stall()
        self._admitted = False
        self._deaf = False  # nothing more is heard: something was refused
        self.connections.discard(self)
        try:
            self.server_state.admit(self.client)
        except TooManyConnections as error:
            self._deaf = True
            self._say(error)
            self.transport.close()
        else:
            self._admitted = True
            self.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        super().connection_lost(exc)
        self._leave()

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection on; who takes it is the one that is counted."""
        self._admitted = False
        super().handle_websocket_upgrade()

    def look(self, now: float) -> None:
        """End what has had its time."""
        if self._stall.lasts(self.transport.get_write_buffer_size(), now) > _UNREAD_S:
            self.transport.abort()
        if self._deaf or self.transport.is_closing():
            return
        waited = now - self._since
        if self._receives == _NOTHING and waited > _IDLE_S:
            self.transport.close()
        elif self._receives == _HEAD and waited > _HEAD_S:
            self._refuse(RequestTimeout(f"the header was not complete after {_HEAD_S:.0f} s"))
        elif self._receives == _BODY and waited > _BODY_S and not self.flow.read_paused:
            self._refuse(RequestTimeout(f"the body was not complete after {_BODY_S:.0f} s"))

    def data_received(self, data: bytes) -> None:
        """Read on, as far as the limits go."""
        if self._deaf:
            return
        self._chunk = len(data)
        self._taken += self._chunk
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._upgrade()
        except httptools.HttpParserError as error:
            self._refuse(_meaning(error))
        else:
            if self._receives == _HEAD and self._taken > MAX_HEADER_BYTES:
                self._refuse(self._too_large())
            elif self._receives == _BODY and self._taken > MAX_BODY_BYTES_SENT:
                self._refuse(
                    TooLarge(f"the body took more than {MAX_BODY_BYTES_SENT} bytes", limit=MAX_BODY_BYTES_SENT)
                )

    def on_message_begin(self) -> None:
        """Start the clock of a request."""
        super().on_message_begin()
        self._taken = self._chunk if self._receives == _NOTHING else 0
        self._receives = _HEAD
        self._since = self.loop.time()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field of the header; one behind the body, which may name anything, is not taken."""
        if self._receives != _HEAD:
            return
        name = name.lower()
        if b"_" in name and _mirrors(name):
            raise MalformedHttp(f"header: found {name.decode()[:80]}, which some readers take for a name with hyphens")
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Check the header as a whole, then let the request be answered."""
        if len(self.url) > MAX_REQUEST_LINE_BYTES or len(self.headers) > MAX_HEADER_FIELDS:
            raise self._too_large()
        if max(self._taken, self._chunk) > MAX_HEADER_BYTES and self._is_large():
            raise self._too_large()
        self._check_meaning()
        if self._busy:
            if self.parser.should_upgrade():
                raise MalformedHttp("upgrade: found before the answer to an earlier request")
            if len(self.pipeline) >= MAX_PIPELINED:
                raise MalformedHttp(f"found more than {MAX_PIPELINED} requests before the answer to the first")
        before = self.cycle
        super().on_headers_complete()
        if self.cycle is not before and self.scope["method"] != "HEAD":
            self.cycle.send = _InOnePiece(self.cycle).send  # type: ignore[method-assign]
        self._receives, self._taken, self._since = _BODY, 0, self.loop.time()

    def on_message_complete(self) -> None:
        """Stop the clock; as in the base class, which asks once more for upgrades: they have no request to answer."""
        self._since = self.loop.time()
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is None or cycle.response_complete:
            self._receives = _NOTHING
        else:
            self._receives = _ANSWER
            cycle.more_body = False
            cycle.message_event.set()

    def on_response_complete(self) -> None:
        """Go on with what waits; as in the base class, without a timer for each request."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        if not self._deaf:
            self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif self._receives == _ANSWER:
            self._receives, self._since = _NOTHING, self.loop.time()

    def eof_received(self) -> bool:  # type: ignore[override]  # the base class says nothing, which is no
        """Answer those who have sent all they will, and still listen; with TLS nobody can do that."""
        if not self._busy or self._receives == _BODY or self.scheme == "https":
            return False
        self._deaf = True
        self.cycle.keep_alive = False
        return True

    @property
    def _busy(self) -> bool:
        """Whether a request is being answered; there is none before the first, whatever the base class's types say."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    def _upgrade(self) -> None:
        if self._should_upgrade():
            self.handle_websocket_upgrade()
        elif self._busy:  # to something that is not spoken here: the request is answered as it is
            self._deaf = True
            self.cycle.keep_alive = False

    def _check_meaning(self) -> None:
        """Refuse what is read in two ways."""
        names = {name for name, _ in self.headers}
        if len(names) < len(self.headers):
            counts = Counter(name for name, _ in self.headers)
            if twice := [name.decode() for name in _ONCE if counts[name] > 1]:
                raise MalformedHttp(f"header: found {min(twice)} twice, expected once")
        if b"host" not in names and self.parser.get_http_version() == "1.1":
            raise MalformedHttp("header: found no Host, which HTTP/1.1 asks for (RFC 9112, 3.2)")
        if b"transfer-encoding" in names:
            coding = b", ".join(value for name, value in self.headers if name == b"transfer-encoding")
            if coding.strip().lower() != b"chunked" or self.parser.get_http_version() != "1.1":
                raise MalformedHttp(f"transfer-encoding: found {coding[:80].decode('latin-1')!r}, expected chunked")
        if self.url[:1] != b"/" and httptools.parse_url(self.url).path is None:
            raise MalformedHttp("target: found no path")

    def _is_large(self) -> bool:
        """Whether the header is too large; asked only where what was read with it is."""
        return sum(len(name) + len(value) + 4 for name, value in self.headers) + len(self.url) > MAX_HEADER_BYTES

    def _too_large(self) -> BrokerError:
        if len(self.url) > MAX_REQUEST_LINE_BYTES:
            return UriTooLong(f"the target has more than {MAX_REQUEST_LINE_BYTES} bytes", limit=MAX_REQUEST_LINE_BYTES)
        if len(self.headers) > MAX_HEADER_FIELDS:
            return HeaderTooLarge(f"the header has more than {MAX_HEADER_FIELDS} fields", limit=MAX_HEADER_FIELDS)
        return HeaderTooLarge(f"the header has more than {MAX_HEADER_BYTES} bytes", limit=MAX_HEADER_BYTES)

    def _refuse(self, error: BrokerError) -> None:
        """Say why and hear no more; those before it are answered first, and then it is not said."""
        self._deaf = True
        if self._receives != _BODY and self._busy:
            REFUSALS.of(error.code).count()
            self.cycle.keep_alive = False
            return
        if self._receives == _BODY and self._busy:
            if self.pipeline or self.cycle.response_started:
                self.transport.close()
                return
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self._receives != _BODY or not self.cycle.response_complete:
            self._say(error)
        self._linger()

    def _say(self, error: BrokerError) -> None:
        REFUSALS.of(error.code).count()
        self.transport.write(answer_to(error))

    def _linger(self) -> None:
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
            self.loop.call_later(_LINGER_S, self.transport.abort)
        else:
            self.transport.close()

    def _leave(self) -> None:
        if self._admitted:
            self._admitted = False
            self.server_state.leave(self.client)


class _InOnePiece:
    """
    What sends an answer: its head waits for the body, as the base class writes either by itself, and to write once more
    costs both sides more than to make the answer; not for HEAD.

    An answer that comes whole and says how long it is, as the broker's own do, is written here. Whatever else ASGI
    allows is left to the base class.
    """

    __slots__ = ("_cycle", "_head")

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = cycle
        self._head: HTTPResponseStartEvent | None = None

    async def send(self, message: ASGISendEvent) -> None:
        """Take the head, then send it with the body."""
        cycle = self._cycle
        if message["type"] == "http.response.start" and not cycle.response_started:
            self._head = message
            return
        head, self._head = self._head, None
        whole = None if head is None or message["type"] != "http.response.body" else _whole(cycle, head, message)
        if whole is not None:
            cycle.response_started = cycle.response_complete = True
            cycle.transport.write(whole)
            cycle.message_event.set()
            cycle.on_response()
            return
        if head is not None:
            await RequestResponseCycle.send(cycle, head)
        await RequestResponseCycle.send(cycle, message)


def _whole(cycle: RequestResponseCycle, head: HTTPResponseStartEvent, message: HTTPResponseBodyEvent) -> bytes | None:
    """An answer as it goes over the wire; None for one that the base class has to look at."""
    if message.get("more_body") or cycle.disconnected or not cycle.keep_alive or cycle.flow.write_paused:
        return None
    body, lines, length = message["body"], [STATUS_LINE[head["status"]]], b""
    for name, value in (*cycle.default_headers, *head["headers"]):
        if name in _FRAMING:
            return None
        if name == b"content-length":
            length = value
        lines.append(b"%b: %b\r\n" % (name, value))
    whole = b"".join(lines)
    in_lines = whole.count(b"\r") == whole.count(b"\n") == len(lines)  # no value ends its line, and begins another
    return b"%b\r\n%b" % (whole, body) if in_lines and length == b"%d" % len(body) else None


def answer_to(error: BrokerError) -> bytes:
    """A refusal as it goes over the wire, by those who have no request to answer."""
    status, body = problems.status_of(type(error)), problems.body_of(error)
    retry = "Retry-After: 1\r\n" if status == HTTPStatus.SERVICE_UNAVAILABLE else ""
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n{retry}Connection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _mirrors(name: bytes) -> bool:
    plain = name.replace(b"_", b"-")
    return plain in _MIRRORED or plain.startswith((b"x-ainp-", b"x-forwarded-"))


def _meaning(error: httptools.HttpParserError) -> BrokerError:
    """What the parser found, or what a callback of it has refused."""
    cause = error.__context__
    return cause if isinstance(cause, BrokerError) else MalformedHttp(f"this is not HTTP/1.1: {error}")
