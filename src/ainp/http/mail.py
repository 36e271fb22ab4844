"""Mailboxes and contacts: each agent's own."""

from datetime import datetime
from uuid import UUID

from ainp.core.contact import Consent
from ainp.core.did import AgentDid, parse_did
from ainp.core.errors import FeatureDisabled, InvalidDid, InvalidRequest, NotFound, Unauthenticated
from ainp.core.ids import parse_id
from ainp.core.limits import MAX_PAGE
from ainp.core.mailbox import AccessDenied, ThreadNotFound
from ainp.core.message_limits import MAX_CONVERSATION_LENGTH, MAX_LABEL_LENGTH
from ainp.core.moments import moment_of
from ainp.http import compat
from ainp.http.call import DEFAULT_PAGE, Call, Reply
from ainp.http.cursor import read_cursor, write_cursor
from ainp.operations import contacts, mailbox
from ainp.operations.mailbox import NEWEST
from ainp.store.contacts import Change
from ainp.store.mailbox import Place
from ainp.wire.mail import (
    ContactBody,
    ContactsReply,
    InboxReply,
    LabelBody,
    LabelReply,
    ReadBody,
    ReadReply,
    contact_reply,
    mail_reply,
    pagination,
    thread_reply,
)

_OLDEST_ID = UUID(int=0)


class InvalidLimit(InvalidRequest):
    """A page has from 1 to 200 rows."""

    code = "INVALID_LIMIT"


class MissingMessageId(InvalidRequest):
    """Which mail is meant was not said."""

    code = "MISSING_MESSAGE_ID"


class NoLabels(InvalidRequest):
    """Neither labels to give nor labels to take were named."""

    code = "NO_LABELS"


async def inbox(call: Call) -> Reply:
    """What an agent was sent, newest first."""
    owner, limit = _mailbox_of(call), _limit(call)
    found = await mailbox.inbox(
        call.db,
        owner,
        before=_place(call),
        limit=limit,
        label=_label(call),
        unread=call.flag("unread"),
    )
    last = write_cursor(found[-1].created_at, found[-1].id) if found else ""
    return Reply(InboxReply([mail_reply(one) for one in found], pagination(found, limit, last)))


async def thread(call: Call) -> Reply:
    """One's own part of a conversation, oldest first."""
    owner, limit = _mailbox_of(call), _limit(call, default=MAX_PAGE)
    conversation = call.params["conversation_id"]
    if "\0" in conversation or len(conversation) > MAX_CONVERSATION_LENGTH:
        raise ThreadNotFound("Thread not found")
    found = await mailbox.thread(call.db, owner, conversation, before=_place(call), limit=limit)
    first = write_cursor(found.messages[0].created_at, found.messages[0].id) if found.messages else ""
    return Reply(thread_reply(found, pagination(found.messages, limit, first)))


async def read(call: Call) -> Reply:
    """Note that a mail was read, or that it was not."""
    _require_enabled(call)
    body = call.body(ReadBody)
    await mailbox.mark(call.db, call.by, _id(body.message_id), read=body.read)
    return Reply(ReadReply(success=True, message_id=body.message_id, read=body.read))


async def label(call: Call) -> Reply:
    """Give a mail labels, and take others from it."""
    _require_enabled(call)
    body = call.body(LabelBody)
    id_ = _id(body.message_id)
    if not body.add and not body.remove:
        raise NoLabels("At least one of add or remove must be provided")
    await mailbox.label(call.db, call.by, id_, add=tuple(dict.fromkeys(body.add)), remove=tuple(body.remove))
    return Reply(
        LabelReply(success=True, message_id=body.message_id, labels_added=body.add, labels_removed=body.remove)
    )


async def list_contacts(call: Call) -> Reply:
    """Whom an agent knows, the latest first."""
    owner, limit = owner_of(call), call.limit()
    said = call.query.get("consent_state")
    if said is not None and said not in list(Consent):
        raise InvalidRequest(f"consent_state: found {said[:40]!r}, expected one of {', '.join(Consent)}")
    found = await contacts.page(
        call.db,
        owner,
        after=_contact_place(call),
        limit=limit,
        consent=None if said is None else Consent(said),
        allowlist=call.flag("allowlist") if "allowlist" in call.query else None,
    )
    last = f"{found[-1].last_seen_at.isoformat()}|{found[-1].peer}" if found else ""
    return Reply(ContactsReply([contact_reply(one) for one in found], pagination(found, limit, last)))


async def get_contact(call: Call) -> Reply:
    """What an agent has written down of another."""
    owner = owner_of(call)
    return Reply(contact_reply(await contacts.get(call.db, owner, call.did())))


async def put_contact(call: Call) -> Reply:
    """Say what an agent wants of another: consent, a place on the list, a block; what is left out stays as it is."""
    body = call.body(ContactBody)
    change = Change(body.consent_state, body.allowlist, body.alias, body.notes, body.trust_override)
    try:
        peer = parse_did(call.params["did"])
    except InvalidDid as error:
        raise InvalidRequest(error.message, field="did") from error
    return Reply(contact_reply(await contacts.put(call.db, call.by, peer, change)))


def owner_of(call: Call) -> AgentDid:
    """Whose is read: the one who asks, or whom `agent_did` names to somebody who may read everything."""
    named = call.did_in_query("agent_did")
    if named is not None:
        call.check_owner(named)
        return named
    asks = call.reader if call.broker.settings.strict else compat.named(call.headers, None, call.broker.settings)
    if asks is None:
        raise Unauthenticated("Missing DID: name the agent in the header X-AINP-DID, or in `agent_did`")
    return parse_did(asks)


def _mailbox_of(call: Call) -> AgentDid:
    _require_enabled(call)
    return owner_of(call)


def _require_enabled(call: Call) -> None:
    if not call.broker.settings.messaging_enabled:
        raise FeatureDisabled("Messaging is not enabled")


def _limit(call: Call, *, default: int = DEFAULT_PAGE) -> int:
    try:
        return call.number_in_query("limit", default=default, most=MAX_PAGE)
    except InvalidRequest as error:
        raise InvalidLimit(f"Limit must be between 1 and {MAX_PAGE}", field="limit") from error


def _label(call: Call) -> str | None:
    said = call.query.get("label") or None
    if said is not None and ("\0" in said or len(said) > MAX_LABEL_LENGTH):
        raise InvalidRequest(
            f"label: found {said[:40]!r}, expected at most {MAX_LABEL_LENGTH} characters", field="label"
        )
    return said


def _place(call: Call) -> Place:
    """Where a page begins: a cursor that was given, or the time of a mail."""
    said = call.query.get("cursor")
    at = None if said is None else moment_of(said)
    return read_cursor(said, default=NEWEST) if at is None else (at, _OLDEST_ID)


def _contact_place(call: Call) -> tuple[datetime, str]:
    said = call.query.get("cursor")
    if said is None:
        return contacts.LATEST
    time, _, peer = said.partition("|")
    at = moment_of(time)
    if at is None or "\0" in peer:
        raise InvalidRequest(f"cursor: found {said[:60]!r}, expected one that this route gave", field="cursor")
    return at, peer


def _id(text: str) -> UUID:
    if not text:
        raise MissingMessageId("message_id is required", field="message_id")
    try:
        return parse_id(text, what="Message")
    except NotFound as error:
        raise AccessDenied("ACCESS_DENIED: Message not found or not a recipient") from error
