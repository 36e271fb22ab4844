"""The published lists that committees are drawn from."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

from ainp.adapters.memory import give_back
from ainp.core.committee import Eligibility, Epoch, Nominee, build_epoch
from ainp.core.errors import NotFound
from ainp.core.receipt import NamedEpoch
from ainp.store import epochs
from ainp.store.db import Session
from ainp.store.epochs import EpochMark, StoredEpoch

MAX_AGE = timedelta(seconds=60)
_DUE_AGE = timedelta(seconds=50)  # the job comes every minute, sometimes a little early
SMALL_POPULATION = 64  # a network this small must not wait a minute for its next agent to be drawable
_KEPT = 4  # the newest, and those of receipts that are being extended
_MANY = 1000  # agents: so many are looked at in a thread, and requests go on meanwhile
_PATIENCE_S = 0.5


@dataclass
class Epochs:
    """Lists by number, kept in memory: they never change, and a draw needs a whole one."""

    eligibility: Eligibility
    committee_size: int
    _lists: OrderedDict[int, NamedEpoch] = field(default_factory=OrderedDict)
    _loading: dict[int, asyncio.Event] = field(default_factory=dict)

    async def named(self, db: Session, id: int) -> NamedEpoch:  # noqa: A002 - the protocol's word
        """The epoch of number *id*."""
        if id in self._loading:
            # For whoever loads it, but not for long: they may need the connection that is held here.
            with suppress(TimeoutError):
                await asyncio.wait_for(self._loading[id].wait(), _PATIENCE_S)
        return self._keep(self._lists.get(id) or await self._load(db, id))

    async def _load(self, db: Session, id: int) -> NamedEpoch:  # noqa: A002
        loaded = self._loading[id] = asyncio.Event()
        try:
            stored = await get(db, id)
            if len(stored.epoch.members) >= _MANY:
                await asyncio.to_thread(stored.epoch.prepared)
            return self._keep(NamedEpoch(stored.id, stored.epoch))
        finally:
            loaded.set()
            if self._loading.get(id) is loaded:
                del self._loading[id]

    async def for_task(self, db: Session, mark: EpochMark | None, *, cohort: int | None) -> NamedEpoch:
        """The list that a task's committee is drawn from: the current one, or its own cohort's."""
        return await (self.current(db, mark) if cohort is None else self.named(db, cohort))

    async def current(self, db: Session, mark: EpochMark | None) -> NamedEpoch:
        """The newest epoch as *mark* names it, or a fresh one where a small network has outgrown it."""
        # No lock: who builds may hold a transaction, and who waits a connection that the builder needs. Two that
        # build at once list the same few agents.
        return await (self.rebuild(db) if mark is None or outgrown(mark) else self.named(db, mark.id))

    async def newest(self, db: Session) -> NamedEpoch:
        """The newest epoch there is, built if there is none."""
        mark = await epochs.newest(db)
        return await (self.rebuild(db) if mark is None else self.named(db, mark.id))

    async def refresh(self, db: Session) -> bool:
        """Rebuild the newest epoch if it is a minute old; whether it was."""
        mark = await epochs.newest(db)
        if mark is not None and not outgrown(mark) and mark.now - mark.at < _DUE_AGE:
            return False
        await self.rebuild(db)
        await epochs.prune(db)
        return True

    async def follow_stake(self, db: Session, *, before: int, after: int) -> None:
        """Rebuild a small network's list at once when a stake begins or ceases to be enough; a job does large ones."""
        least = self.eligibility.min_stake
        if (before >= least) == (after >= least):
            return
        mark = await epochs.newest(db)
        if mark is not None and mark.population < SMALL_POPULATION:
            await self.rebuild(db)

    async def rebuild(self, db: Session) -> NamedEpoch:
        """List who is eligible now; a list that did not change keeps its number."""
        epoch = await self.listed(db)
        same = await epochs.touch(db, epoch)
        if same is not None:
            return self._keep(self._lists.get(same) or NamedEpoch(same, epoch))
        id_, _ = await epochs.insert(db, epoch)
        return self._keep(NamedEpoch(id_, epoch))

    async def listed(self, db: Session) -> Epoch:
        """Who is eligible now, without keeping it."""
        nominees: list[Nominee] = []
        population = 0
        async for page, now in epochs.candidates(db):
            nominees += self.eligibility.nominate(page, now=now)
            population += len(page)
        if population < _MANY:
            return self._built(nominees, population)
        built = await asyncio.to_thread(self._built, nominees, population)
        nominees.clear()
        give_back()  # rows of everybody
        return built

    def _built(self, nominees: Sequence[Nominee], population: int) -> Epoch:
        epoch = build_epoch(nominees, population=population, committee_size=self.committee_size)
        _ = epoch.hash
        return epoch.prepared()

    def _keep(self, named: NamedEpoch) -> NamedEpoch:
        self._lists[named.id] = named
        self._lists.move_to_end(named.id)
        while len(self._lists) > _KEPT:
            self._lists.popitem(last=False)
        return named


def outgrown(mark: EpochMark) -> bool:
    """Whether a small network has agents that its list does not know, or its list is old."""
    if mark.population >= SMALL_POPULATION:
        return False
    newer = mark.newest_sign_at is not None and mark.newest_sign_at > mark.at
    return newer or mark.now - mark.at >= MAX_AGE


async def get(db: Session, id: int) -> StoredEpoch:  # noqa: A002 - the protocol's word
    """A stored epoch, for whoever wants to repeat a draw."""
    stored = await epochs.get(db, id)
    if stored is None:
        raise NotFound(f"no committee epoch {id}")
    return stored
