"""Mailboxes: each agent reads, marks and labels its own."""

from datetime import UTC, datetime
from uuid import UUID

from ainp.core.did import AgentDid
from ainp.core.mailbox import AccessDenied, Kept, Thread, ThreadNotFound, TooManyLabels
from ainp.core.message_limits import MAX_LABELS
from ainp.store import mailbox
from ainp.store.db import Session
from ainp.store.mailbox import Place

NEWEST: Place = (datetime(9999, 1, 1, tzinfo=UTC), UUID(int=2**128 - 1))


async def inbox(
    db: Session, owner: AgentDid, *, before: Place, limit: int, label: str | None, unread: bool
) -> list[Kept]:
    """What an agent was sent before a place, newest first."""
    return await mailbox.page(db, owner, before=before, limit=limit, label=label, unread=unread)


async def thread(db: Session, owner: AgentDid, conversation: str, *, before: Place, limit: int) -> Thread:
    """An agent's own part of a conversation: what others have said in it to others is not shown."""
    summary = await mailbox.summary(db, owner, conversation)
    if summary is None:
        if await mailbox.is_known(db, conversation):
            raise AccessDenied("ACCESS_DENIED: not a participant in this thread")
        raise ThreadNotFound("Thread not found")
    found = await mailbox.thread(db, owner, conversation, before=before, limit=limit)
    return Thread(conversation, summary, found)


async def mark(db: Session, owner: AgentDid, id: UUID, *, read: bool) -> None:  # noqa: A002 - the protocol's word
    """Note that a mail was read, or was not."""
    if not await mailbox.mark(db, owner, id, read=read):
        raise AccessDenied("ACCESS_DENIED: Message not found or not a recipient")


async def label(
    db: Session,
    owner: AgentDid,
    id: UUID,  # noqa: A002
    *,
    add: tuple[str, ...],
    remove: tuple[str, ...],
) -> None:
    """Give a mail labels, and take others from it; one that is in both is taken."""
    fits = await mailbox.label(db, owner, id, add=add, remove=remove, most=MAX_LABELS)
    if fits is None:
        raise AccessDenied("ACCESS_DENIED: Message not found or not a recipient")
    if not fits:
        raise TooManyLabels(f"the mail would have more than {MAX_LABELS} labels", limit=MAX_LABELS)
