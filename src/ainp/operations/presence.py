"""
Who is connected to this process, as all processes know it; and which messages its sockets have taken.

An agent is noted before its socket is open, so whoever sends from then on has it told. That it has gone, and what was
handed over, is written a moment later, many at once. A process says every few seconds that it is there: one that
vanished is not believed for long.
"""

import secrets
from collections import Counter
from datetime import timedelta
from uuid import UUID

from ainp.core.did import AgentDid
from ainp.store import messages, presence
from ainp.store.db import Session
from ainp.store.presence import Visit

LEASE = timedelta(seconds=20)
_MOST_TAKEN = 100_000  # not written yet; what is forgotten here is handed over once more
_BATCH = 1000


class Presence:
    """This process as a place where agents are."""

    def __init__(self) -> None:
        self.node = UUID(bytes=secrets.token_bytes(16))
        self.arrived: list[tuple[AgentDid, bool]] = []  # who came, and whether it knows no number to resume from
        self._sockets: Counter[AgentDid] = Counter()
        self._visits: dict[AgentDid, int] = {}  # noted as here
        self._number = secrets.randbelow(2**31)
        self._gone: dict[AgentDid, int] = {}
        self._taken: list[tuple[str, AgentDid]] = []

    def has(self, did: AgentDid) -> bool:
        """Whether an agent has a socket here."""
        return self._sockets[did] > 0

    async def enter(self, db: Session, did: AgentDid, *, fresh: bool) -> None:
        """Note a socket of an agent before it is opened; *fresh* if it does not go on from a number."""
        self._sockets[did] += 1
        visit = None
        try:
            if did not in self._visits:
                self._number += 1
                visit = Visit(self.node, did, self._number, LEASE)
                await presence.enter(db, visit)
                self._visits[did] = max(visit.number, self._visits.get(did, 0))
        except BaseException:
            self.leave(did)
            if visit is not None and did not in self._visits:
                self._gone[did] = visit.number  # the answer may be lost, not what was written
            raise
        self._gone.pop(did, None)
        self.arrived.append((did, fresh))

    def leave(self, did: AgentDid) -> None:
        """Note that a socket has closed."""
        self._sockets[did] -= 1
        if self._sockets[did] <= 0:
            del self._sockets[did]
            if (number := self._visits.pop(did, None)) is not None:
                self._gone[did] = number

    def take_arrived(self) -> list[tuple[AgentDid, bool]]:
        """Who has come since the last time."""
        arrived, self.arrived = self.arrived, []
        return arrived

    def handed_over(self, message: str, did: AgentDid) -> None:
        """Note that a socket has taken a message."""
        if len(self._taken) < _MOST_TAKEN:
            self._taken.append((message, did))

    async def write(self, db: Session) -> None:
        """Write who has gone and what was handed over; what can't be written is kept for the next time."""
        while self._taken:
            batch = self._taken[:_BATCH]
            await messages.handed_over(db, batch)
            del self._taken[: len(batch)]
        if self._gone:
            gone = list(self._gone.items())
            await presence.leave(db, self.node, gone)
            for did, number in gone:
                if self._gone.get(did) == number:
                    del self._gone[did]

    async def stay(self, db: Session) -> None:
        """Say that this process is there; who was taken to be away for a while is noted again, and has come."""
        noted, believed = await presence.alive(db, self.node, lasts=LEASE)
        if noted < len(self._visits) or not believed:
            for did, number in list(self._visits.items()):
                await presence.enter(db, Visit(self.node, did, number, LEASE))
                self.arrived.append((did, False))

    async def end(self, db: Session) -> None:
        """Say that this process is gone, and everybody with it."""
        await self.write(db)
        await presence.gone(db, self.node)


async def forget_processes(db: Session) -> None:
    """Drop processes that are gone without a word."""
    await presence.forget(db)
