"""
What an agent asks of a broker about messages: to send one, to read its mail, to say who may write to it.

`Client` and `AsyncClient` have these as methods, as those of `calls`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from ainp.client.ask import Ask, get, of, part, post, reader
from ainp.client.calls import Who
from ainp.core.contact import Consent
from ainp.wire.mail import (
    ContactBody,
    ContactReply,
    ContactsReply,
    InboxReply,
    LabelBody,
    LabelReply,
    ReadBody,
    ReadReply,
    ThreadReply,
)
from ainp.wire.memories import FoundMemoriesReply, MemoriesReply, SearchMemoriesBody, WantBody, WantReply
from ainp.wire.messages import CancelIntentBody, CancelledReply, QueueReply, SentReply


def message(
    by: Who,
    payload: Mapping[str, object],
    *,
    to: str | None = None,
    query: Mapping[str, object] | None = None,
    msg_type: str = "INTENT",
    ttl_ms: int = 60_000,
) -> Ask[SentReply]:
    """
    Send a signed message *to* an agent, or to who answers *query* best.

    Its id counts once: an answer that was lost can't be asked for again, a second try says ReplayDetected.
    """
    envelope = of(by).envelope(msg_type, payload, to_did=to, ttl_ms=ttl_ms)
    body: dict[str, Any] = envelope if query is None else {"envelope": envelope, "query": dict(query)}
    return Ask("POST", "/api/intents/send", reader(SentReply), msgspec.json.encode(body))


def mail(
    by: Who,
    to: str,
    text: str,
    *,
    subject: str | None = None,
    conversation_id: str | None = None,
    kind: Literal["MESSAGE", "EMAIL_MESSAGE", "CHAT_MESSAGE", "NOTIFICATION"] = "MESSAGE",
) -> Ask[SentReply]:
    """Send a mail: it is kept in both mailboxes, also when it was never handed over."""
    said = {"content": text, "subject": subject, "conversation_id": conversation_id}
    semantics = {name: value for name, value in said.items() if value is not None}
    return message(by, {"@type": kind, "semantics": semantics}, to=to)


def waiting(by: Who, *, sent: bool = False) -> Ask[QueueReply]:
    """What waits for oneself, or what one has *sent* that waits for others."""
    return get("/api/intents/queue", QueueReply, agent_did=of(by).did, sent="true" if sent else None)


def take_back(by: Who, id: str) -> Ask[CancelledReply]:  # noqa: A002 - the envelope's word
    """Take back a message that waits, by its envelope's id."""
    return post("/api/intents/cancel", CancelIntentBody(id=id, from_did=of(by).did), CancelledReply)


def inbox(
    by: Who, *, unread: bool = False, label: str | None = None, limit: int | None = None, cursor: str | None = None
) -> Ask[InboxReply]:
    """One's mail, newest first."""
    seen = "true" if unread else None
    did = of(by).did
    return get("/api/mail/inbox", InboxReply, agent_did=did, unread=seen, label=label, limit=limit, cursor=cursor)


def thread(by: Who, conversation_id: str) -> Ask[ThreadReply]:
    """One's own part of a conversation, oldest first."""
    return get(f"/api/mail/threads/{part(conversation_id)}", ThreadReply, agent_did=of(by).did)


def mark_read(by: Who, message_id: str, *, read: bool = True) -> Ask[ReadReply]:
    """Note that a mail was read, or was not."""
    of(by)
    return post("/api/mail/read", ReadBody(message_id, read), ReadReply)


def label(by: Who, message_id: str, *, add: Sequence[str] = (), remove: Sequence[str] = ()) -> Ask[LabelReply]:
    """Give a mail labels, and take others from it."""
    of(by)
    return post("/api/mail/label", LabelBody(message_id, list(add), list(remove)), LabelReply)


def contacts(by: Who, *, limit: int | None = None, cursor: str | None = None) -> Ask[ContactsReply]:
    """Whom one knows, the latest first."""
    return get("/api/contacts", ContactsReply, agent_did=of(by).did, limit=limit, cursor=cursor)


def contact(
    by: Who,
    peer: str,
    *,
    consent: Literal["unknown", "consented", "trusted", "blocked"] | None = None,
    allowlist: bool | None = None,
    alias: str | None = None,
    notes: str | None = None,
) -> Ask[ContactReply]:
    """Say what one wants of another agent; what is left out stays as it is."""
    said = None if consent is None else Consent(consent)
    body = ContactBody(said, allowlist, alias, notes, owner_did=of(by).did)
    return Ask("PUT", f"/api/contacts/{part(peer)}", reader(ContactReply), msgspec.json.encode(body))


def remember_mail(by: Who, enabled: bool) -> Ask[WantReply]:  # noqa: FBT001 - it is all that is said
    """Have one's mail remembered from now on, or not any more; what there is is forgotten then."""
    body = WantBody(enabled, of(by).did)
    return Ask("PUT", "/api/memories", reader(WantReply), msgspec.json.encode(body))


def memories(
    by: Who, *, conversation_id: str | None = None, limit: int | None = None, cursor: str | None = None
) -> Ask[MemoriesReply]:
    """What is remembered of one's mail, newest first."""
    did = of(by).did
    return get(
        "/api/memories", MemoriesReply, agent_did=did, conversation_id=conversation_id, limit=limit, cursor=cursor
    )


def recall(by: Who, query: str, *, min_similarity: float = 0.5, limit: int = 10) -> Ask[FoundMemoriesReply]:
    """What of it has to do with a query."""
    body = SearchMemoriesBody(query, of(by).did, min_similarity, limit)
    return post("/api/memories/search", body, FoundMemoriesReply)
