"""
Negotiating as a group by envelope: what a NEGOTIATE message says, as a move of the machine that the routes drive.

    OFFER with participants → open    ACCEPT, REJECT, ABSTAIN → vote    COUNTER → reject, and propose another
    ABORT → end it, as who has opened it    TIMEOUT → end a round that is due
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from ainp.core.bargain import read_id, read_object, read_round_time, read_text, read_whole, terms_of
from ainp.core.did import AgentDid, parse_did
from ainp.core.envelope import Envelope
from ainp.core.errors import InvalidDid, InvalidEnvelope
from ainp.core.group import DEFAULT_ROUND_TIME, Choice, GroupOpening, GroupRules, Mechanism, Vote
from ainp.core.ids import GroupId
from ainp.core.limits import MAX_INTENT_ID_LENGTH, MAX_SIGNATURE_LENGTH, MAX_TEXT_LENGTH
from ainp.core.terms import Proposal

_ABORT, _TIMEOUT, _OFFER, _COUNTER = "ABORT", "TIMEOUT", "OFFER", "COUNTER"
_PHASES = (_OFFER, *Choice, _COUNTER, _ABORT, _TIMEOUT)
# What the specification has in a group's proposal beside its terms.
_BESIDE = frozenset({"participants", "individual_proposals", "voting_mechanism", "convergence_threshold"})
_MOST_NAMED = 100  # what is more is refused before it is read


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupMove:
    """A move as it was sent: one of *opening*, *vote* and *aborts*, or else the end of a round that is due."""

    id: GroupId | None
    opening: GroupOpening | None = None
    vote: Vote | None = None
    aborts: bool = False
    reason: str | None = None


def is_group_move(envelope: Envelope) -> bool:
    """Whether a NEGOTIATE envelope is about a group: it names one, or offers to several."""
    payload = envelope.payload
    proposal = payload.get("proposal")
    return "group_id" in payload or "participants" in payload or (type(proposal) is dict and "participants" in proposal)


def read_group_move(envelope: Envelope) -> GroupMove:
    """Read a NEGOTIATE envelope of a group, or refuse it as InvalidEnvelope."""
    payload, phase = envelope.payload, str(envelope.payload.get("phase")).upper()
    if phase not in _PHASES:
        raise InvalidEnvelope(f"payload.phase: found {phase[:40]!r}, expected one of {', '.join(_PHASES)}")
    if envelope.recipient is not None:
        raise InvalidEnvelope("to_did: found one, expected none: what is said in a group all of it get", field="to_did")
    found = read_id(payload, "group_id")
    id_ = None if found is None else GroupId(found)
    if phase == _OFFER:
        return GroupMove(id=id_, opening=_opening(envelope, payload))
    if id_ is None:
        raise InvalidEnvelope("payload.group_id: found none, expected a UUID", field="payload.group_id")
    if phase in (_ABORT, _TIMEOUT):
        return GroupMove(id=id_, aborts=phase == _ABORT, reason=read_text(payload, "reason", MAX_TEXT_LENGTH))
    vote = Vote(
        choice=Choice.REJECT if phase == _COUNTER else Choice(phase),
        round_number=read_whole(payload, "round", most=1000),
        terms_hash=read_text(payload, "terms_hash", 64),
        proposal=_own(envelope, payload) if phase == _COUNTER else None,
        signature=read_text(payload, "terms_signature", MAX_SIGNATURE_LENGTH),
    )
    return GroupMove(id=id_, vote=vote)


def read_threshold(said: object) -> int | None:
    """A threshold, from 0 to 1, in basis points; parts of one are dropped."""
    if said is None:
        return None
    if isinstance(said, bool) or not isinstance(said, int | float) or not 0 < said <= 1:
        raise InvalidEnvelope(
            f"convergence_threshold: found {str(said)[:40]!r}, expected more than 0, and at most 1",
            field="convergence_threshold",
        )
    return max(1, int(Fraction(repr(said)) * 10_000))


def _opening(envelope: Envelope, payload: Mapping[str, Any]) -> GroupOpening:
    proposal, constraints = read_object(payload, "proposal"), read_object(payload, "constraints")

    def said(name: str) -> Any:  # noqa: ANN401 - any JSON
        return next((each[name] for each in (payload, proposal, constraints) if each.get(name) is not None), None)

    return GroupOpening(
        intent_id=read_text(payload, "intent_id", MAX_INTENT_ID_LENGTH) or envelope.trace_id or envelope.id,
        opener=envelope.sender,
        participants=_participants(said("participants")),
        proposal=_own(envelope, payload),
        rules=GroupRules(
            mechanism=_mechanism(said("voting_mechanism")),
            threshold_bp=read_threshold(said("convergence_threshold")),
            max_rounds=read_whole(constraints, "max_rounds", most=1000),
            round_time=read_round_time(constraints) or DEFAULT_ROUND_TIME,
        ),
        signature=read_text(payload, "terms_signature", MAX_SIGNATURE_LENGTH),
    )


def _own(envelope: Envelope, payload: Mapping[str, Any]) -> Proposal:
    """What a sender proposes itself; what it says that others propose is nobody's word."""
    proposal = read_object(payload, "proposal")
    own = read_object(proposal, "individual_proposals").get(envelope.sender)
    said = {name: value for name, value in proposal.items() if name not in _BESIDE}
    terms = terms_of({**said, **own} if isinstance(own, dict) else said)
    if not terms:
        raise InvalidEnvelope("payload.proposal: found none, expected terms", field="payload.proposal")
    return terms


def _participants(said: object) -> list[AgentDid]:
    if not isinstance(said, list) or len(said) > _MOST_NAMED or not all(isinstance(one, str) for one in said):
        raise InvalidEnvelope("participants: expected an array of DIDs", field="payload.participants")
    try:
        return [parse_did(one) for one in said]
    except InvalidDid as error:
        raise InvalidEnvelope(f"participants: {error.message}", field="payload.participants") from error


def _mechanism(said: object) -> Mechanism:
    try:
        return Mechanism.UNANIMOUS if said is None else Mechanism(str(said).lower())
    except ValueError:
        expected = ", ".join(Mechanism)
        raise InvalidEnvelope(f"voting_mechanism: found {str(said)[:40]!r}, expected one of {expected}") from None
