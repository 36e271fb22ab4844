"""
Negotiating by envelope: what a NEGOTIATE message says, as a move of the same state machine that the routes drive.

    OFFER → open    COUNTER → propose    ACCEPT → accept    REJECT, ABORT → reject    TIMEOUT → expire, if it is due
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from ainp.core.envelope import Envelope
from ainp.core.errors import InvalidEnvelope, NotFound
from ainp.core.ids import NegotiationId, parse_id
from ainp.core.limits import MAX_INTENT_ID_LENGTH, MAX_SIGNATURE_LENGTH, MAX_TEXT_LENGTH
from ainp.core.negotiation import DEFAULT_ROUNDS
from ainp.core.terms import Proposal

DEFAULT_ROUND_TIME = timedelta(seconds=5)
_OF_TERMS = "incentive_split"
_LONGEST_MS = 2**31  # of a round; what a negotiation may take has a limit of its own


class Phase(StrEnum):
    """What a party does."""

    OFFER = "OFFER"
    COUNTER = "COUNTER"
    ACCEPT = "ACCEPT"
    REJECT = "REJECT"
    ABORT = "ABORT"
    TIMEOUT = "TIMEOUT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bargain:
    """A move as it was sent; *id* is the negotiation's, which whoever offers may choose."""

    phase: Phase
    id: NegotiationId | None
    intent_id: str
    round: int | None
    proposal: Proposal
    max_rounds: int
    round_time: timedelta
    terms_hash: str | None
    terms_signature: str | None
    reason: str | None

    @property
    def ttl(self) -> timedelta:
        """How long all rounds may take together."""
        return self.max_rounds * self.round_time

    def round_accepted(self, current: int) -> int | None:
        """
        The round that is meant by an acceptance, where *current* is the latest: its own number, or the one after it.

        Messages count rounds on; proposals of the two parties alternate, so the one after it is nobody else's.
        """
        return current if self.round == current + 1 else self.round


def read_bargain(envelope: Envelope) -> Bargain:
    """Read a NEGOTIATE envelope, or refuse it as InvalidEnvelope."""
    payload = envelope.payload
    phase = _phase(payload.get("phase"))
    constraints = read_object(payload, "constraints")
    proposal = read_object(payload, "proposal")
    if phase in (Phase.OFFER, Phase.COUNTER) and not proposal:
        raise InvalidEnvelope("payload.proposal: found none, expected terms", field="payload.proposal")
    found = read_id(payload, "negotiation_id")
    id_ = None if found is None else NegotiationId(found)
    if id_ is None and phase is not Phase.OFFER:
        raise InvalidEnvelope("payload.negotiation_id: found none, expected a UUID", field="payload.negotiation_id")
    return Bargain(
        phase=phase,
        id=id_,
        intent_id=read_text(payload, "intent_id", MAX_INTENT_ID_LENGTH) or envelope.trace_id or envelope.id,
        round=read_whole(payload, "round", most=1000),
        proposal=terms_of(proposal),
        max_rounds=read_whole(constraints, "max_rounds", most=1000) or DEFAULT_ROUNDS,
        round_time=read_round_time(constraints) or DEFAULT_ROUND_TIME,
        terms_hash=read_text(payload, "terms_hash", 64),
        terms_signature=read_text(payload, "terms_signature", MAX_SIGNATURE_LENGTH),
        reason=read_text(payload, "reason", MAX_TEXT_LENGTH),
    )


def terms_of(said: Mapping[str, Any]) -> Proposal:
    """
    A proposal of the specification as one of the routes: `latency_ms` is the time to deliver, `terms` are custom terms.

    The split may stand among the terms or beside them; whatever else is there is kept as it is.
    """
    terms = said.get("terms")
    proposal = {name: value for name, value in said.items() if name not in ("latency_ms", "terms")}
    if said.get("latency_ms") is not None and "delivery_time" not in proposal:
        proposal["delivery_time"] = said["latency_ms"]
    if not isinstance(terms, dict):
        return proposal if terms is None else {**proposal, "terms": terms}
    if terms.get(_OF_TERMS) is not None and _OF_TERMS not in proposal:
        proposal[_OF_TERMS] = terms[_OF_TERMS]
    rest = {name: value for name, value in terms.items() if name != _OF_TERMS}
    custom = proposal.get("custom_terms")
    if rest:
        proposal["custom_terms"] = {**rest, **(custom if isinstance(custom, dict) else {})}
    return proposal


def _phase(said: object) -> Phase:
    try:
        return Phase(str(said).upper())
    except ValueError:
        expected = ", ".join(Phase)
        raise InvalidEnvelope(f"payload.phase: found {str(said)[:40]!r}, expected one of {expected}") from None


def read_id(members: Mapping[str, Any], name: str) -> UUID | None:
    """A UUID in a payload, if it is there."""
    said = members.get(name)
    if said is None:
        return None
    try:
        return parse_id(str(said), what="Negotiation")
    except NotFound as error:
        raise InvalidEnvelope(f"payload.{name}: {error.message}", field=f"payload.{name}") from error


def read_round_time(constraints: Mapping[str, Any]) -> timedelta | None:
    """How long a round may take, if that is said."""
    every = read_whole(constraints, "timeout_per_round_ms", most=_LONGEST_MS)
    return None if every is None else timedelta(milliseconds=every)


def read_object(members: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """An object in a payload, empty if it is not there."""
    value = members.get(name)
    if value is not None and not isinstance(value, dict):
        raise InvalidEnvelope(f"payload.{name}: found another value, expected an object", field=f"payload.{name}")
    return value or {}


def read_text(members: Mapping[str, Any], name: str, most: int) -> str | None:
    """A text in a payload, if it is there."""
    value = members.get(name)
    if value is not None and (not isinstance(value, str) or len(value) > most):
        raise InvalidEnvelope(f"payload.{name}: expected a text of at most {most} characters", field=f"payload.{name}")
    return value or None


def read_whole(members: Mapping[str, Any], name: str, *, most: int) -> int | None:
    """A whole number in a payload, if it is there."""
    value = members.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise InvalidEnvelope(
            f"{name}: found {str(value)[:40]!r}, expected a whole number from 1 to {most}", field=name
        )
    return value
