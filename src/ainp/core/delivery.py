"""What becomes of a message: who has it, who will, and what waits for whom."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from ainp.core.did import AgentDid
from ainp.core.mail_guard import DuplicateEmail
from ainp.core.message import AgentOffline, Blocked, Message, QueueFull, QueueShareFull
from ainp.core.message_limits import MAX_QUEUED_OF_ONE


class Reached(NamedTuple):
    """What became of one receiver; *taken* is whether it has the message, or will."""

    did: AgentDid
    taken: bool
    here: bool
    queued: bool = False
    blocked: bool = False
    copy: bool = False
    crowded: bool = False  # by what its sender has waiting for it


class Sent(NamedTuple):
    """A message that was taken in, and who has it, or will."""

    message: Message
    reached: Sequence[Reached]

    @property
    def recipients(self) -> list[AgentDid]:
        """Who has it, or will."""
        return [one.did for one in self.reached]

    @property
    def away(self) -> list[AgentDid]:
        """Those of them who are not connected."""
        return [one.did for one in self.reached if not one.here]

    @property
    def queued(self) -> bool:
        """Whether it waits for somebody."""
        return bool([one for one in self.reached if one.queued and not one.here])

    @property
    def expires_at(self) -> datetime:
        """Until when."""
        return self.message.envelope.sent_at + self.message.envelope.ttl


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message that waits for somebody."""

    id: UUID
    envelope_id: str
    msg_type: str
    intent_type: str | None
    sender: AgentDid
    recipient: AgentDid
    priority: float
    queued_at: datetime
    expires_at: datetime
    tries: int


def sent(message: Message, reached: Sequence[Reached]) -> Sent:
    """What was taken in; if nobody of those *reached* can have it, why not."""
    taken = [one for one in reached if one.taken]
    if taken:
        return Sent(message, taken)
    if any(one.copy for one in reached):
        raise DuplicateEmail("Duplicate email content detected within dedupe window")
    others = [one for one in reached if not one.blocked]
    if not others:
        raise Blocked(f"{', '.join(one.did for one in reached)} takes no messages from {message.sender}")
    names = ", ".join(one.did for one in others)
    if message.waits and all(one.crowded for one in others):
        raise QueueShareFull(
            f"found {MAX_QUEUED_OF_ONE} messages of {message.sender} that wait for {names}, expected fewer",
            intent_id=message.envelope.id,
        )
    if message.waits:
        raise QueueFull(f"as many messages wait for {names} as may", intent_id=message.envelope.id)
    raise AgentOffline(f"nobody is connected for {names}", intent_id=message.envelope.id, queued=False)
