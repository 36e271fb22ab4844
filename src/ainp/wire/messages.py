"""Messages as they go over the wire: what is answered to who sends one, and what waits."""

from collections.abc import Sequence
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from ainp.core.delivery import Sent, Waiting
from ainp.core.did import AgentDid
from ainp.core.errors import BrokerError
from ainp.core.ids import spelled
from ainp.core.moments import unix_ms
from ainp.wire.discovery import FoundReply, MatchReply
from ainp.wire.envelopes import EnvelopeBody
from ainp.wire.values import Did, iso

_AGAIN_MS = 5000  # to look whether somebody is there again


class IntentBody(EnvelopeBody):
    """A signed message to `to_did`, or to who answers `to_query` best; docs/messages.md."""

    to_query: dict[str, object] | None = None
    qos: dict[str, object] | None = None


class OfflineReply(Struct, omit_defaults=True):
    """What an ERROR message would carry: nobody is connected for these."""

    error_code: str
    error_message: str
    intent_id: str
    retry_after_ms: int
    queued: bool
    expires_at: int
    recipients: list[str]


class SentReply(Struct):
    """
    A message is on its way; `offline` says who will have it later, or finds it in the mailbox.

    What is for the index of agents is answered as /api/discovery/envelope answers it.
    """

    status: str | UnsetType = UNSET
    agent_count: int | UnsetType = UNSET
    id: str | UnsetType = UNSET
    message_id: str | UnsetType = UNSET
    recipients: list[str] | UnsetType = UNSET
    queued: bool | UnsetType = UNSET
    priority: float | UnsetType = UNSET
    offline: OfflineReply | UnsetType = UNSET
    negotiation_id: str | UnsetType = UNSET
    group_id: str | UnsetType = UNSET
    round_number: int | UnsetType = UNSET
    state: str | UnsetType = UNSET
    ttl_minutes: float | UnsetType = UNSET
    results: list[FoundReply] | UnsetType = UNSET
    matches: list[MatchReply] | UnsetType = UNSET


class WaitingReply(Struct):
    """A message that waits."""

    message_id: str
    id: str
    msg_type: str
    intent_type: str | None
    from_did: str
    to_did: str
    priority: float
    queued_at: str
    expires_at: str
    retry_count: int


class QueueReply(Struct):
    """What waits, in the order in which it will be handed over."""

    messages: list[WaitingReply]


class CancelIntentBody(Struct):
    """Which of one's own messages to take back: by the envelope's id."""

    id: Annotated[str, Meta(min_length=1, max_length=200)]
    from_did: Did | None = None


class CancelledReply(Struct):
    """From whom it was taken."""

    status: str
    id: str
    recipients: list[str]


def sent_reply(sent: Sent) -> SentReply:
    """Show what became of a message."""
    message, away, queued = sent.message, sent.away, sent.queued
    return SentReply(
        status="routed",
        agent_count=len(sent.reached),
        id=message.envelope.id,
        message_id=spelled(message.id),
        recipients=list(sent.recipients),
        queued=queued,
        priority=round(message.priority, 6),
        offline=_offline(sent, away, queued=queued) if away else UNSET,
    )


def _offline(sent: Sent, away: Sequence[AgentDid], *, queued: bool) -> OfflineReply:
    return OfflineReply(
        error_code="AGENT_OFFLINE",
        error_message=f"nobody is connected for {', '.join(away)}",
        intent_id=sent.message.envelope.id,
        retry_after_ms=_AGAIN_MS,
        queued=queued,
        expires_at=unix_ms(sent.expires_at),
        recipients=list(away),
    )


def waiting_reply(waiting: Waiting) -> WaitingReply:
    """Show a message that waits."""
    return WaitingReply(
        message_id=spelled(waiting.id),
        id=waiting.envelope_id,
        msg_type=waiting.msg_type,
        intent_type=waiting.intent_type,
        from_did=waiting.sender,
        to_did=waiting.recipient,
        priority=round(waiting.priority, 6),
        queued_at=iso(waiting.queued_at),
        expires_at=iso(waiting.expires_at),
        retry_count=waiting.tries,
    )


def error_payload(error: BrokerError, *, intent_id: str | None) -> dict[str, object]:
    """What an ERROR message carries of a refusal."""
    said: dict[str, object] = {"error_code": error.code, "error_message": error.message}
    if intent_id is not None:
        said["intent_id"] = intent_id
    if "retry_after_ms" in error.facts:
        said["retry_after_ms"] = error.facts["retry_after_ms"]
    return said
