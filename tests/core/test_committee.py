"""Who may sit on a committee, with what weight, and the hash of the list they are drawn from."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ainp.core.committee import DrawPolicy, Eligibility, Epoch, Nominee, Seating, build_epoch, draw, seat, weigh
from ainp.core.did import AgentDid
from support.builders import CLIENT, NOW, SEED, WORKER, a_candidate, agents, an_epoch

A_MOMENT = timedelta(microseconds=1)
WEEK = timedelta(hours=168)
STRICT = Eligibility(min_age=timedelta(minutes=1440), min_trust=300_000, min_stake=5)
GOLDEN = Epoch(
    members=(AgentDid("did:key:z6MkA"), AgentDid("did:web:b.example")),
    weights=(3, 10_000),
    registered_at=(datetime(2026, 1, 2, 3, 4, 5, 678_999, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC)),
)


def nominees(*trusts: int, clients: int = 5) -> list[Nominee]:
    return [Nominee(did, NOW, trust, clients) for did, trust in zip(agents(len(trusts)), trusts, strict=True)]


@pytest.mark.parametrize(
    ("changes", "admitted"),
    [
        ({}, True),
        ({"expires_at": NOW}, False),
        ({"expires_at": NOW + A_MOMENT}, True),
        ({"last_seen_at": NOW - WEEK}, True),
        ({"last_seen_at": NOW - WEEK - A_MOMENT}, False),
        ({"registered_at": NOW}, True),
        ({"registered_at": NOW + A_MOMENT}, False),
    ],
)
def test_without_thresholds_whoever_is_registered_and_was_seen_may_sit(
    changes: dict[str, Any], *, admitted: bool
) -> None:
    assert Eligibility().admits(a_candidate(**changes), now=NOW) is admitted


@pytest.mark.parametrize(
    ("changes", "admitted"),
    [
        ({}, True),
        ({"trust": 299_999}, False),
        ({"stake": 4}, False),
        ({"registered_at": NOW - timedelta(days=1) + A_MOMENT}, False),
    ],
)
def test_each_threshold_counts_by_itself(changes: dict[str, Any], *, admitted: bool) -> None:
    enough: dict[str, Any] = {"trust": 300_000, "stake": 5, "registered_at": NOW - timedelta(days=1)}

    assert STRICT.admits(a_candidate(**enough | changes), now=NOW) is admitted


def test_an_epoch_lists_the_eligible_in_the_order_of_their_dids() -> None:
    dids = agents(4)
    gone = a_candidate(dids[1], last_seen_at=NOW - WEEK - A_MOMENT)

    able = Eligibility().nominate([*map(a_candidate, (dids[3], dids[2], dids[0])), gone], now=NOW)

    epoch = build_epoch(able, population=4, committee_size=5)

    assert epoch.members == (dids[0], dids[2], dids[3])
    assert (epoch.weights, epoch.running_sums, epoch.population) == ((1, 1, 1), (1, 2, 3), 4)


def test_an_empty_epoch_has_nobody_to_draw() -> None:
    epoch = build_epoch([], population=0, committee_size=5)

    assert (epoch.members, epoch.running_sums, epoch.eligible((CLIENT,))) == ((), (), 0)
    assert draw(epoch, seed=SEED, seats=5, parties=()) == ()
    assert epoch.registered_before(NOW) is epoch
    assert epoch.hash == hashlib.sha256(b"").digest()


def test_the_hash_of_an_epoch_is_over_one_line_a_candidate() -> None:
    text = "did:key:z6MkA 3 3 1767323045678\ndid:web:b.example 10000 10003 0\n"

    assert GOLDEN.hash == hashlib.sha256(text.encode()).digest()
    assert GOLDEN.hash.hex() == "5ba3437698a5ea7075dae59ccd35784b25fc108f761f7ab1b4e980522c28b58f"


@pytest.mark.parametrize(
    "other",
    [
        Epoch(GOLDEN.members, (4, 10_000), GOLDEN.registered_at),
        Epoch(GOLDEN.members[:1], GOLDEN.weights[:1], GOLDEN.registered_at[:1]),
        Epoch(GOLDEN.members, GOLDEN.weights, (NOW, NOW)),
    ],
)
def test_another_list_has_another_hash(other: Epoch) -> None:
    assert other.hash != GOLDEN.hash


def test_who_registered_in_the_millisecond_of_the_task_or_later_is_left_out() -> None:
    early, same, late = agents(3)
    at = NOW.replace(microsecond=500_900)
    epoch = Epoch((early, same, late), (7, 8, 9), (at - timedelta(milliseconds=1), at - 800 * A_MOMENT, at + WEEK))

    kept = epoch.registered_before(at)

    assert (kept.members, kept.weights, kept.running_sums) == ((early,), (7,), (7,))
    assert epoch.registered_before(at + 2 * WEEK) is epoch
    assert epoch.registered_before(at - WEEK).members == ()


def test_everybody_weighs_the_same_until_four_times_the_seats_have_a_record() -> None:
    trusted = [*nominees(*[900_000] * 19), Nominee(AgentDid("did:key:zOne"), NOW, 900_000, 4)]

    assert weigh(trusted, committee_size=5) == (1,) * 20
    assert weigh(nominees(*[900_000] * 20), committee_size=5) == (9000,) * 20


@pytest.mark.parametrize(
    ("trust", "weight"), [(0, 1), (49, 1), (149, 1), (150, 2), (500_000, 5000), (500_049, 5000), (500_050, 5001)]
)
def test_a_weight_is_ten_thousand_times_the_trust_rounded_and_at_least_one(trust: int, weight: int) -> None:
    assert weigh(nominees(trust, *[600_000] * 20), committee_size=5)[0] == weight


def test_one_strong_agent_weighs_no_more_than_its_part_of_the_whole() -> None:
    weights = weigh(nominees(1_000_000, *[100] * 19), committee_size=5)

    assert weights == (2, *(1,) * 19)


@given(
    trusts=st.lists(st.integers(0, 20_000) | st.just(1_000_000), min_size=8, max_size=30),
    size=st.integers(1, 2),
)
def test_nobody_weighs_more_than_the_total_divided_by_twice_the_seats(trusts: list[int], size: int) -> None:
    parts = 2 * size
    raw = [max(1, (trust + 50) // 100) for trust in trusts]

    weights = weigh(nominees(*trusts), committee_size=size)

    cap = max(weights)
    assert cap * parts <= sum(weights)
    assert min(weights) >= 1
    assert list(weights) == [min(weight, cap) for weight in raw]
    # No larger cap would hold: the one above takes more than its part, or nobody is capped.
    assert cap == max(raw) or (cap + 1) * parts > sum(min(weight, cap + 1) for weight in raw)


@pytest.mark.parametrize(
    ("others", "members", "short"),
    [(0, 0, True), (2, 0, True), (3, 3, True), (4, 4, True), (5, 5, False), (6, 5, False)],
)
@pytest.mark.parametrize("policy", DrawPolicy)
def test_a_committee_is_full_or_short_or_none_if_it_could_never_make_the_quorum(
    policy: DrawPolicy, others: int, members: int, *, short: bool
) -> None:
    epoch = an_epoch([*agents(others), CLIENT, WORKER])

    seating = seat(epoch, seed=SEED, parties=(CLIENT, WORKER), policy=policy, quorum=3, size=5)

    assert (len(seating.members), seating.short) == (members, short)
    assert not {CLIENT, WORKER} & set(seating.members)


def test_an_operator_with_many_agents_has_one_seat() -> None:
    crowd = [f"did:web:crowd.example:{number}" for number in range(50)]
    epoch = an_epoch([*crowd, *agents(2)])

    seating = seat(epoch, seed=SEED, parties=(CLIENT, WORKER), policy=DrawPolicy.WEIGHTED, quorum=3, size=5)

    assert seating.short
    assert len(set(seating.members) & set(crowd)) == 1
    assert set(agents(2)) < set(seating.members)


def test_a_party_s_other_agents_are_not_drawn_either() -> None:
    party, sibling = AgentDid("did:web:party.example:1"), "did:web:party.example:2"
    epoch = an_epoch([sibling, *agents(2)])

    seating = seat(epoch, seed=SEED, parties=(CLIENT, party), policy=DrawPolicy.WEIGHTED, quorum=3, size=5)

    assert seating == Seating((), short=True)
