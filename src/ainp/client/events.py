"""
What an agent is told, over a WebSocket that comes back after every interruption.

Both kinds of sockets do what `_Course` says, which does no I/O: where to connect, what to answer, when to give up.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Generator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Literal
from urllib.parse import quote, urlsplit

import msgspec
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.sync.client import connect as connect_now

from ainp.client.ask import refusal
from ainp.client.errors import Refused, Unauthorized, Unexpected, Unreachable
from ainp.client.identity import Identity
from ainp.client.retry import backoff_s

_WRONG_REQUEST = 1008  # no DID, or a number that was never reached: trying again won't help
_NOT_PROVEN = 4401
_AWAY = 500  # and above: the broker is there again later
_LATER = 429
_FAILURES = (OSError, ConnectionClosed, InvalidHandshake)


@dataclass(frozen=True, slots=True)
class Told:
    """One event: its number among the receiver's, what it is called, the frame, and a message's envelope."""

    number: int
    name: str
    frame: Mapping[str, Any]
    envelope: bytes | None = None


async def follow(url: str, identity: Identity, *, since: int = 0) -> AsyncGenerator[Told, None]:
    """
    Every event of *identity* after number *since*, in order and each once, without end; close it with `aclosing`.

    An interrupted connection is made again and resumes. What the broker keeps no longer is told as one event
    `events_missed`, with the number of the last that is gone. Raises what keeps the socket from being opened at all.
    """
    course = _Course(url, identity, since)
    while True:
        try:
            async with connect(course.address, proxy=course.proxy) as socket:
                course.opened()
                async for text in socket:
                    if (answer := course.answer(text)) is not None:
                        await socket.send(answer)
                    elif (told := course.told(text)) is not None:
                        yield told
            pause = course.pause_s(None)
        except _FAILURES as error:
            pause = course.pause_s(error)
        await asyncio.sleep(pause)


def follow_now(url: str, identity: Identity, *, since: int = 0) -> Generator[Told, None, None]:
    """The same, for programs without an event loop; close it with `closing`."""
    course = _Course(url, identity, since)
    while True:
        try:
            with connect_now(course.address, proxy=course.proxy) as socket:
                course.opened()
                for text in socket:
                    if (answer := course.answer(text)) is not None:
                        socket.send(answer)
                    elif (told := course.told(text)) is not None:
                        yield told
            pause = course.pause_s(None)
        except _FAILURES as error:
            pause = course.pause_s(error)
        time.sleep(pause)


def is_local(url: str) -> bool:
    """Whether an address is this machine's own, which no proxy leads to."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


class _Course:
    """One agent's listening, over as many sockets as it takes."""

    def __init__(self, url: str, identity: Identity, since: int) -> None:
        self._url = url.rstrip("/")
        self._identity = identity
        self._last = since
        self._envelope: bytes | None = None
        self._opened = False
        self._failures = 0

    @property
    def address(self) -> str:
        """Where the next socket is opened: it goes on after what was told last."""
        did = quote(self._identity.did, safe="")
        return f"ws{self._url.removeprefix('http')}/ws?did={did}&since={self._last}"

    @property
    def proxy(self) -> Literal[True] | None:
        """Whether the environment's proxy is used."""
        return None if is_local(self._url) else True

    def opened(self) -> None:
        """Note that there is a broker, so that its absence will pass."""
        self._opened = True

    def answer(self, text: str | bytes) -> str | None:
        """The proof that a challenge asks for; None for every other frame."""
        frame = _frame(text)
        if frame["type"] != "challenge":
            return None
        # For the broker at the address that was connected to, whatever the challenge says of itself: so a broker that
        # passes on another's challenge gets nothing that is worth anything there.
        signed = self._identity.sign_challenge(str(frame.get("challenge")), audience=self._url)
        proof = {"did": self._identity.did, "key_id": self._identity.key_id, "signature": signed}
        return msgspec.json.encode({"type": "proof", **proof}).decode()

    def told(self, text: str | bytes) -> Told | None:
        """The event that a frame tells; None for one that tells none."""
        frame = _frame(text)
        self._failures = 0
        if "sig" in frame and "msg_type" in frame:  # a message, as it was signed; the notice of it follows
            self._envelope = text.encode() if isinstance(text, str) else text
            return None
        try:
            if frame["type"] == "connected":
                return None
            missed = frame["type"] == "events_missed"
            number, name = (frame["to"], "events_missed") if missed else (frame["number"], frame["event"])
            told = Told(number, name, frame, self._envelope if "envelope_id" in frame else None)
        except KeyError as error:
            raise Unexpected(f"not what a broker tells: {frame!r:.200}") from error
        self._last = told.number
        return told

    def pause_s(self, error: Exception | None) -> float:
        """How long to wait before the next socket, or raise why there is none."""
        if isinstance(error, ConnectionClosed) and error.rcvd is not None:
            if error.rcvd.code == _NOT_PROVEN:
                raise Unauthorized(401, "INVALID_SIGNATURE", error.rcvd.reason) from error
            if error.rcvd.code == _WRONG_REQUEST:
                raise Refused(400, "INVALID_REQUEST", error.rcvd.reason) from error
        if isinstance(error, InvalidStatus) and error.response.status_code < _AWAY:
            said = error.response
            if said.status_code != _LATER or not self._opened:
                raise refusal(said.status_code, said.headers, bytes(said.body or b"")) from error
        if isinstance(error, OSError | InvalidHandshake) and not self._opened:
            raise Unreachable(f"no socket at {self._url}: {error}") from error
        self._failures += 1
        return backoff_s(self._failures)


def _frame(text: str | bytes) -> dict[str, Any]:
    try:
        frame = msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise Unexpected(f"not what a broker tells: {text!r:.200}") from error
    return {"type": "", **frame}
