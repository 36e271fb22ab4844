"""Messages: taken in, handed over, taken back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

import asyncpg
import msgspec

from ainp.core.delivery import Reached, Waiting
from ainp.core.did import AgentDid
from ainp.core.events import message_notice
from ainp.core.ledger import Entry
from ainp.core.message import Message
from ainp.core.message_limits import MAX_QUEUED, MAX_QUEUED_OF_ONE, MAX_RELEASES
from ainp.store import turns
from ainp.store.db import Row, Session, Stale
from ainp.store.posting import entry_rows
from ainp.store.queries import load
from ainp.store.together import Together

_SQL = load("messages")
_FREELY = 10  # of one sender that wait for one receiver; more are counted one after the other


@dataclass(frozen=True, slots=True)
class Mark:
    """A content that is not to come again for a while."""

    key: bytes
    lasts: timedelta


class Sending(NamedTuple):
    """A message with what goes with it."""

    message: Message
    entries: Sequence[Entry] = ()
    mark: Mark | None = None


async def send(db: Session, sending: Sending) -> list[Reached]:
    """
    Take in a message for each of its receivers who can have it; if nobody can, nothing is written.

    Raises Stale if what it costs is not there any more.
    """
    try:
        became = await db.together(_SEND, sending)
        if became.apart:
            async with db.transaction() as tx:
                await turns.take(tx, f"queues {sending.message.sender}")
                (became,) = await _send(tx, [sending], freely=MAX_QUEUED_OF_ONE)
    except asyncpg.CheckViolationError as error:
        raise Stale(sending.message.sender) from error
    return became.reached


async def release(db: Session, did: AgentDid, *, most: int, again: bool) -> int:
    """Tell an agent the next of what waits for it, *again* also what no socket took; how many."""
    count: int = await db.fetchval(_SQL["release"], did, most, again, MAX_RELEASES)
    return count


async def handed_over(db: Session, done: Sequence[tuple[str, AgentDid]]) -> None:
    """Drop from the queue what sockets have taken: messages by id, with their receivers."""
    await db.execute(_SQL["handed_over"], [id_ for id_, _ in done], [did for _, did in done])


async def peek(db: Session, did: AgentDid, *, limit: int) -> list[Waiting]:
    """What waits for an agent, in the order in which it would be handed over."""
    return [_waiting(row) for row in await db.fetch(_SQL["peek"], did, limit)]


async def peek_sent(db: Session, did: AgentDid, *, limit: int) -> list[Waiting]:
    """What an agent has sent that waits for others, oldest first."""
    return [_waiting(row) for row in await db.fetch(_SQL["peek_sent"], did, limit)]


async def cancel(db: Session, sender: AgentDid, envelope_id: str) -> list[AgentDid]:
    """Take back what nobody was told; whom it would have gone to."""
    return [row["to_did"] for row in await db.fetch(_SQL["cancel"], sender, envelope_id)]


async def was_sent(db: Session, sender: AgentDid, envelope_id: str) -> bool:
    """Whether an agent has sent an envelope of this id that is still known."""
    return await db.fetchval(_SQL["sent"], sender, envelope_id) is not None


async def forget(db: Session, *, batch: int) -> int:
    """Drop a batch of what has expired, from the queue and altogether; how much."""
    waiting = await db.execute(_SQL["forget_waiting"], batch)
    expired = await db.execute(_SQL["forget"], batch)
    return max(int(tag.rsplit(" ", 1)[-1]) for tag in (waiting, expired))


class _Became(NamedTuple):
    """What became of a message; *apart* if it was not decided: others of its sender may be on their way."""

    reached: list[Reached]
    apart: bool


async def _send(db: Session, sendings: Sequence[Sending], *, freely: int = _FREELY) -> list[_Became]:
    rows = await db.fetch(
        _SQL["send"],
        [_message_row(each.message) for each in sendings],
        [{"of": each.message.id, "did": did} for each in sendings for did in each.message.recipients],
        [row for each in sendings for row in entry_rows(each.entries, of=each.message.id)],
        [row for each in sendings for row in _mark_rows(each)],
        MAX_QUEUED,
        MAX_QUEUED_OF_ONE,
        freely,
    )
    found: dict[UUID, list[Reached]] = {each.message.id: [] for each in sendings}
    for row in rows:
        found[row["of"]].append(
            Reached(
                did=row["did"],
                taken=row["taken"],
                here=row["here"],
                queued=row["queues"],
                blocked=row["blocked"],
                copy=row["copy"],
                crowded=row["crowded"],
            )
        )
    apart = {row["of"] for row in rows if row["apart"]}
    return [_Became(found[each.message.id], each.message.id in apart) for each in sendings]


# Two copies at once, or two that pay from one account, would wait for each other's row.
_SEND = Together(
    _send, apart=lambda each: [*((each.mark.key,) if each.mark else ()), *(e.source for e in each.entries)], writes=True
)


def _mark_rows(sending: Sending) -> list[dict[str, object]]:
    mark = sending.mark
    return (
        []
        if mark is None
        else [{"of": sending.message.id, "key": mark.key.hex(), "lasts": f"{mark.lasts.total_seconds()} s"}]
    )


def _message_row(message: Message) -> dict[str, object]:
    envelope, mail = message.envelope, message.mail
    row: dict[str, object] = {
        "id": message.id,
        "envelope_id": envelope.id,
        "trace_id": envelope.trace_id,
        "from_did": envelope.sender,
        "to_dids": message.recipients,
        "msg_type": envelope.msg_type,
        "intent_type": message.intent_type,
        "envelope": envelope.text.decode(),
        "notice": _encoded(message_notice(message)),
        "priority": message.priority,
        "kept": mail is not None,
        "waits": message.waits,
        "created_at": envelope.sent_at,
        "expires_at": envelope.sent_at + envelope.ttl,
    }
    if mail is not None:
        row |= {
            "conversation_id": mail.conversation_id,
            "subject": mail.subject,
            "body_text": mail.body,
            "body_mime": mail.mime,
            "body_hash": mail.hash,
            "headers": mail.headers,
            "attachments": mail.attachments,
            "labels": mail.labels,
        }
    return row


def _encoded(notice: dict[str, object]) -> str:
    return msgspec.json.encode(notice).decode()


def _waiting(row: Row) -> Waiting:
    return Waiting(
        id=row["message_id"],
        envelope_id=row["envelope_id"],
        msg_type=row["msg_type"],
        intent_type=row["intent_type"],
        sender=row["from_did"],
        recipient=row["to_did"],
        priority=row["priority"],
        queued_at=row["queued_at"],
        expires_at=row["expires_at"],
        tries=row["tries"],
    )
