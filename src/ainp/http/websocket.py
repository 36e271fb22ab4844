"""
The socket on which an agent is told its events: `/` or `/ws`, with `?did=` and, to resume, `?since=`.

Who is behind the socket is decided before it opens, in `receiver_of`; in strict mode that has to be proven then, as
`challenge` says. What follows is events (of a message: the envelope, then the notice) and an answer to each envelope
that the agent sends.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import aclosing
from typing import Any

from starlette.datastructures import QueryParams
from starlette.types import Receive, Scope, Send

from ainp.broker import Broker
from ainp.core.did import AgentDid
from ainp.core.errors import BrokerError, InvalidRequest, NotFound, RateLimited, Unauthenticated, Unavailable
from ainp.core.events import carried, frames_of
from ainp.core.limits import MAX_SOCKETS, SEND_TIME
from ainp.core.rate_policy import Group
from ainp.http import media, problems, rates, refusals
from ainp.http.auth import check_origin, receiver_of
from ainp.http.challenge import NotProven, challenged, welcome
from ainp.http.fields import Fields
from ainp.http.inbound import Inbound
from ainp.telemetry import logger
from ainp.telemetry.metrics import FRAMES, REFUSALS, SOCKETS

_PATHS = (b"", b"/ws")
_NUMBER = re.compile(r"[0-9]{1,18}")
_SEND_S = SEND_TIME.total_seconds()
_ANSWER_EVERY_S = 0.1
_REASON_BYTES = 123  # a close frame holds no more
_POLICY, _BROKEN, _TRY_AGAIN, _NOT_PROVEN = 1008, 1011, 1013, 4401


class _Ended(Exception):
    """The socket is to be closed, with a code and a reason, or was closed by the other side."""

    def __init__(self, code: int | None = None, reason: str = "") -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


async def answer(broker: Broker, bases: Sequence[str], scope: Scope, receive: Receive, send: Send) -> None:
    """One socket from its opening handshake to its end; *bases* are the addresses of this broker."""
    receive, send = media.speaking(scope, receive, rates.telling(broker, scope, send))
    try:
        await _serve(broker, bases, scope, receive, send)
    except OSError:
        return  # the client is gone
    except BrokerError as error:  # before the handshake was answered
        REFUSALS.of(error.code).count()
        refusals.note(broker, error, scope)
        if isinstance(error, Unavailable):
            logger().warning(error.message, code=error.code, path=scope["path"])
        await problems.answer(error)(scope, receive, send)
    except Exception as error:  # noqa: BLE001 - the last line: a bug must not take the server or leak
        logger().error("socket failed", path=scope["path"], exc_info=error)
        REFUSALS.of(problems.INTERNAL_ERROR).count()
        await _close(send, _BROKEN, "the broker failed; the log says why")


async def _serve(broker: Broker, bases: Sequence[str], scope: Scope, receive: Receive, send: Send) -> None:
    headers = Fields(scope["headers"])
    check_origin(headers, broker.settings, bases)
    _check_address(scope)
    await rates.admit_address(broker, Group.OTHERS, scope, headers)
    opening = _Opening(send)
    try:
        did, since = _wanted(broker, headers, QueryParams(scope["query_string"]))
        if broker.settings.strict:
            await opening.accept()
            await challenged(broker, did, bases, receive, send)
        await _tell_events(broker, did, since, opening, rates.counted(broker, scope, receive, did), scope)
    except InvalidRequest as error:  # told in a close frame, as a browser shows nothing else
        REFUSALS.of(error.code).count()
        await opening.accept()
        await _close(send, _POLICY, error.message)
    except RateLimited as error:
        REFUSALS.of(error.code).count()
        refusals.note(broker, error, scope)
        await _close(send, _POLICY, f"{error.message}; again in {error.retry_after_ms} ms")
    except NotProven as error:
        REFUSALS.of(error.code).count()
        refusals.note(broker, error, scope)
        await _close(send, _NOT_PROVEN, error.message)
    except _Ended as ended:
        if ended.code is not None:
            await _close(send, ended.code, ended.reason)


async def _tell_events(
    broker: Broker, did: AgentDid, since: int | None, opening: "_Opening", receive: Receive, scope: Scope
) -> None:
    _check_room(broker, did)
    with broker.events.subscribe(did) as events:
        await events.begin(since)  # before the client knows that it is connected, so it misses nothing
        await broker.presence.enter(broker.database, did, fresh=since is None)
        SOCKETS.of().count()
        try:
            await opening.accept()
            if broker.settings.strict:
                await welcome(did, opening.send)
            broker.notice(did)
            inbound = Inbound(broker, did, scope)
            await _converse(_tell(broker, did, events.frames(), opening.send), _hear(inbound, receive, opening.send))
        finally:
            broker.presence.leave(did)
            SOCKETS.of().count(-1)


class _Opening:
    """The answer to the handshake, given once."""

    def __init__(self, send: Send) -> None:
        self.send = send
        self._given = False

    async def accept(self) -> None:
        """Open the socket, unless it is open."""
        if not self._given:
            self._given = True
            await self.send({"type": "websocket.accept"})


def _check_address(scope: Scope) -> None:
    if scope["raw_path"].lower().rstrip(b"/") not in _PATHS:
        raise NotFound(f"no socket {scope['path'][:200]}, expected / or /ws")


def _wanted(broker: Broker, headers: Fields, query: QueryParams) -> tuple[AgentDid, int | None]:
    named = query.getlist("did")
    if len(set(named)) > 1:
        raise InvalidRequest("did: found twice with different values, expected one")
    try:
        did = receiver_of(headers, named[0] if named else None, broker.settings)
    except Unauthenticated as error:
        raise InvalidRequest("Missing DID parameter") from error
    since = query.get("since")
    if since is not None and not _NUMBER.fullmatch(since):
        raise InvalidRequest(f"since: found {since[:40]!r}, expected the number of an event")
    return did, None if since is None else int(since)


def _check_room(broker: Broker, did: AgentDid) -> None:
    if broker.events.count(did) >= MAX_SOCKETS:
        raise InvalidRequest(f"too many sockets: this DID has {MAX_SOCKETS}")


async def _converse(telling: Coroutine[Any, Any, None], hearing: Coroutine[Any, Any, None]) -> None:
    """Tell and listen at once, until one of both ends."""
    both = asyncio.create_task(telling), asyncio.create_task(hearing)
    try:
        done, _ = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in both:
            task.cancel()
        await asyncio.gather(*both, return_exceptions=True)
    for task in done:
        await task


async def _tell(broker: Broker, did: AgentDid, frames: AsyncGenerator[str, None], send: Send) -> None:
    told = FRAMES.of()
    async with aclosing(frames):
        async for text in frames:
            try:
                async with asyncio.timeout(_SEND_S):
                    for part in frames_of(text):
                        await send({"type": "websocket.send", "text": part})
            except TimeoutError as error:
                raise _Ended(_TRY_AGAIN, f"too slow: an event waited {_SEND_S:.0f} s; resume with since=") from error
            told.count()
            if (message := carried(text)) is not None:
                broker.presence.handed_over(message, did)


async def _hear(inbound: Inbound, receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            raise _Ended
        if message["type"] == "websocket.receive":
            raw = (message.get("text") or "").encode() or message.get("bytes") or b"-"
            answer = await inbound.answer(raw, cbor=media.SUBPROTOCOL in message)
            await send({"type": "websocket.send", "text": answer.text})
            if answer.refused:
                await asyncio.sleep(_ANSWER_EVERY_S)  # nothing more is read meanwhile


async def _close(send: Send, code: int, reason: str) -> None:
    try:
        short = reason.encode()[:_REASON_BYTES].decode(errors="ignore")
        await send({"type": "websocket.close", "code": code, "reason": short})
    except (OSError, RuntimeError):
        return  # it was closed already
