"""What happened, as it is told to those it concerns; stored with the fact, told after commit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import msgspec

from ainp.core.attestation import Attestation
from ainp.core.did import AgentDid
from ainp.core.group import Group
from ainp.core.ids import spelled
from ainp.core.message import Message, MsgType
from ainp.core.moments import unix_ms
from ainp.core.negotiation import Negotiation, NegotiationState
from ainp.core.receipt import TaskReceipt
from ainp.core.stake import Stake

# How the body of an event begins that carries a message, and what stands before the envelope in it. Notices are flat:
# what looks like this in one of their texts has its quotation marks escaped.
_CARRIES = '{"message_id":"'
_ENVELOPE = ',"envelope":'
_ID_LENGTH = 36


@dataclass(frozen=True, slots=True)
class Event:
    """A fact and who is told, each of them once; *body* is the frame that receivers get, but for its number."""

    name: str
    recipients: tuple[AgentDid, ...]
    body: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Told:
    """An event as it was published; *numbers* says for each recipient which of its events this is, *body* is JSON."""

    position: int
    recipients: Sequence[str]
    numbers: Sequence[int]
    body: str


class Head(NamedTuple):
    """How far publication is, and what came last as far as that was said with it: in order, up to there."""

    position: int
    told: Sequence[Told] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """A receiver's events in a row, with their numbers; None where retention has taken one away."""

    rows: Sequence[tuple[int, str | None]]
    last: int  # the number of the receiver's last event


def frame(body: str, number: int) -> str:
    """Write what a receiver gets: the body with the receiver's own number."""
    return f'{body[:-1]},"number":{number}}}'


def frames_of(text: str) -> tuple[str, ...]:
    """
    What goes over a socket: of a message the envelope as it was signed, then the notice of it.

    So nothing is put into what was signed, and whoever has the notice, with its number, has the envelope.
    """
    if not text.startswith(_CARRIES):
        return (text,)
    notice, _, rest = text.partition(_ENVELOPE)
    envelope, number, of = rest.rpartition(',"number":')
    return envelope, notice + number + of


def carrying(notice: Mapping[str, object], envelope: bytes) -> str:
    """Write the body of an event that carries a message, of which *notice* tells; `frames_of` takes it apart."""
    return f"{msgspec.json.encode(notice).decode()[:-1]}{_ENVELOPE}{envelope.decode()}}}"


def carried(text: str) -> str | None:
    """The message's id, if the frame carries one."""
    return text[len(_CARRIES) : len(_CARRIES) + _ID_LENGTH] if text.startswith(_CARRIES) else None


def missed_frame(first: int, last: int) -> str:
    """Write what a receiver gets in place of events that are kept no longer."""
    return f'{{"@type":"NOTIFICATION","type":"events_missed","from":{first},"to":{last}}}'


def negotiation_event(negotiation: Negotiation, name: str, *, by: AgentDid | None, now: datetime) -> Event:
    """
    Tell of a negotiation's move.

    The other party is told; both are when it was settled or has expired, which is nobody's message to the other.
    """
    both = name in ("settled", "expired") or by is None
    parties = (negotiation.initiator, negotiation.responder)
    body: dict[str, object] = {
        "@type": "NOTIFICATION",
        "type": "negotiation_event",
        "event": name,
        "negotiation_id": spelled(negotiation.id),
        "intent_id": negotiation.intent_id,
        "state": negotiation.state,
        "current_proposal": negotiation.current.proposal,
        "terms_hash": negotiation.current.terms_hash,
        "round_number": negotiation.current.number,
        "convergence_score": round(negotiation.convergence, 2),
        "timestamp": unix_ms(now),
    }
    if by is not None and not both:
        body["from_did"] = by
    if negotiation.state is NegotiationState.SETTLED and negotiation.task_id is not None:
        body["task_id"] = spelled(negotiation.task_id)
    recipients = parties if both or by is None else (negotiation.other(by),)
    return Event(f"negotiation.{name}", recipients, body)


def group_event(group: Group, name: str, *, by: AgentDid | None, now: datetime) -> Event:
    """Tell of a move in a group; a vote is told to the others, what follows from votes to everybody."""
    current, score = group.current, group.score(group.current)
    body: dict[str, object] = {
        "@type": "NOTIFICATION",
        "type": "group_event",
        "event": name,
        "group_id": spelled(group.id),
        "intent_id": group.intent_id,
        "state": group.state,
        "current_proposal": current.proposal,
        "terms_hash": current.terms_hash,
        "round_number": current.number,
        "votes": len(current.ballots),
        "score": round(score.part, 4),
        "timestamp": unix_ms(now),
    }
    if by is not None:
        body["from_did"] = by
    others = tuple(did for did in group.participants if did != by)
    return Event(f"group.{name}", others if name in ("opened", "voted") else group.participants, body)


def receipt_event(receipt: TaskReceipt, name: str, *, now: datetime, **facts: object) -> Event:
    """Tell the client, the worker and the committee what became of a receipt."""
    body = {
        "@type": "NOTIFICATION",
        "type": "receipt_event",
        "event": name,
        "task_id": spelled(receipt.id),
        "negotiation_id": None if receipt.negotiation_id is None else spelled(receipt.negotiation_id),
        "status": receipt.status,
        **facts,
        "timestamp": unix_ms(now),
    }
    return Event(f"receipt.{name}", tuple(dict.fromkeys((*receipt.contractors, *receipt.committee))), body)


def attested_event(receipt: TaskReceipt, attestation: Attestation, *, now: datetime, have: int) -> Event:
    """Tell that somebody spoke."""
    return receipt_event(
        receipt,
        "attested",
        now=now,
        from_did=attestation.by,
        attestation=attestation.type,
        have=have,
        needed=receipt.quorum,
    )


def stake_event(did: AgentDid, stake: Stake, name: str, *, now: datetime, **facts: object) -> Event:
    """Tell an agent what became of its stake."""
    body = {
        "@type": "NOTIFICATION",
        "type": "stake_event",
        "event": name,
        "agent_did": did,
        "locked": str(stake.locked),
        "active": str(stake.active),
        "withdrawing": str(stake.withdrawing),
        **facts,
        "timestamp": unix_ms(now),
    }
    return Event(f"stake.{name}", (did,), body)


def message_notice(message: Message) -> dict[str, object]:
    """
    Tell receivers of a message; the store puts the envelope behind it.

    What is mail is called `new_message`, as existing clients know it.
    """
    envelope, mail = message.envelope, message.mail
    notice: dict[str, object] = {
        "message_id": spelled(message.id),
        "@type": "NOTIFICATION",
        "type": "message" if mail is None else "new_message",
        "event": "received",
        "envelope_id": envelope.id,
        "msg_type": envelope.msg_type,
        "intent_type": message.intent_type,
        "from_did": message.sender,
        "priority": round(message.priority, 3),
        "timestamp": unix_ms(envelope.sent_at),
    }
    if mail is not None:
        said = {"conversation_id": mail.conversation_id, "subject": mail.subject, "preview": mail.preview}
        notice |= {name: value for name, value in said.items() if value is not None}
    return notice


def result_notice(id_: UUID, msg_type: MsgType, *, by: str, at: datetime) -> dict[str, object]:
    """Tell an agent that the broker has written to it: an envelope of that id, which is in no queue and no mailbox."""
    return {
        "message_id": str(id_),
        "@type": "NOTIFICATION",
        "type": "message",
        "event": "received",
        "envelope_id": str(id_),
        "msg_type": msg_type,
        "intent_type": None,
        "from_did": by,
        "priority": 0.5,
        "timestamp": unix_ms(at),
    }
