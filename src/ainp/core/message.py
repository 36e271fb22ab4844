"""
A message: an envelope on its way to one agent or several, and what of it is kept as mail.

What is said in it is its sender's affair; here is what the broker reads: whether it may wait for somebody who is away,
and for mail the subject, the text and the conversation it belongs to.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from ainp.core import lexemes
from ainp.core.canonical import canonical
from ainp.core.did import AgentDid
from ainp.core.envelope import Envelope
from ainp.core.errors import Conflict, Forbidden, InvalidEnvelope, NotFound, Unavailable
from ainp.core.lexemes import Members, kind_of
from ainp.core.message_limits import (
    MAX_ATTACHMENT_BYTES,
    MAX_ATTACHMENTS,
    MAX_CONVERSATION_LENGTH,
    MAX_LABEL_LENGTH,
    MAX_LABELS,
    MAX_SUBJECT_LENGTH,
)
from ainp.core.qos import Qos

PREVIEW_LENGTH = 100
_HURRIED = 0.8  # the specification's high urgency
_TOO_SHORT_TO_WAIT = timedelta(seconds=5)
_MAIL = frozenset({"MESSAGE", "EMAIL_MESSAGE", "CHAT_MESSAGE", "NOTIFICATION"})
# Members by which what the broker itself tells is known: an envelope that has one could be taken for that.
_OURS = ("@type", "type", "event", "number", "error", "status")


class MsgType(StrEnum):
    """What agents send each other."""

    INTENT = "INTENT"
    RESULT = "RESULT"
    ERROR = "ERROR"
    ACK = "ACK"
    NEGOTIATE = "NEGOTIATE"
    DISCOVER_RESULT = "DISCOVER_RESULT"


class QueryRequired(InvalidEnvelope):
    """The envelope names neither a receiver nor what to look for."""

    code = "QUERY_REQUIRED"


class NoAgentsFound(NotFound):
    """No agent can do what is asked for."""

    code = "NO_AGENTS_FOUND"


class Blocked(Forbidden):
    """The receiver takes nothing from this sender."""

    code = "BLOCKED"


class AgentOffline(Unavailable):
    """Nobody is connected for the receiver, and the message is none that waits."""

    code = "AGENT_OFFLINE"


class QueueFull(Unavailable):
    """As many messages wait for the receiver as may."""

    code = "QUEUE_FULL"


class QueueShareFull(QueueFull):
    """As many messages of this sender wait for the receiver as may of one."""

    code = "QUEUE_SHARE_FULL"


class NotQueued(Conflict):
    """The message does not wait any more: it was handed over, has expired or was taken back."""

    code = "NOT_QUEUED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """What is kept of a message that is mail."""

    conversation_id: str
    subject: str | None
    body: str
    mime: str
    headers: Mapping[str, object]
    attachments: list[Any]
    labels: tuple[str, ...]

    @property
    def hash(self) -> str:
        """What names the text."""
        return "sha256:" + hashlib.sha256(self.body.encode()).hexdigest()

    @property
    def preview(self) -> str:
        """How it begins."""
        return self.body[:PREVIEW_LENGTH]


class Message(NamedTuple):
    """An envelope with its receivers; *waits* for those who are away, as far as it has time."""

    id: UUID
    envelope: Envelope
    recipients: tuple[AgentDid, ...]
    priority: float
    waits: bool
    mail: Mail | None = None

    @property
    def sender(self) -> AgentDid:
        """Who has signed it."""
        return self.envelope.sender

    @property
    def intent_type(self) -> str | None:
        """What kind of intent its payload says it is."""
        return payload_type(self.envelope)


def check_routable(envelope: Envelope) -> None:
    """Refuse an envelope that a receiver could take for a word of the broker's."""
    if found := [name for name in _OURS if name in envelope.members]:
        raise InvalidEnvelope(f"found the member {found[0]!r}, expected none of {', '.join(_OURS)}", field=found[0])


def payload_type(envelope: Envelope) -> str | None:
    """The payload's @type."""
    kind = _payload(envelope).get("@type")
    return kind[:MAX_LABEL_LENGTH] if type(kind) is str else None


def is_mail(envelope: Envelope) -> bool:
    """Whether the message is kept in the mailboxes of its receivers and its sender."""
    return envelope.msg_type == MsgType.INTENT and payload_type(envelope) in _MAIL


def is_email(envelope: Envelope) -> bool:
    """Whether it is guarded as e-mail is: against copies, and against strangers."""
    if envelope.msg_type != MsgType.INTENT:
        return False
    return "EMAIL" in (payload_type(envelope) or "").upper() or _semantics(envelope).get("email") is True


def content_of(envelope: Envelope) -> tuple[str, str]:
    """The subject and the text of what is said; what is no text counts as none."""
    semantics = _semantics(envelope)
    subject, text = semantics.get("subject"), semantics.get("content", semantics.get("body"))
    return (subject if type(subject) is str else "", text if type(text) is str else "")


def may_wait(envelope: Envelope, qos: Qos) -> bool:
    """Whether it is worth handing over later; what is urgent and short-lived is not, nor what says so."""
    metadata = envelope.members.get("metadata")
    if type(metadata) is dict and metadata.get("no_queue") is True:
        return False
    return not (envelope.ttl < _TOO_SHORT_TO_WAIT and qos.urgency > _HURRIED)


def read_mail(envelope: Envelope, *, conversation: str) -> Mail:
    """What is kept of a mail; *conversation* is what it belongs to if it does not say so itself."""
    semantics = lexemes.plain(_semantics(envelope))
    attachments = _of(semantics, "attachments", list) or []
    if len(attachments) > MAX_ATTACHMENTS:
        raise _refused("attachments", f"{len(attachments)}", f"at most {MAX_ATTACHMENTS}")
    if (largest := max((len(canonical(one)) for one in attachments), default=0)) > MAX_ATTACHMENT_BYTES:
        raise _refused("attachments", f"one of {largest} bytes", f"references of at most {MAX_ATTACHMENT_BYTES}")
    return Mail(
        conversation_id=named_conversation(envelope) or conversation,
        subject=_text(semantics, "subject", MAX_SUBJECT_LENGTH),
        body=content_of(envelope)[1],
        mime=_text(semantics, "content_type", MAX_LABEL_LENGTH) or "text/plain",
        # Who gets a hidden copy is nobody else's business, also where a sender says it to everybody.
        headers={k: v for k, v in (_of(semantics, "headers", dict) or {}).items() if k.lower() != "bcc"},
        attachments=attachments,
        labels=read_labels(_of(semantics, "labels", list) or [], field="semantics.labels"),
    )


def named_conversation(envelope: Envelope) -> str | None:
    """The conversation that a mail names."""
    return _text(_semantics(envelope), "conversation_id", MAX_CONVERSATION_LENGTH)


def conversation_of(dids: Iterable[str]) -> str:
    """The conversation of these agents where nobody has named one."""
    between = "|".join(sorted(set(dids)))
    return "conv_" + hashlib.sha256(between.encode()).hexdigest()[:32]


def read_labels(said: Collection[object], *, field: str) -> tuple[str, ...]:
    """Labels, each once, in the order said."""
    if len(said) > MAX_LABELS:
        raise _refused(field, f"{len(said)}", f"at most {MAX_LABELS}")
    labels = dict.fromkeys(label for label in said if type(label) is str)
    if len(labels) < len({str(label) for label in said}) or not all(0 < len(one) <= MAX_LABEL_LENGTH for one in labels):
        raise _refused(field, "another value", f"texts of 1 to {MAX_LABEL_LENGTH} characters")
    return tuple(labels)


def _payload(envelope: Envelope) -> Members:
    return envelope.members.get("payload") or {}


def _semantics(envelope: Envelope) -> Members:
    semantics = _payload(envelope).get("semantics")
    return semantics if type(semantics) is dict else {}


def _of(semantics: Members, name: str, kind: type) -> Any:  # noqa: ANN401 - of the kind that is asked for
    value = semantics.get(name)
    if value is not None and type(value) is not kind:
        raise _refused(f"semantics.{name}", kind_of(value), "an array" if kind is list else "an object")
    return value


def _text(semantics: Members, name: str, most: int) -> str | None:
    value = semantics.get(name)
    if value is None or value == "":
        return None
    if type(value) is not str:
        raise _refused(f"semantics.{name}", kind_of(value), "a string")
    if len(value) > most:
        raise _refused(f"semantics.{name}", f"{len(value)} characters", f"at most {most}")
    return value


def _refused(field: str, found: str, expected: str) -> InvalidEnvelope:
    return InvalidEnvelope(f"{field}: found {found}, expected {expected}", field=field)
