"""Mailboxes: what was received and sent, read and labelled, each agent's own."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from ainp.core.did import AgentDid
from ainp.core.mailbox import Kept, Summary
from ainp.store.db import Row, Session
from ainp.store.queries import load

_SQL = load("mailbox")
Place = tuple[datetime, UUID]


async def page(
    db: Session, owner: AgentDid, *, before: Place, limit: int, label: str | None, unread: bool
) -> list[Kept]:
    """What an agent was sent before a place, newest first."""
    if label is not None:
        rows = await db.fetch(_SQL["labelled"], owner, *before, limit, label, unread)
    else:
        rows = await db.fetch(_SQL["unread" if unread else "inbox"], owner, *before, limit)
    return [_kept(row) for row in rows]


async def thread(db: Session, owner: AgentDid, conversation: str, *, before: Place, limit: int) -> list[Kept]:
    """The newest of an agent's part of a conversation, oldest first."""
    rows = await db.fetch(_SQL["thread"], owner, conversation, *before, limit)
    return [_kept(row) for row in reversed(rows)]


async def summary(db: Session, owner: AgentDid, conversation: str) -> Summary | None:
    """What it adds up to; None if the agent has no part in it."""
    row = await db.fetchrow(_SQL["thread_summary"], owner, conversation)
    if row is None or not row["count"]:
        return None
    labels = [found["label"] for found in await db.fetch(_SQL["thread_labels"], owner, conversation)]
    return Summary(row["count"], row["unread"], row["first_at"], row["last_at"], labels)


async def is_known(db: Session, conversation: str) -> bool:
    """Whether there is a conversation, whoever's."""
    return await db.fetchval(_SQL["known_thread"], conversation) is not None


async def share(db: Session, dids: Sequence[AgentDid], conversation: str) -> bool:
    """Whether all of these agents have a part in a conversation."""
    rows = await db.fetch(_SQL["own_threads"], list(dids), [conversation] * len(dids))
    return len(rows) == len(dids)


async def mark(db: Session, owner: AgentDid, id: UUID, *, read: bool) -> bool:  # noqa: A002 - the protocol's word
    """Note that a receiver has read a mail, or has not; False if it is no mail of its."""
    return await db.fetchval(_SQL["mark"], owner, id, read) is not None


async def label(
    db: Session,
    owner: AgentDid,
    id: UUID,  # noqa: A002
    *,
    add: Sequence[str],
    remove: Sequence[str],
    most: int,
) -> bool | None:
    """Change a mail's labels; None if it is no mail of its owner's, False if it would have more than *most*."""
    fits: bool | None = await db.fetchval(_SQL["label"], owner, id, list(add), list(remove), most)
    return fits


async def forget(db: Session, *, older_than: timedelta, batch: int) -> int:
    """Drop a batch of old mail; how much."""
    tag = await db.execute(_SQL["forget"], older_than, batch)
    return int(tag.rsplit(" ", 1)[-1])


def _kept(row: Row) -> Kept:
    return Kept(
        id=row["message_id"],
        envelope_id=row["envelope_id"],
        conversation_id=row["conversation_id"],
        sender=row["from_did"],
        # Whom else a query has found is the sender's to know.
        recipients=[row["owner_did"]] if row["received"] else row["to_dids"],
        received=row["received"],
        subject=row["subject"],
        body=row["body_text"],
        mime=row["body_mime"],
        hash=row["body_hash"],
        headers=row["headers"] or {},
        attachments=row["attachments"] or [],
        labels=row["labels"],
        created_at=row["created_at"],
        received_at=row["received_at"],
        read_at=row["read_at"],
        intent_type=row["intent_type"],
    )
