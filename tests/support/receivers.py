"""Receivers on WebSockets that come back after every interruption, and hold the broker to its numbers."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any
from urllib.parse import quote

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

_PAUSE_S = 0.1
_ONCE = ("settled", "opened", "finalized", "failed", "judged")


@dataclass
class Heard:
    """The events of one receiver, in order: the one with number n stands at n - 1."""

    did: str
    frames: list[Mapping[str, Any]] = field(default_factory=list)
    envelopes: dict[str, str] = field(default_factory=dict)

    @property
    def settled(self) -> dict[str, str]:
        """The task by the negotiation, of every `settled` that was told."""
        return {frame["negotiation_id"]: frame["task_id"] for frame in self.frames if frame["event"] == "settled"}

    @property
    def told_twice(self) -> list[tuple[str, str, str]]:
        """What happens once to a negotiation or a receipt, and was told under two numbers."""
        told = Counter(
            (frame["type"], frame["event"], frame["task_id"]) for frame in self.frames if frame["event"] in _ONCE
        )
        return [fact for fact, times in told.items() if times > 1]

    async def follow(self, url: str) -> None:
        """Hear what comes after what was heard already, through one connection."""
        address = f"ws{url.removeprefix('http')}/ws?did={quote(self.did, safe='')}&since={len(self.frames)}"
        async with connect(address, proxy=None) as socket:
            async for text in socket:
                frame = json.loads(text)
                if "number" not in frame:  # a message as it was signed; the notice of it comes next
                    assert frame["to_did"] == self.did
                    self.envelopes[frame["id"]] = str(text)
                    continue
                assert frame["number"] == len(self.frames) + 1, f"{frame} after {len(self.frames)}"
                self.frames.append(frame)


@asynccontextmanager
async def listening(url: str | Sequence[str], everybody: Sequence[Heard]) -> AsyncIterator[None]:
    """
    Let *everybody* go on listening, whatever becomes of the broker meanwhile, until the block ends.

    Of several brokers they go to another one when theirs has gone; half of them begin with the first.
    """
    urls = [url] if isinstance(url, str) else url
    running = [
        asyncio.create_task(_keep_following(heard, [*urls[place % len(urls) :], *urls[: place % len(urls)]]))
        for place, heard in enumerate(everybody)
    ]
    try:
        yield
    finally:
        for listener in running:
            listener.cancel()
        ended = await asyncio.gather(*running, return_exceptions=True)
    assert {type(end) for end in ended} == {asyncio.CancelledError}, ended


async def _keep_following(heard: Heard, urls: Sequence[str]) -> None:
    for url in cycle(urls):
        with suppress(OSError, WebSocketException):  # whoever served it was killed
            await heard.follow(url)
        await asyncio.sleep(_PAUSE_S)


async def until_heard(everybody: Sequence[Heard], expected: Mapping[str, Mapping[str, str]]) -> None:
    """Wait until everybody was told of all settlements that concern them."""
    async with asyncio.timeout(60):
        while not all(expected[heard.did].items() <= heard.settled.items() for heard in everybody):  # noqa: ASYNC110 - of many
            await asyncio.sleep(0.05)
