"""
Mail is distilled into memories for agents that want it: what they are sent from then on, and nothing of others.

The model is always the one in this process: nobody's mail goes to another machine to be searched.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from ainp.adapters.embeddings_local import LocalModel
from ainp.core.did import AgentDid
from ainp.core.memory import Remembered, distill
from ainp.core.message_limits import MAX_MEMORIES
from ainp.core.vectors import YARDSTICK, Scale, calibrate
from ainp.store import memories
from ainp.store.db import Database, Session
from ainp.store.memories import Found, Place

NEWEST: Place = (datetime(9999, 1, 1, tzinfo=UTC), UUID(int=2**128 - 1))
OLDEST = datetime(1970, 1, 1, tzinfo=UTC)
_AGE = timedelta(minutes=3)  # a mail's time is within a minute of its coming, and what writes it takes half a minute
_OWNERS = 200


@dataclass
class Memories:
    """What makes memories, and how many mails at once."""

    batch: int = 200
    age: timedelta = _AGE
    model: LocalModel = field(default_factory=LocalModel)
    _scale: Scale | None = None

    async def scale(self) -> Scale:
        """What similar means by this model."""
        if self._scale is None:
            self._scale = calibrate(await self.model.embed(YARDSTICK))
        return self._scale


async def want(db: Session, did: AgentDid, *, wanted: bool) -> None:
    """Begin to remember an agent's mail, or end it and forget all of it."""
    async with db.transaction() as tx:
        await memories.want(tx, did, wanted=wanted)


async def page(
    db: Session, did: AgentDid, *, before: Place, limit: int, since: datetime, conversation: str | None
) -> tuple[bool, list[Remembered]]:
    """Whether an agent's mail is remembered, and its memories, the newest first."""
    wanted = await memories.wanted(db, did)
    found = await memories.page(db, did, before=before, limit=limit, since=since, conversation=conversation)
    return wanted, found


async def search(
    db: Session, model: Memories, did: AgentDid, query: str, *, least: float, limit: int
) -> list[tuple[Remembered, float]]:
    """An agent's memories that have to do with a query, with how much: from 0 to 1, and at least *least*."""
    [vector], scale = await model.model.embed([query]), await model.scale()
    found = await memories.nearest(db, did, vector, least=0.0, limit=limit)
    similar = [(one, scale.similarity(one.cosine or 0.0)) for one in found]
    return [(one, similarity) for one, similarity in similar if similarity >= least]


async def distill_all(db: Database, model: Memories) -> int:
    """Distil what agents that want it were sent since the last time; how many memories there are more."""
    made, above = 0, ""
    while owners := await memories.owners(db, above=above, limit=_OWNERS):
        for did in owners:
            while (read := await _distill(db, model, did)) is not None:
                made += read
        above = owners[-1]
    return made


async def _distill(db: Database, model: Memories, did: AgentDid) -> int | None:
    """A batch of one agent's mail; None if there was none."""
    async with db.transaction() as tx:
        after = await memories.hold(tx, did)
        if after is None:
            return None
        mails = await memories.unread(tx, did, after=after, limit=model.batch, age=model.age)
        if not mails:
            return None
        chosen = [(mail, distill(mail.subject, mail.body, mail.mime)) for mail in mails]
        worth = [(mail, memory) for mail, memory in chosen if memory is not None]
        vectors = await model.model.embed([memory.searched for _, memory in worth])
        found = [Found(mail, memory, vector) for (mail, memory), vector in zip(worth, vectors, strict=True)]
        upto = mails[-1].created_at, mails[-1].id
        await memories.remember(tx, did, found, upto=upto, most=MAX_MEMORIES)
        return len(found)
