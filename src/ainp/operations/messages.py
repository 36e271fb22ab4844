"""Messages on their way: taken in for their receivers, told to those who are connected, kept for the others."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from ainp.core.delivery import Sent, Waiting, sent
from ainp.core.did import AgentDid
from ainp.core.envelope import Envelope
from ainp.core.errors import NotFound
from ainp.core.ids import uuid7
from ainp.core.ledger import Entry
from ainp.core.lexemes import plain
from ainp.core.mail_guard import Greylisted, GuardPolicy, admit, content_key, first_try_again
from ainp.core.message import (
    Message,
    NoAgentsFound,
    NotQueued,
    QueryRequired,
    check_routable,
    conversation_of,
    is_email,
    is_mail,
    may_wait,
    named_conversation,
    read_mail,
)
from ainp.core.message_limits import MAX_RECIPIENTS, MAX_RELEASED_PER_SECOND
from ainp.core.qos import WEIGHTS, Profile, Weights, read_qos
from ainp.operations.retry import until_fresh
from ainp.store import contacts, mailbox
from ainp.store import messages as store
from ainp.store.db import Session
from ainp.store.messages import Mark, Sending

_FORGET_BATCH = 1000


@dataclass(frozen=True, slots=True)
class MessagePolicy:
    """How messages are weighed, what e-mail is asked for, whether there are mailboxes."""

    weights: Weights = field(default_factory=lambda: WEIGHTS[Profile.DEFAULT])
    guard: GuardPolicy = field(default_factory=GuardPolicy)
    mailboxes: bool = True


async def send(
    db: Session,
    envelope: Envelope,
    *,
    policy: MessagePolicy,
    found: Sequence[AgentDid] = (),
    to: Sequence[AgentDid] | None = None,
) -> Sent:
    """
    Take in a verified envelope, for the receiver that it names or for those who were *found* for its query; *to* are
    those that follow from what it says.

    Raises what keeps all of them from having it; nothing is kept then.
    """
    check_routable(envelope)
    recipients = _recipients(envelope, found) if to is None else tuple(to)
    qos = read_qos(plain(envelope.members.get("qos")))
    now = await db.clock()
    kept = policy.mailboxes and is_mail(envelope)
    message = Message(
        id=uuid7(now, secrets.token_bytes(10)),
        envelope=envelope,
        recipients=recipients,
        priority=qos.adjusted(policy.weights),
        waits=may_wait(envelope, qos),
        mail=read_mail(envelope, conversation=await _conversation(db, envelope, recipients)) if kept else None,
    )
    if not is_email(envelope):
        return sent(message, await store.send(db, Sending(message)))
    return await until_fresh(db, lambda inner: _send_email(inner, message, policy.guard))


async def release(db: Session, did: AgentDid, *, again: bool) -> bool:
    """Tell an agent who has come the next of what waits for it; whether there may be more."""
    return await store.release(db, did, most=MAX_RELEASED_PER_SECOND, again=again) == MAX_RELEASED_PER_SECOND


async def peek(db: Session, did: AgentDid, *, of_others: bool, limit: int) -> list[Waiting]:
    """What waits for an agent, or what it has sent that waits for others."""
    return await (store.peek_sent if of_others else store.peek)(db, did, limit=limit)


async def cancel(db: Session, sender: AgentDid, envelope_id: str) -> list[AgentDid]:
    """Take back an envelope that waits; from whom it was taken."""
    taken = await store.cancel(db, sender, envelope_id)
    if not taken:
        if not await store.was_sent(db, sender, envelope_id):
            raise NotFound(f"Message not found: {sender} has sent none with the id {envelope_id[:100]!r}")
        raise NotQueued(f"{envelope_id[:100]!r} does not wait any more: it was told, has expired or was taken back")
    return taken


async def forget(db: Session, *, mail_older_than: timedelta) -> None:
    """Drop what has expired, what guards no mail any more, and old mail."""
    while await store.forget(db, batch=_FORGET_BATCH) == _FORGET_BATCH:
        pass
    while await contacts.forget(db, batch=_FORGET_BATCH) == _FORGET_BATCH:
        pass
    while await mailbox.forget(db, older_than=mail_older_than, batch=_FORGET_BATCH) == _FORGET_BATCH:
        pass


def _recipients(envelope: Envelope, found: Sequence[AgentDid]) -> tuple[AgentDid, ...]:
    if envelope.recipient is not None:
        return (envelope.recipient,)
    if envelope.query is None:
        raise QueryRequired("Query required for discovery-based routing: found neither to_did nor to_query")
    others = tuple(did for did in found if did != envelope.sender)[:MAX_RECIPIENTS]
    if not others:
        raise NoAgentsFound("No matching agents found")
    return others


async def _conversation(db: Session, envelope: Envelope, recipients: Sequence[AgentDid]) -> str:
    """What a mail belongs to: the thread that its trace names, where all have a part in it; else that of its agents."""
    trace, everybody = envelope.trace_id, (envelope.sender, *recipients)
    if trace and named_conversation(envelope) is None and await mailbox.share(db, everybody, trace):
        return trace
    return conversation_of(everybody)


async def _send_email(db: Session, message: Message, policy: GuardPolicy) -> Sent:
    to, key = message.envelope.recipient, content_key(message.envelope)
    seen, now = await contacts.guard(db, message.sender, to, key)
    entries: Sequence[Entry] = ()
    try:
        entries = admit(message, to, seen, policy=policy, now=now)
    except Greylisted:
        # By itself: what is refused here may come again as it is, so its id is not used up.
        if to is not None and first_try_again(seen.first_tried_at, now):
            await contacts.note_first_try(db, message.sender, to)
        raise
    mark = None if policy.dedupe is None else Mark(key, policy.dedupe)
    return sent(message, await store.send(db, Sending(message, entries, mark)))
