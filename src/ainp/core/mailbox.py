"""A mail as one of its owners has it, and what a conversation adds up to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from ainp.core.did import AgentDid
from ainp.core.errors import Conflict, Forbidden, NotFound


class ThreadNotFound(NotFound):
    """There is no such conversation."""

    code = "THREAD_NOT_FOUND"


class AccessDenied(Forbidden):
    """The conversation, or the mail, is somebody else's."""

    code = "ACCESS_DENIED"


class TooManyLabels(Conflict):
    """The mail would have more labels than one may have."""

    code = "TOO_MANY_LABELS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A mail as one of its owners has it; *received* is False for what the owner has sent."""

    id: UUID
    envelope_id: str
    conversation_id: str
    sender: AgentDid
    recipients: Sequence[AgentDid]
    received: bool
    subject: str | None
    body: str
    mime: str
    hash: str
    headers: Mapping[str, Any]
    attachments: Sequence[Any]
    labels: Sequence[str]
    created_at: datetime
    received_at: datetime
    read_at: datetime | None
    intent_type: str | None


@dataclass(frozen=True, slots=True)
class Summary:
    """What an agent's part of a conversation adds up to."""

    count: int
    unread: int
    first_at: datetime
    last_at: datetime
    labels: Sequence[str]


@dataclass(frozen=True, slots=True)
class Thread:
    """An agent's part of a conversation: the newest of it, oldest first."""

    id: str
    summary: Summary
    messages: Sequence[Kept]

    @property
    def subject(self) -> str | None:
        """The first that was said."""
        return next((one.subject for one in self.messages if one.subject is not None), None)

    @property
    def participants(self) -> Mapping[AgentDid, Sequence[str]]:
        """Who is in it, each with what it was: the sender of something, its receiver, or both."""
        roles: dict[AgentDid, list[str]] = {}
        for one in self.messages:
            for did, role in ((one.sender, "sender"), *((to, "recipient") for to in one.recipients)):
                known = roles.setdefault(did, [])
                if role not in known:
                    known.append(role)
        return roles
