"""A group negotiates: who counts, when a round ends, what is offered next; whatever the order of votes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ainp.client.identity import Identity
from ainp.core.did import AgentDid
from ainp.core.errors import (
    BrokerError,
    Expired,
    Forbidden,
    InvalidProposal,
    InvalidRequest,
    InvalidSignature,
    InvalidState,
    ProposalChanged,
)
from ainp.core.group import (
    Ballot,
    Choice,
    DuplicateVote,
    Group,
    GroupOpening,
    GroupRules,
    GroupState,
    Mechanism,
    Member,
    Vote,
    between,
    open_group,
)
from ainp.core.ids import GroupId
from support.signing import identity

NOW = datetime(2026, 3, 1, tzinfo=UTC)
LATER = NOW + timedelta(seconds=5)
PEOPLE = tuple(identity(f"member {n}") for n in range(11))
DIDS = tuple(who.did for who in PEOPLE)
YES, NO, NEITHER = Vote(choice=Choice.ACCEPT), Vote(choice=Choice.REJECT), Vote(choice=Choice.ABSTAIN)


def a_group(count: int = 3, *, weights: dict[AgentDid, int] | None = None, price: float = 100, **rules: Any) -> Group:  # noqa: ANN401
    opening = GroupOpening(
        intent_id="meet",
        opener=DIDS[0],
        participants=DIDS[:count],
        proposal={"price": price, "custom_terms": {"slot": "ten"}},
        rules=GroupRules(**rules),
    )
    return open_group(opening, id=GroupId(UUID(int=1)), now=NOW, weights=weights or {})


def voted(group: Group, *votes: Vote) -> Group:
    """As the second, the third … of its members say."""
    for did, vote in zip(DIDS[1:], votes, strict=False):
        group = group.vote(vote, by=did, now=NOW)
    return group


def counter(price: float) -> Vote:
    return Vote(choice=Choice.REJECT, proposal={"price": price})


def test_all_have_to_agree_unless_another_mechanism_is_named() -> None:
    assert voted(a_group(), YES, YES).state is GroupState.AGREED
    assert voted(a_group(), YES, YES).accepted_by == tuple(sorted(DIDS[:3]))
    assert voted(a_group(), YES, NEITHER).current.number == 2
    assert voted(a_group(), YES, NO).state is GroupState.OPEN


def test_a_majority_is_more_than_half_and_need_not_wait_for_the_rest() -> None:
    four = a_group(4, mechanism=Mechanism.MAJORITY)

    assert voted(four, YES).state is GroupState.OPEN
    agreed = voted(four, NO, YES, YES)
    assert (agreed.state, len(agreed.current.ballots)) == (GroupState.AGREED, 4)
    assert voted(four, YES, YES).accepted_by == tuple(sorted(DIDS[:3]))
    assert voted(four, YES, NEITHER, NEITHER).state is GroupState.OPEN


def test_a_threshold_asks_for_more() -> None:
    """The specification's example: two of three are less than 0.75."""
    group = a_group(mechanism=Mechanism.MAJORITY, threshold_bp=7500)

    assert voted(group, YES, NO).current.number == 2
    assert voted(group, YES, YES).state is GroupState.AGREED
    assert voted(a_group(mechanism=Mechanism.MAJORITY), YES).state is GroupState.AGREED


def test_trust_weighs_and_who_abstains_is_half_for_it() -> None:
    weights = {DIDS[0]: 3, DIDS[1]: 3, DIDS[2]: 7}
    group = a_group(weights=weights, mechanism=Mechanism.WEIGHTED)

    assert voted(group, YES).state is GroupState.OPEN  # 6 of 13
    assert group.score(voted(group, NEITHER).current).part == 9 / 26
    assert voted(group, YES, NEITHER).state is GroupState.AGREED  # 19 of 26
    assert voted(group, NO, YES).state is GroupState.AGREED  # 10 of 13
    assert voted(group, NEITHER, NEITHER).current.number == 2  # nobody agrees with itself alone


def test_nobody_agrees_alone_however_much_it_weighs() -> None:
    group = a_group(weights={DIDS[0]: 10_000}, mechanism=Mechanism.WEIGHTED)

    assert group.state is GroupState.OPEN
    assert voted(group, YES).accepted_by == tuple(sorted(DIDS[:2]))
    assert all(member.weight >= 1 for member in a_group(weights={DIDS[1]: 0}).members)


def test_the_next_round_offers_what_lies_between() -> None:
    group = voted(a_group(), counter(110.5), counter(130))

    assert (group.current.number, group.current.proposer, group.current.ballots) == (2, None, ())
    assert group.current.proposal == {"price": 110.5, "custom_terms": {"slot": "ten"}}
    assert group.rounds[0].terms_hash != group.current.terms_hash


@pytest.mark.parametrize(
    ("proposals", "expected"),
    [
        ([{"price": 1}], {"price": 1}),
        ([{"price": 1}, {"price": 2}], {"price": 1.5}),
        ([{"price": 0.001}, {"price": 0.002}], {"price": 0.001}),
        ([{"price": 64.1}, {"price": 64.1}], {"price": 64.1}),
        ([{"a": 1}, {"price": 4}], {"a": 1, "price": 4}),
        ([{"price": None}, {"price": 4}], {"price": 4}),
        ([{"delivery_time": 10}, {"delivery_time": 21}, {"b": 1}], {"delivery_time": 15}),
        ([{"quality_sla": 0.5}, {"quality_sla": 0.9}], {"quality_sla": 0.7}),
    ],
)
def test_what_lies_between(proposals: list[dict[str, Any]], expected: dict[str, Any]) -> None:
    standing, *own = proposals
    ballots = [Ballot(DIDS[n], Choice.REJECT, NOW, each) for n, each in enumerate(own)]

    assert between(standing, ballots) == expected


def test_a_vote_counts_once_and_in_its_round() -> None:
    group = voted(a_group(), YES)

    with pytest.raises(DuplicateVote):
        group.vote(NO, by=DIDS[1], now=NOW)
    with pytest.raises(DuplicateVote):
        group.vote(YES, by=DIDS[0], now=NOW)  # its proposal says it
    for vote in (replace(YES, round_number=2), replace(YES, terms_hash="00")):
        with pytest.raises(ProposalChanged):
            group.vote(vote, by=DIDS[2], now=NOW)
    named = replace(YES, round_number=1, terms_hash=group.current.terms_hash.upper())
    assert group.vote(named, by=DIDS[2], now=NOW).state is GroupState.AGREED


@pytest.mark.parametrize(
    ("refusal", "vote", "by", "at"),
    [
        (Forbidden, YES, DIDS[5], NOW),
        (Expired, YES, DIDS[1], LATER),
        (InvalidRequest, replace(YES, proposal={"price": 1}), DIDS[1], NOW),
        (InvalidProposal, counter(-1), DIDS[1], NOW),
        (InvalidSignature, replace(YES, signature="A" * 86), DIDS[1], NOW),
    ],
)
def test_what_is_no_vote_changes_nothing(refusal: type[BrokerError], vote: Vote, by: AgentDid, at: datetime) -> None:
    with pytest.raises(refusal):
        a_group().vote(vote, by=by, now=at)


def test_a_vote_may_be_signed() -> None:
    group = a_group()
    signature = signed(PEOPLE[1], group.current.terms_hash)

    assert group.vote(replace(YES, signature=signature), by=DIDS[1], now=NOW).current.ballots[1].signature == signature
    with pytest.raises(InvalidSignature):
        group.vote(replace(YES, signature=signature), by=DIDS[2], now=NOW)


def signed(who: Identity, terms_hash: str) -> str:
    return who.sign(bytes.fromhex(terms_hash))


def test_who_says_nothing_does_not_agree() -> None:
    group = voted(a_group(mechanism=Mechanism.MAJORITY, threshold_bp=10_000), YES)

    assert group.advance(NOW) is group
    advanced = group.advance(LATER)
    assert (advanced.state, advanced.current.number) == (GroupState.OPEN, 2)
    assert advanced.current.ends_at == LATER + timedelta(seconds=5)


def test_rounds_and_their_time_end() -> None:
    last = voted(a_group(max_rounds=1), YES, NO)
    assert (last.state, last.reason) == (GroupState.FAILED, "no agreement in the last round")

    late = a_group().advance(NOW + timedelta(hours=1))
    assert (late.state, late.reason) == (GroupState.FAILED, "the time of all rounds is over")
    with pytest.raises(InvalidState):
        late.vote(YES, by=DIDS[1], now=NOW + timedelta(hours=1))
    assert late.advance(NOW + timedelta(hours=2)) is late


def test_who_has_opened_it_aborts_it_and_nobody_else() -> None:
    aborted = a_group().abort(by=DIDS[0], now=NOW, reason="done elsewhere")

    assert (aborted.state, aborted.closed_by, aborted.reason) == (GroupState.ABORTED, DIDS[0], "done elsewhere")
    for by in (DIDS[1], DIDS[9]):
        with pytest.raises(Forbidden):
            a_group().abort(by=by, now=NOW, reason=None)
    with pytest.raises(InvalidState):
        aborted.abort(by=DIDS[0], now=NOW, reason=None)


@pytest.mark.parametrize(("count", "rounds"), [(3, 6), (4, 5), (5, 4), (10, 2)])
def test_more_participants_have_fewer_rounds(count: int, rounds: int) -> None:
    assert a_group(count).max_rounds == rounds


@pytest.mark.parametrize(
    ("count", "rules"),
    [
        (2, {}),
        (11, {}),
        (4, {"max_rounds": 6}),
        (3, {"max_rounds": 0}),
        (3, {"threshold_bp": 0}),
        (3, {"threshold_bp": 10_001}),
        (3, {"round_time": timedelta(0)}),
        (3, {"round_time": timedelta(days=31)}),
    ],
)
def test_what_is_no_group_is_refused(count: int, rules: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        a_group(count, **rules)


def test_a_name_that_stands_twice_is_one() -> None:
    opening = GroupOpening(
        intent_id="meet", opener=DIDS[0], participants=(*DIDS[:3], *DIDS[:3]), proposal={}, signature="A" * 86
    )
    with pytest.raises(InvalidSignature):
        open_group(opening, id=GroupId(UUID(int=1)), now=NOW, weights={})
    group = open_group(replace(opening, signature=None), id=GroupId(UUID(int=1)), now=NOW, weights={})

    assert group.members == tuple(Member(did) for did in DIDS[:3])


VOTES = st.one_of(st.sampled_from([YES, NO, NEITHER]), st.integers(0, 10**7).map(lambda atomic: counter(atomic / 1000)))


@given(
    weights=st.lists(st.integers(0, 10_001), min_size=3, max_size=10),
    votes=st.lists(VOTES, min_size=9, max_size=9),
    mechanism=st.sampled_from(Mechanism),
    threshold=st.none() | st.integers(1, 10_000),
    order=st.randoms(use_true_random=False),
)
def test_the_order_of_votes_is_nothing_to_the_outcome(
    weights: list[int], votes: list[Vote], mechanism: Mechanism, threshold: int | None, order: Random
) -> None:
    count = len(weights)
    weighed = dict(zip(DIDS, weights, strict=False))
    group = a_group(count, weights=weighed, mechanism=mechanism, threshold_bp=threshold)
    said = list(zip(DIDS[1:count], votes, strict=False))
    shuffled = order.sample(said, len(said))

    ends = [outcome(group, each) for each in (said, shuffled)]

    assert ends[0] == ends[1]


def outcome(group: Group, said: list[tuple[AgentDid, Vote]]) -> tuple[object, ...]:
    """What became of it; once it has ended nobody votes any more."""
    first = group.current
    for did, vote in said:
        if group.state is GroupState.OPEN and group.current.number == first.number:
            group = group.vote(vote, by=did, now=NOW)
    number = len(group.rounds)
    return group.state, number, group.rounds[-1].terms_hash, group.rounds[-1].proposal


@given(
    weights=st.lists(st.integers(1, 10_001), min_size=3, max_size=10),
    choices=st.lists(st.sampled_from(Choice), min_size=10, max_size=10),
    mechanism=st.sampled_from(Mechanism),
)
def test_more_consent_is_never_less_of_an_agreement(
    weights: list[int], choices: list[Choice], mechanism: Mechanism
) -> None:
    group = a_group(len(weights), weights=dict(zip(DIDS, weights, strict=False)), mechanism=mechanism)
    ballots = tuple(Ballot(did, choice, NOW) for did, choice in zip(DIDS[: len(weights)], choices, strict=False))
    score = group.score(replace(group.current, ballots=ballots))

    assert 0 <= score.part <= 1
    for n, ballot in enumerate(ballots):
        more = (*ballots[:n], replace(ballot, choice=Choice.ACCEPT), *ballots[n + 1 :])
        better = group.score(replace(group.current, ballots=more))
        assert better.points >= score.points
        assert better.reached or not score.reached


def test_a_vote_names_its_proposal_where_it_has_to() -> None:
    for vote in (replace(YES, round_number=1), replace(YES, terms_hash="ab")):
        vote.check_named()
    with pytest.raises(InvalidRequest):
        YES.check_named()
