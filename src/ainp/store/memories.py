"""Memories of mail: kept, shown and searched, each agent's own."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from ainp.core.did import AgentDid
from ainp.core.memory import Kept, Memory, Remembered, Why
from ainp.core.vectors import Vector
from ainp.store.db import Row, Session
from ainp.store.queries import load

_SQL = load("memories")
Place = tuple[datetime, UUID]


@dataclass(frozen=True, slots=True)
class Unread:
    """A mail that was not looked at yet."""

    id: UUID
    created_at: datetime
    conversation_id: str
    subject: str | None
    body: str
    mime: str


@dataclass(frozen=True, slots=True)
class Found:
    """What was made of a mail."""

    mail: Unread
    memory: Memory
    embedding: Vector


async def want(db: Session, did: AgentDid, *, wanted: bool) -> None:
    """Note whether an agent wants its mail remembered; who does not any more has nothing remembered."""
    if wanted:
        await db.execute(_SQL["want"], did)
    else:
        await db.execute(_SQL["unwant"], did)
        await db.execute(_SQL["forget"], did)


async def wanted(db: Session, did: AgentDid) -> bool:
    """Whether an agent wants its mail remembered."""
    return await db.fetchval(_SQL["wanted"], did) is not None


async def owners(db: Session, *, above: str, limit: int) -> list[AgentDid]:
    """Who wants it."""
    return [row["did"] for row in await db.fetch(_SQL["owners"], above, limit)]


async def hold(db: Session, did: AgentDid) -> Place | None:
    """How far an agent's mail was read, until this transaction ends; None if there is nothing to do for it."""
    row = await db.fetchrow(_SQL["hold"], did)
    return None if row is None else (row["done_at"], row["done_id"])


async def unread(db: Session, did: AgentDid, *, after: Place, limit: int, age: timedelta) -> list[Unread]:
    """An agent's next mail, of at least this age."""
    rows = await db.fetch(_SQL["unread"], did, *after, limit, age)
    return [
        Unread(
            row["message_id"],
            row["created_at"],
            row["conversation_id"],
            row["subject"],
            row["body_text"],
            row["body_mime"],
        )
        for row in rows
    ]


async def remember(db: Session, did: AgentDid, found: Sequence[Found], *, upto: Place, most: int) -> None:
    """Keep memories, and note how far the mail of their agent was read."""
    rows = [
        {
            "conversation_id": one.mail.conversation_id,
            "content": one.memory.content,
            "summary": one.memory.summary,
            "reasons": [{"text": kept.text, "why": list(kept.why)} for kept in one.memory.kept],
            "tags": ["mailbox", "distilled"],
            "embedding": list(one.embedding),
            "message_id": one.mail.id,
            "created_at": one.mail.created_at,
        }
        for one in found
    ]
    await db.execute(_SQL["remember"], did, rows, *upto, most)


async def page(
    db: Session, did: AgentDid, *, before: Place, limit: int, since: datetime, conversation: str | None
) -> list[Remembered]:
    """An agent's memories, the newest first."""
    if conversation is None:
        rows = await db.fetch(_SQL["page"], did, *before, limit, since)
    else:
        rows = await db.fetch(_SQL["page_of_conversation"], did, *before, limit, since, conversation)
    return [_remembered(row) for row in rows]


async def nearest(db: Session, did: AgentDid, vector: Vector, *, least: float, limit: int) -> list[Remembered]:
    """An agent's memories that are nearest to a vector."""
    rows = await db.fetch(_SQL["nearest"], did, list(vector), least, limit)
    return [_remembered(row, row["cosine"]) for row in rows]


def _remembered(row: Row, cosine: float | None = None) -> Remembered:
    return Remembered(
        id=row["id"],
        conversation_id=row["conversation_id"],
        content=row["content"],
        summary=row["summary"],
        kept=[Kept(said["text"], tuple(Why(why) for why in said["why"])) for said in row["reasons"] or ()],
        tags=row["tags"],
        created_at=row["created_at"],
        cosine=cosine,
    )
