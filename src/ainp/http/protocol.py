"""
WebSockets under uvicorn: its protocol, with an end to what a client can make it wait for or keep.

The library waits until all that was written is read before it lets a connection go; a client that does not read would
hold it, and the shutdown of the server, for as long as it likes.
"""

import asyncio
from typing import Any

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode, Frame

from ainp.core.limits import MAX_FRAGMENTS, MAX_FRAME_BYTES, MAX_UNREAD_BYTES, PING_TIME

_GRACE_S = 2.0  # to read the last frames and the reason


class SocketProtocol(WebSocketsSansIOProtocol):
    """One WebSocket connection."""

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

    def _let_go(self) -> None:
        asyncio.get_running_loop().call_later(_GRACE_S, self.transport.abort)


SOCKETS: dict[str, Any] = {
    "ws": SocketProtocol,
    "ws_max_size": MAX_FRAME_BYTES,
    "ws_per_message_deflate": False,  # a window for each connection costs more memory than it saves bytes
    "ws_ping_interval": 30.0,
    "ws_ping_timeout": PING_TIME.total_seconds(),
}
