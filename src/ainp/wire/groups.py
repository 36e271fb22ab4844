"""Groups that negotiate, as they go over the wire."""

from collections.abc import Mapping
from typing import Annotated

from msgspec import Meta, Struct

from ainp.core.group import Choice, Group, GroupRound, Mechanism
from ainp.core.limits import MAX_SIGNATURE_LENGTH
from ainp.core.message_limits import MAX_PARTICIPANTS
from ainp.core.moments import unix_ms
from ainp.wire.values import Did, IntentId, Proposal, Text, iso, iso_or_none

_Signature = Annotated[
    str, Meta(max_length=MAX_SIGNATURE_LENGTH, description="Ed25519 over the 32 bytes of the terms' hash, base64")
]


class OpenGroupBody(Struct):
    """A first proposal to two others and more; who opens it takes part and has accepted it."""

    intent_id: IntentId
    participants: Annotated[list[Did], Meta(min_length=1, max_length=MAX_PARTICIPANTS)]
    proposal: Proposal
    opener_did: Did | None = None
    voting_mechanism: Mechanism = Mechanism.UNANIMOUS
    convergence_threshold: Annotated[float, Meta(gt=0, le=1)] | None = None
    max_rounds: Annotated[int, Meta(ge=1, le=10)] | None = None
    timeout_per_round_ms: Annotated[int, Meta(ge=1, le=2**31)] | None = None
    terms_signature: _Signature | None = None


class VoteBody(Struct):
    """A vote on the proposal that `terms_hash` or `round_number` names; who does not accept may propose another."""

    vote: Choice
    voter_did: Did | None = None
    round_number: int | None = None
    terms_hash: Annotated[str, Meta(max_length=64)] | None = None
    proposal: Proposal | None = None
    terms_signature: _Signature | None = None


class AbortGroupBody(Struct):
    """An end without an agreement, by who has opened it."""

    opener_did: Did | None = None
    reason: Text | None = None


class ParticipantReply(Struct):
    """Who takes part; the weight counts where votes are weighted."""

    did: str
    weight: int


class VoteReply(Struct):
    """One vote; the time in Unix milliseconds."""

    did: str
    vote: str
    timestamp: int
    proposal: Mapping[str, object] | None
    signature: str | None


class GroupRoundReply(Struct):
    """One proposal, by whom (null: made from those before) and the votes on it."""

    round_number: int
    proposer_did: str | None
    proposal: Mapping[str, object]
    terms_hash: str
    opened_at: str
    ends_at: str
    score: float
    votes: list[VoteReply]


class GroupReply(Struct):
    """A group as all who take part see it; no money moves by what it agrees on."""

    id: str
    intent_id: str
    opener_did: str
    participants: list[ParticipantReply]
    voting_mechanism: str
    convergence_threshold: float | None
    state: str
    round_number: int
    max_rounds: int
    timeout_per_round_ms: int
    proposal: Mapping[str, object]
    terms_hash: str
    accepted_by: list[str]
    rounds: list[GroupRoundReply]
    created_at: str
    updated_at: str
    closed_at: str | None
    closed_by: str | None
    close_reason: str | None


class GroupsReply(Struct):
    """An agent's groups, the newest first; the cursor goes on with older ones."""

    groups: list[GroupReply]
    cursor: str | None


def group_reply(group: Group) -> GroupReply:
    """Show a group."""
    current = group.current
    return GroupReply(
        id=str(group.id),
        intent_id=group.intent_id,
        opener_did=group.opener,
        participants=[ParticipantReply(member.did, member.weight) for member in group.members],
        voting_mechanism=group.mechanism,
        convergence_threshold=None if group.threshold_bp is None else group.threshold_bp / 10_000,
        state=group.state,
        round_number=current.number,
        max_rounds=group.max_rounds,
        timeout_per_round_ms=int(group.round_time.total_seconds() * 1000),
        proposal=current.proposal,
        terms_hash=current.terms_hash,
        accepted_by=list(group.accepted_by),
        rounds=[_round(group, one) for one in group.rounds],
        created_at=iso(group.created_at),
        updated_at=iso(group.updated_at),
        closed_at=iso_or_none(group.closed_at),
        closed_by=group.closed_by,
        close_reason=group.reason,
    )


def _round(group: Group, one: GroupRound) -> GroupRoundReply:
    return GroupRoundReply(
        round_number=one.number,
        proposer_did=one.proposer,
        proposal=one.proposal,
        terms_hash=one.terms_hash,
        opened_at=iso(one.opened_at),
        ends_at=iso(one.ends_at),
        score=round(group.score(one).part, 4),
        votes=[
            VoteReply(ballot.by, ballot.choice, unix_ms(ballot.at), ballot.proposal, ballot.signature)
            for ballot in one.ballots
        ],
    )
