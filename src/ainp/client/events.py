"""What an agent is told, over a WebSocket that comes back after every interruption."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import msgspec
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

_PAUSE_S = 0.5
_WRONG_REQUEST = 1008  # no DID, or a number that was never reached: trying again won't help
_AWAY = 500  # and above: the broker is there again later


@dataclass(frozen=True, slots=True)
class Told:
    """One event: its number among the receiver's, what it is called, and the whole frame."""

    number: int
    name: str
    frame: Mapping[str, Any]


async def follow(url: str, did: str, *, since: int = 0) -> AsyncGenerator[Told, None]:
    """
    Every event of *did* after number *since*, in order and each once, without end; close it with `aclosing`.

    An interrupted connection is made again and resumes. What the broker keeps no longer is told as one event
    `events_missed`, with the number of the last that is gone. Raises what keeps the socket from being opened at all.
    """
    heard: int | None = None
    while True:
        last = since if heard is None else heard
        address = f"ws{url.removeprefix('http')}/ws?did={quote(did, safe='')}&since={last}"
        try:
            async with connect(address, proxy=None) as socket:
                heard = last
                async for text in socket:
                    told = _read(text)
                    heard = told.number
                    yield told
        except (OSError, ConnectionClosed, InvalidStatus) as error:
            if heard is None or _hopeless(error):
                raise
        await asyncio.sleep(_PAUSE_S)


def _read(text: str | bytes) -> Told:
    frame = msgspec.json.decode(text, type=dict[str, Any])
    if frame["type"] == "events_missed":
        return Told(frame["to"], "events_missed", frame)
    return Told(frame["number"], frame["event"], frame)


def _hopeless(error: Exception) -> bool:
    if isinstance(error, InvalidStatus):
        return error.response.status_code < _AWAY
    return isinstance(error, ConnectionClosed) and error.rcvd is not None and error.rcvd.code == _WRONG_REQUEST
