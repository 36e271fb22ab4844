"""
WebSockets under uvicorn: its protocol, with an end to what a client can make it wait for or keep.

The library waits until all that was written is read before it lets a connection go; a client that does not read would
hold it, and the shutdown of the server, for as long as it likes.
"""

import asyncio
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode, Frame
from websockets.protocol import State

from ainp.core.errors import MalformedHttp
from ainp.core.limits import (
    MAX_FRAGMENTS,
    MAX_FRAME_BYTES,
    MAX_FRAMES_PER_SECOND,
    MAX_SOCKET_BYTES_PER_SECOND,
    MAX_UNREAD_BYTES,
    PING_TIME,
)
from ainp.http.admission import Admission
from ainp.http.connection import answer_to
from ainp.telemetry.metrics import REFUSALS

_FRAMES_AT_ONCE = 5 * MAX_FRAMES_PER_SECOND
_BYTES_AT_ONCE = 16 * MAX_SOCKET_BYTES_PER_SECOND
_GRACE_S = 2.0  # to read the last frames and the reason


class Allowance:
    """So much a second, and for a moment more; once it is spent it stays so."""

    __slots__ = ("_at", "_left", "_most", "per_second", "spent")

    def __init__(self, per_second: int, *, at_once: int) -> None:
        self.per_second = per_second
        self.spent = False
        self._most = at_once
        self._left: float = at_once
        self._at: float | None = None

    def take(self, amount: int, now: float) -> bool:
        """Take *amount*, if it is there."""
        if self._at is not None:
            self._left = min(self._most, self._left + (now - self._at) * self.per_second)
        self._at = now
        self._left -= amount
        self.spent = self._left < 0
        return not self.spent


class SocketProtocol(WebSocketsSansIOProtocol):
    """One WebSocket connection."""

    def __init__(self, config: Config, server_state: Admission, **rest: Any) -> None:  # noqa: ANN401 - passed on
        super().__init__(config, server_state, **rest)
        self._admission = server_state
        self._bytes = Allowance(MAX_SOCKET_BYTES_PER_SECOND, at_once=_BYTES_AT_ONCE)
        self._frames = Allowance(MAX_FRAMES_PER_SECOND, at_once=_FRAMES_AT_ONCE)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        super().connection_lost(exc)
        self._admission.leave(self.client)

    def look(self, now: float) -> None:
        """Do nothing: pings find out who is gone, and an event that waits who is slow."""

    def data_received(self, data: bytes) -> None:
        """Read on, unless it is a flood."""
        if self._takes(self._bytes, len(data), "bytes"):
            super().data_received(data)
            if self.conn.handshake_exc is not None and not self.handshake_initiated:
                self._refuse_handshake(self.conn.handshake_exc)

    def handle_text(self, event: Frame) -> None:
        """Take a message, of a limited number."""
        if self._takes(self._frames, 1, "frames"):
            super().handle_text(event)

    def handle_bytes(self, event: Frame) -> None:
        """Take a message, of a limited number."""
        if self._takes(self._frames, 1, "frames"):
            super().handle_bytes(event)

    def handle_pong(self, event: Frame) -> None:
        """Take an answer to a ping, or what nobody has asked for."""
        if self._takes(self._frames, 1, "frames"):
            super().handle_pong(event)

    def shutdown(self) -> None:
        """Say that the server goes away, and don't wait for long."""
        super().shutdown()
        self._let_go()

    def keepalive_timeout(self) -> None:
        """End a connection on which nobody answers."""
        super().keepalive_timeout()
        self._let_go()

    async def run_asgi(self) -> None:
        """Run the application, then end the connection."""
        try:
            await super().run_asgi()
        finally:
            self._let_go()

    async def send(self, message: Any) -> None:  # noqa: ANN401 - one of ASGI's messages
        """Send what the application says; a close frame does not wait for a client that does not read."""
        if message["type"] == "websocket.close":
            self.writable.set()
        elif self.close_sent:
            raise ClientDisconnected
        await super().send(message)
        if message["type"] == "websocket.http.response.body":
            self.handshake_complete = True  # it was refused, which the library takes for unanswered, and logs

    def handle_ping(self) -> None:
        """Answer, unless answers pile up."""
        if self._takes(self._frames, 1, "frames"):
            super().handle_ping()
        if self.transport.get_write_buffer_size() > MAX_UNREAD_BYTES:
            self.transport.abort()

    def handle_cont(self, event: Frame) -> None:
        """Take a fragment, of a limited number."""
        if len(self.frames) < MAX_FRAGMENTS:
            super().handle_cont(event)
        else:
            self.conn.fail(CloseCode.MESSAGE_TOO_BIG, f"more than {MAX_FRAGMENTS} fragments")
            self.handle_parser_exception()

    def handle_parser_exception(self) -> None:
        """End what is no WebSocket; before the handshake there is no close frame yet."""
        if self.conn.close_sent is not None:
            super().handle_parser_exception()
        else:
            self.transport.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            self.transport.close()
        self._let_go()

    def _refuse_handshake(self, why: Exception) -> None:
        """Answer an opening that the library can't read: it would neither say so nor let the connection go."""
        refused = MalformedHttp(f"this opens no WebSocket: {why.__cause__ or why}")
        REFUSALS.of(refused.code).count()
        self.transport.write(answer_to(refused))
        self.transport.close()
        self._let_go()

    def _takes(self, allowance: "Allowance", amount: int, what: str) -> bool:
        """Whether there is room for more; the first time there is none, the connection is closed."""
        if allowance.spent:
            return False
        if allowance.take(amount, self.loop.time()):
            return True
        self._end(f"too many: {allowance.per_second} {what} a second are taken")
        return False

    def _end(self, reason: str) -> None:
        """Close with *reason*; what still comes is dropped: unread, it would take the reason away."""
        if self.conn.state is not State.OPEN:
            self.transport.abort()
            return
        self.conn.fail(CloseCode.POLICY_VIOLATION, reason)
        self.queue.put_nowait({"type": "websocket.disconnect", "code": CloseCode.POLICY_VIOLATION, "reason": reason})
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.transport.resume_reading()
        self._let_go()

    def _let_go(self) -> None:
        asyncio.get_running_loop().call_later(_GRACE_S, self.transport.abort)


SOCKETS: dict[str, Any] = {
    "ws": SocketProtocol,
    "ws_max_size": MAX_FRAME_BYTES,
    "ws_per_message_deflate": False,  # a window for each connection costs more memory than it saves bytes
    "ws_ping_interval": 30.0,
    "ws_ping_timeout": PING_TIME.total_seconds(),
}
