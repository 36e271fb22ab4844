"""
From what is published to the sockets of this process.

A `Source` says how far publication is and reads what was published; `store/events` is one, PostgreSQL with LISTEN.
`Feed` follows it and hands each event to the subscriptions of its recipients. A subscription knows the number of the
last event it gave out, and gives out the next one only: what it is handed is a cache, and wherever that has a gap
(it was too slow, it came while something was read, a notice was lost) it reads pages by number instead.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from typing import Protocol

from ainp.core.errors import BrokerError, InvalidRequest
from ainp.core.events import Head, Page, Told, frame, missed_frame
from ainp.telemetry import logger

_RANGE = 1000  # positions read at once
_FAR = 20_000  # further behind than this, what is read is by receiver, not by position
_FEW = 16  # receivers up to which the database chooses; comparing each recipient with more costs more than reading
_CACHED = 128  # events kept for one subscription; the rest is in the database
_PAGE = 200
_RETRY_S = 1.0


class Source(Protocol):
    """What is published, in order."""

    def heads(self) -> AsyncGenerator[Head, None]:
        """The position of the last event: at once, whenever it has moved, and every few seconds; for ever."""
        ...

    async def between(self, after: int, upto: int, dids: Sequence[str] | None) -> list[Told]:
        """What was published in these positions; of *dids* alone, unless it is None."""
        ...

    async def page(self, did: str, after: int, limit: int) -> Page:
        """A receiver's next events after a number."""
        ...

    async def last_number(self, did: str) -> int:
        """The number of a receiver's last event, 0 before the first."""
        ...


class Subscription:
    """One reader of one receiver's events; made by `Feed.subscribe`."""

    def __init__(self, source: Source, did: str) -> None:
        self.did = did
        self._source = source
        self._last = 0
        self._cache: deque[tuple[int, str]] = deque()
        self._behind = False  # what comes next is not in the cache
        self._wake = asyncio.Event()

    async def begin(self, since: int | None) -> None:
        """Start after number *since*, or with what happens from now on."""
        last = await self._source.last_number(self.did)
        if since is not None and since > last:
            raise InvalidRequest(f"since: found {since}, the last event has number {last}")
        self._last = last if since is None else since
        if self._last < last:
            self.look()

    def offer(self, number: int, body: str) -> None:
        """Take an event as it is published; never waits."""
        if self._behind:
            return
        if len(self._cache) >= _CACHED:
            self.look()
            return
        self._cache.append((number, body))
        self._wake.set()

    def look(self) -> None:
        """Forget the cache and read what comes next from the source."""
        self._cache.clear()
        self._behind = True
        self._wake.set()

    async def frames(self) -> AsyncGenerator[str, None]:
        """Every event from the beginning on, in order, for ever."""
        while True:
            if self._behind:
                for text in await self._read():
                    yield text
            elif self._cache:
                number, body = self._cache.popleft()
                if number == self._last + 1:
                    self._last = number
                    yield frame(body, number)
                elif number > self._last:
                    self.look()
            else:
                self._wake.clear()
                await self._wake.wait()

    async def _read(self) -> list[str]:
        """The next page; what is offered from now on is behind it or in it."""
        self._behind = False
        try:
            page = await self._source.page(self.did, self._last, _PAGE)
        except BrokerError:  # the database is gone for a while
            self.look()
            await asyncio.sleep(_RETRY_S)
            return []
        self._last = min(self._last, page.last)  # lower where numbers began anew: an older copy was restored
        full = len(page.rows) >= _PAGE
        texts: list[str] = []
        for number, body in page.rows:
            if body is not None:
                self._advance(number - 1, texts)
                self._last = number
                texts.append(frame(body, number))
        self._advance(page.rows[-1][0] if full else page.last, texts)
        if full:
            self.look()
        return texts

    def _advance(self, upto: int, texts: list[str]) -> None:
        """Say what can't be read any more."""
        if upto > self._last:
            texts.append(missed_frame(self._last + 1, upto))
            self._last = upto


class Feed:
    """Follows a source and keeps the subscriptions of this process."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._subscriptions: dict[str, set[Subscription]] = {}
        self._seen: int | None = None  # the position that everybody was told of

    def count(self, did: str) -> int:
        """How many subscriptions a receiver has here."""
        return len(self._subscriptions.get(did, ()))

    @contextmanager
    def subscribe(self, did: str) -> Iterator[Subscription]:
        """Follow one receiver's events; call `begin` first."""
        mine = Subscription(self._source, did)
        self._subscriptions.setdefault(did, set()).add(mine)
        try:
            yield mine
        finally:
            others = self._subscriptions[did]
            others.discard(mine)
            if not others:
                del self._subscriptions[did]

    async def follow_forever(self) -> None:
        """Hand on what is published until cancelled, whatever becomes of the source meanwhile."""
        while True:
            try:
                async with aclosing(self._source.heads()) as heads:
                    async for head in heads:
                        await self._hand_on(head)
            except BrokerError:
                pass  # the database is gone for a while; the next head reads from where this one stopped
            except Exception as error:  # noqa: BLE001 - nobody restarts this loop
                logger().error("Event feed failed", error=str(error), exc_info=error)
            await asyncio.sleep(_RETRY_S)

    async def _hand_on(self, head: Head) -> None:
        upto = head.position
        if self._seen is None or not self._subscriptions or not 0 <= upto - self._seen <= _FAR:
            self._seen = upto
            _all_look(self._everyone())
        elif _reaches(head, self._seen):
            for event in head.told:
                if event.position > self._seen:
                    self._offer(event)
            self._seen = upto
        else:
            await self._read(self._seen, upto)

    async def _read(self, after: int, head: int) -> None:
        self._seen = after
        while self._seen < head:
            upto = min(self._seen + _RANGE, head)
            asked = set(self._subscriptions)
            for event in await self._source.between(self._seen, upto, sorted(asked) if len(asked) <= _FEW else None):
                self._offer(event)
            # Whoever came while this was read was not asked for, and may have counted before it was committed.
            _all_look(each for each in self._everyone() if each.did not in asked)
            self._seen = upto

    def _offer(self, event: Told) -> None:
        for did, number in zip(event.recipients, event.numbers, strict=True):
            for subscription in self._subscriptions.get(did, ()):
                subscription.offer(number, event.body)

    def _everyone(self) -> Iterator[Subscription]:
        return (each for some in self._subscriptions.values() for each in some)


def _reaches(head: Head, after: int) -> bool:
    """Whether all that was published after a position came with the notice of it."""
    return len({event.position for event in head.told if event.position > after}) == head.position - after


def _all_look(subscriptions: Iterable[Subscription]) -> None:
    for subscription in subscriptions:
        subscription.look()
