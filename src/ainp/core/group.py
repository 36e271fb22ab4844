"""
A group negotiates: one proposal after another is voted on by three or more agents, until it is agreed or time is over.

    open → agreed, failed (the last round or all the time is over), aborted (by whoever opened it)

A round ends as soon as it is agreed, when everybody has voted, or when its time is over; who says nothing does not
agree. The next round offers what lies between all that was proposed. What a group agrees on moves no money. A move
returns a new value, or refuses; nothing here reads a clock.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from fractions import Fraction

from ainp.core.credits import ATOMIC_PER_CREDIT, credits_of_price
from ainp.core.did import AgentDid
from ainp.core.errors import (
    Conflict,
    Expired,
    Forbidden,
    InvalidRequest,
    InvalidState,
    ProposalChanged,
)
from ainp.core.ids import GroupId
from ainp.core.incentive import MIN_FEE_BP
from ainp.core.limits import MAX_NEGOTIATION_TIME
from ainp.core.message_limits import MAX_PARTICIPANTS
from ainp.core.signature import key_that_verifies, verify
from ainp.core.terms import Proposal, read_terms

MIN_PARTICIPANTS = 3  # two have a negotiation
DEFAULT_ROUND_TIME = timedelta(seconds=5)  # the specification's
_MOST_ROUNDS, _MOST_VOTES = 10, 20  # the specification's min(10, 20 / participants)
_MOST_BP = 10_000
_LEAST_VOICES = 2  # an agreement is between two at least, however much one of them weighs


class DuplicateVote(Conflict):
    """The participant has voted in this round."""

    code = "DUPLICATE_VOTE"


class Mechanism(StrEnum):
    """How votes are counted."""

    UNANIMOUS = "unanimous"
    MAJORITY = "majority"
    WEIGHTED = "weighted"


class Choice(StrEnum):
    """What a participant says of a proposal."""

    ACCEPT = "ACCEPT"
    REJECT = "REJECT"
    ABSTAIN = "ABSTAIN"


class GroupState(StrEnum):
    """Where a group stands."""

    OPEN = "open"
    AGREED = "agreed"
    FAILED = "failed"
    ABORTED = "aborted"


@dataclass(frozen=True, slots=True)
class Member:
    """A participant; the weight is of its trust when the group was opened, and counts where votes are weighted."""

    did: AgentDid
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Ballot:
    """One vote; *proposal* is what its voter would accept, *signature* is over the hash of the round's terms."""

    by: AgentDid
    choice: Choice
    at: datetime
    proposal: Proposal | None = None
    signature: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRound:
    """One proposal and the votes on it; without a *proposer* it was made from what had been proposed."""

    number: int
    proposer: AgentDid | None
    proposal: Proposal
    terms_hash: str
    opened_at: datetime
    ends_at: datetime
    ballots: tuple[Ballot, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRules:
    """How a group decides; *threshold_bp* is what a score has to reach beside more than a half."""

    mechanism: Mechanism = Mechanism.UNANIMOUS
    threshold_bp: int | None = None
    max_rounds: int | None = None
    round_time: timedelta = DEFAULT_ROUND_TIME


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupOpening:
    """What whoever opens a group starts with; *participants* may name the opener, who is one in any case."""

    intent_id: str
    opener: AgentDid
    participants: Sequence[AgentDid]
    proposal: Proposal
    rules: GroupRules = GroupRules()
    signature: str | None = None

    @property
    def everybody(self) -> tuple[AgentDid, ...]:
        """All who take part, each once, the opener first."""
        return tuple(dict.fromkeys((self.opener, *self.participants)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """What a participant says, and of which round; without a round it is of the current one."""

    choice: Choice
    round_number: int | None = None
    terms_hash: str | None = None
    proposal: Proposal | None = None
    signature: str | None = None

    def check_named(self) -> None:
        """Refuse a vote for whatever the current proposal is."""
        if self.round_number is None and self.terms_hash is None:
            raise InvalidRequest("expected terms_hash or round_number: the proposal that is voted on", field="round")


@dataclass(frozen=True, slots=True)
class Score:
    """How a round stands: what accepts, of what there is; and whether that is an agreement."""

    points: int
    whole: int
    reached: bool

    @property
    def part(self) -> float:
        """From 0 to 1."""
        return self.points / self.whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One group."""

    id: GroupId
    intent_id: str
    opener: AgentDid
    members: tuple[Member, ...]
    mechanism: Mechanism
    threshold_bp: int | None
    max_rounds: int
    round_time: timedelta
    state: GroupState
    rounds: tuple[GroupRound, ...]
    created_at: datetime
    updated_at: datetime
    closed_at: datetime | None = None
    closed_by: AgentDid | None = None
    reason: str | None = None

    @property
    def current(self) -> GroupRound:
        """The round that is voted on, or the last one."""
        return self.rounds[-1]

    @property
    def participants(self) -> tuple[AgentDid, ...]:
        """Everybody's DID."""
        return tuple(member.did for member in self.members)

    @property
    def accepted_by(self) -> tuple[AgentDid, ...]:
        """Who has accepted what is agreed; the others are not bound by it."""
        if self.state is not GroupState.AGREED:
            return ()
        return tuple(sorted(ballot.by for ballot in self.current.ballots if ballot.choice is Choice.ACCEPT))

    def score(self, round_: GroupRound) -> Score:
        """Count the votes of a round; the order in which they came is nothing to it."""
        said = {ballot.by: ballot.choice for ballot in round_.ballots}
        accepting = [member for member in self.members if said.get(member.did) is Choice.ACCEPT]
        if self.mechanism is Mechanism.WEIGHTED:
            undecided = [member for member in self.members if said.get(member.did) is Choice.ABSTAIN]
            points = 2 * sum(m.weight for m in accepting) + sum(m.weight for m in undecided)
            whole = 2 * sum(m.weight for m in self.members)
        else:
            points, whole = len(accepting), len(self.members)
        enough = points == whole if self.mechanism is Mechanism.UNANIMOUS else 2 * points > whole
        wanted = points * _MOST_BP >= (self.threshold_bp or 0) * whole
        return Score(points, whole, enough and wanted and len(accepting) >= _LEAST_VOICES)

    def vote(self, vote: Vote, *, by: AgentDid, now: datetime, min_fee_bp: int = MIN_FEE_BP) -> "Group":
        """Say what one thinks of the current proposal, once a round; the round may end by it."""
        self.require_member(by)
        self._require_open(now)
        self._require_current(vote)
        if any(ballot.by == by for ballot in self.current.ballots):
            raise DuplicateVote(f"{by} has voted in round {self.current.number}", round_number=self.current.number)
        if vote.proposal is not None:
            if vote.choice is Choice.ACCEPT:
                raise InvalidRequest("proposal: who accepts proposes nothing else", field="proposal")
            read_terms(vote.proposal, min_fee_bp=min_fee_bp)
        if vote.signature is not None:
            hash_ = bytes.fromhex(self.current.terms_hash)
            verify(hash_, signature=vote.signature, key=key_that_verifies(by))
        ballot = Ballot(by, vote.choice, now, vote.proposal, vote.signature)
        voted = replace(self.current, ballots=(*self.current.ballots, ballot))
        return replace(self, rounds=(*self.rounds[:-1], voted), updated_at=now).decided(now)

    def abort(self, *, by: AgentDid, now: datetime, reason: str | None) -> "Group":
        """End it without an agreement, as whoever has opened it; who does not want it rejects."""
        self.require_member(by)
        if by != self.opener:
            raise Forbidden("only who has opened a group may abort it; the others reject what is proposed")
        self._require_open(now)
        return self._close(now, GroupState.ABORTED, by=by, reason=reason)

    def advance(self, now: datetime) -> "Group":
        """The group as it stands at *now*: a round whose time is over has ended."""
        return self._end_round(now) if self.due(now) else self

    def due(self, now: datetime) -> bool:
        """Whether the time of its round is over."""
        return self.state is GroupState.OPEN and now >= self.current.ends_at

    def require_member(self, did: AgentDid) -> None:
        """Refuse whoever does not take part."""
        if did not in self.participants:
            raise Forbidden(f"{did} is not a participant in this group")

    def _require_open(self, now: datetime) -> None:
        if self.state is not GroupState.OPEN:
            raise InvalidState(f"the group is {self.state}: {self.reason or 'it has ended'}", state=self.state)
        if self.due(now):
            raise Expired(f"round {self.current.number} has ended at {self.current.ends_at.isoformat()}")

    def _require_current(self, vote: Vote) -> None:
        current = self.current
        other_hash = vote.terms_hash is not None and vote.terms_hash.lower() != current.terms_hash
        if other_hash or vote.round_number not in (None, current.number):
            raise ProposalChanged(
                f"the current proposal is round {current.number} with terms_hash {current.terms_hash}",
                terms_hash=current.terms_hash,
                round_number=current.number,
            )

    def decided(self, now: datetime) -> "Group":
        """The group as the votes have it: agreed, in its next round, or waiting for more of them."""
        if self.score(self.current).reached:
            return self._close(now, GroupState.AGREED, by=None, reason=None)
        return self._end_round(now) if len(self.current.ballots) == len(self.members) else self

    def _end_round(self, now: datetime) -> "Group":
        current, ends_at = self.current, self.created_at + self.max_rounds * self.round_time
        if current.number >= self.max_rounds:
            return self._close(now, GroupState.FAILED, by=None, reason="no agreement in the last round")
        if now >= ends_at:
            return self._close(now, GroupState.FAILED, by=None, reason="the time of all rounds is over")
        proposal = between(current.proposal, current.ballots)
        following = GroupRound(
            number=current.number + 1,
            proposer=None,
            proposal=proposal,
            terms_hash=read_terms(proposal, min_fee_bp=0).hash.hex(),
            opened_at=now,
            ends_at=min(now + self.round_time, ends_at),
        )
        return replace(self, rounds=(*self.rounds, following), updated_at=now)

    def _close(self, now: datetime, state: GroupState, *, by: AgentDid | None, reason: str | None) -> "Group":
        return replace(self, state=state, closed_at=now, updated_at=now, closed_by=by, reason=reason)


def open_group(
    opening: GroupOpening,
    *,
    id: GroupId,  # noqa: A002 - the protocol's word
    now: datetime,
    weights: Mapping[AgentDid, int],
    min_fee_bp: int = MIN_FEE_BP,
) -> Group:
    """Open a group with its first proposal, which its opener has accepted; who has no weight has the least."""
    everybody, rules = opening.everybody, opening.rules
    max_rounds = _rounds_of(rules, len(everybody))
    terms = read_terms(opening.proposal, min_fee_bp=min_fee_bp)
    if opening.signature is not None:
        verify(terms.hash, signature=opening.signature, key=key_that_verifies(opening.opener))
    first = GroupRound(
        number=1,
        proposer=opening.opener,
        proposal=opening.proposal,
        terms_hash=terms.hash.hex(),
        opened_at=now,
        ends_at=now + rules.round_time,
        ballots=(Ballot(opening.opener, Choice.ACCEPT, now, None, opening.signature),),
    )
    return Group(
        id=id,
        intent_id=opening.intent_id,
        opener=opening.opener,
        members=tuple(Member(did, max(1, weights.get(did, 1))) for did in everybody),
        mechanism=rules.mechanism,
        threshold_bp=rules.threshold_bp,
        max_rounds=max_rounds,
        round_time=rules.round_time,
        state=GroupState.OPEN,
        rounds=(first,),
        created_at=now,
        updated_at=now,
    )


def _rounds_of(rules: GroupRules, participants: int) -> int:
    """How many rounds there are; refused is what makes no group."""
    if not MIN_PARTICIPANTS <= participants <= MAX_PARTICIPANTS:
        raise InvalidRequest(
            f"participants: found {participants} with who opens it, expected {MIN_PARTICIPANTS} to {MAX_PARTICIPANTS}",
            field="participants",
        )
    most = min(_MOST_ROUNDS, _MOST_VOTES // participants)
    if rules.max_rounds is not None and not 1 <= rules.max_rounds <= most:
        raise InvalidRequest(
            f"max_rounds: found {rules.max_rounds}, expected 1 to {most} for {participants}", field="max_rounds"
        )
    if rules.threshold_bp is not None and not 1 <= rules.threshold_bp <= _MOST_BP:
        raise InvalidRequest("convergence_threshold: expected more than 0, and at most 1", field="threshold")
    max_rounds = rules.max_rounds or most
    if not timedelta(0) < max_rounds * rules.round_time <= MAX_NEGOTIATION_TIME:
        longest = MAX_NEGOTIATION_TIME // timedelta(milliseconds=1)
        raise InvalidRequest(
            f"timeout_per_round_ms: expected more than 0, and all rounds within {longest}", field="timeout_per_round_ms"
        )
    return max_rounds


def between(standing: Proposal, ballots: Sequence[Ballot]) -> Proposal:
    """
    Make the next proposal: of price, delivery time and quality the median of those said, the rest as it stands.

    Of an even number it is the mean of the middle two, rounded down; so the order of votes is nothing to it.
    """
    said = [standing, *(ballot.proposal for ballot in ballots if ballot.proposal is not None)]
    found: dict[str, object] = dict(standing)
    if prices := [credits_of_price(price) for price in _numbers(said, "price")]:
        price = _median(prices)
        found["price"] = price // ATOMIC_PER_CREDIT if price % ATOMIC_PER_CREDIT == 0 else price / ATOMIC_PER_CREDIT
    if times := [int(time) for time in _numbers(said, "delivery_time")]:
        found["delivery_time"] = _median(times)
    if parts := [int(Fraction(repr(part)) * _MOST_BP) for part in _numbers(said, "quality_sla")]:
        found["quality_sla"] = _median(parts) / _MOST_BP
    return found


def _numbers(said: Sequence[Proposal], name: str) -> list[int | float]:
    """What proposals say of a term; they were read, so it is a number, where it is said."""
    values = (each.get(name) for each in said)
    return [value for value in values if isinstance(value, int | float)]


def _median(values: Sequence[int]) -> int:
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) // 2
