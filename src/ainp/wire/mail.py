"""Mailboxes and contacts as they go over the wire."""

from collections.abc import Sequence
from typing import Annotated, Any

from msgspec import Meta, Struct

from ainp.core.contact import Consent, Contact
from ainp.core.mailbox import Kept, Thread
from ainp.core.message_limits import MAX_LABEL_LENGTH, MAX_LABELS, MAX_NOTES_LENGTH
from ainp.wire.values import Did, iso, iso_or_none

Label = Annotated[str, Meta(min_length=1, max_length=MAX_LABEL_LENGTH)]
Labels = Annotated[list[Label], Meta(max_length=MAX_LABELS)]
Id = Annotated[str, Meta(max_length=64)]


class MailReply(Struct):
    """A mail as its owner has it."""

    id: str
    envelope_id: str
    conversation_id: str
    from_did: str
    to_dids: list[str]
    subject: str | None
    body_text: str
    body_mime: str
    body_hash: str
    body_html: str | None
    headers: dict[str, Any]
    attachments: list[Any]
    labels: list[str]
    created_at: str
    received_at: str
    read_at: str | None
    read: bool
    intent_type: str | None


class Pagination(Struct):
    """Where the next page begins; a cursor may also be the `created_at` of the last mail."""

    limit: int
    cursor: str | None
    has_more: bool


class InboxReply(Struct):
    """Mail, newest first."""

    messages: list[MailReply]
    pagination: Pagination


class RolesReply(Struct):
    """What somebody was in a conversation."""

    did: str
    roles: list[str]


class ThreadSummary(Struct):
    """What a conversation adds up to."""

    id: str
    subject: str | None
    message_count: int
    unread_count: int
    first_message_at: str
    last_message_at: str


class ThreadReply(Struct):
    """One's own part of a conversation, the newest of it, oldest first."""

    id: str
    conversation_id: str
    subject: str | None
    participants: list[str]
    participant_roles: list[RolesReply]
    message_count: int
    unread_count: int
    first_message_at: str
    last_message_at: str
    labels: list[str]
    messages: list[MailReply]
    thread: ThreadSummary
    pagination: Pagination


class ReadBody(Struct):
    """A mail that was read, or is to count as unread."""

    message_id: Id = ""
    read: bool = True


class ReadReply(Struct):
    """It is noted."""

    success: bool
    message_id: str
    read: bool


class LabelBody(Struct):
    """Labels to give a mail, and to take from it."""

    message_id: Id = ""
    add: Labels = []
    remove: Labels = []


class LabelReply(Struct):
    """What was asked for."""

    success: bool
    message_id: str
    labels_added: list[str]
    labels_removed: list[str]


class ContactBody(Struct):
    """What an agent thinks of a peer; what is left out stays as it is."""

    consent_state: Consent | None = None
    allowlist: bool | None = None
    alias: Annotated[str, Meta(max_length=200)] | None = None
    notes: Annotated[str, Meta(max_length=MAX_NOTES_LENGTH)] | None = None
    trust_override: Annotated[float, Meta(ge=0, le=1)] | None = None
    owner_did: Did | None = None


class ContactReply(Struct):
    """A peer as its owner has it."""

    owner_did: str
    peer_did: str
    consent_state: str
    allowlist: bool
    alias: str | None
    notes: str | None
    trust_override: float | None
    message_count: int
    first_seen_at: str
    last_seen_at: str
    last_message_at: str | None
    updated_at: str


class ContactsReply(Struct):
    """Contacts, the latest first."""

    contacts: list[ContactReply]
    pagination: Pagination


def mail_reply(kept: Kept) -> MailReply:
    """Show a mail."""
    return MailReply(
        id=str(kept.id),
        envelope_id=kept.envelope_id,
        conversation_id=kept.conversation_id,
        from_did=kept.sender,
        to_dids=list(kept.recipients),
        subject=kept.subject,
        body_text=kept.body,
        body_mime=kept.mime,
        body_hash=kept.hash,
        body_html=None,
        headers=dict(kept.headers),
        attachments=list(kept.attachments),
        labels=list(kept.labels),
        created_at=iso(kept.created_at),
        received_at=iso(kept.received_at),
        read_at=iso_or_none(kept.read_at),
        read=kept.read_at is not None,
        intent_type=kept.intent_type,
    )


def pagination(shown: Sequence[object], limit: int, cursor: str) -> Pagination:
    """A full page may have another behind it, from *cursor* on."""
    more = len(shown) == limit
    return Pagination(limit, cursor if more else None, more)


def thread_reply(thread: Thread, page: Pagination) -> ThreadReply:
    """Show a conversation."""
    summary, roles = thread.summary, thread.participants
    first_at, last_at = iso(summary.first_at), iso(summary.last_at)
    return ThreadReply(
        id=thread.id,
        conversation_id=thread.id,
        subject=thread.subject,
        participants=list(roles),
        participant_roles=[RolesReply(did, list(said)) for did, said in roles.items()],
        message_count=summary.count,
        unread_count=summary.unread,
        first_message_at=first_at,
        last_message_at=last_at,
        labels=list(summary.labels),
        messages=[mail_reply(one) for one in thread.messages],
        thread=ThreadSummary(thread.id, thread.subject, summary.count, summary.unread, first_at, last_at),
        pagination=page,
    )


def contact_reply(contact: Contact) -> ContactReply:
    """Show a contact."""
    return ContactReply(
        owner_did=contact.owner,
        peer_did=contact.peer,
        consent_state=contact.consent,
        allowlist=contact.allowlist,
        alias=contact.alias,
        notes=contact.notes,
        trust_override=contact.trust_override,
        message_count=contact.messages,
        first_seen_at=iso(contact.first_seen_at),
        last_seen_at=iso(contact.last_seen_at),
        last_message_at=iso_or_none(contact.last_message_at),
        updated_at=iso(contact.updated_at),
    )
