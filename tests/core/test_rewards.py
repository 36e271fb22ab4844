"""How an hour's total is shared: nothing is lost, nothing is made, nobody gains by trading with themselves."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from ainp.core.ledger import MINT, POOL, available, usefulness_rewards
from ainp.core.rewards import Candidate, most_of_fees, share

CANDIDATES = st.lists(
    st.builds(
        Candidate,
        st.integers(0, 50).map(lambda n: f"did:key:z{n}"),
        st.integers(0, 10_000),
        st.none() | st.integers(0, 10**9),
    ),
    unique_by=lambda candidate: candidate.agent,
    max_size=20,
)


def test_an_example() -> None:
    candidates = [Candidate("a", 10_000), Candidate("b", 5_000), Candidate("c", 3_333), Candidate("d", 999)]

    assert share(10_000_000, candidates, least_score=1_000) == {"a": 5_454_645, "b": 2_727_322, "c": 1_818_033}


def test_a_limit_takes_off_and_gives_to_nobody() -> None:
    candidates = [Candidate("a", 5_000, most=100), Candidate("b", 5_000), Candidate("c", 5_000, most=0)]

    assert share(3_000, candidates, least_score=0) == {"a": 100, "b": 1_000}


def test_nobody_worthy_costs_nothing() -> None:
    assert share(1_000, [Candidate("a", 0)], least_score=0) == {}
    assert share(0, [Candidate("a", 1)], least_score=0) == {}


@given(total=st.integers(0, 10**12), candidates=CANDIDATES, least=st.integers(0, 10_000))
def test_no_more_than_the_total_is_given_and_without_limits_all_of_it(
    total: int, candidates: list[Candidate], least: int
) -> None:
    given_out = share(total, candidates, least_score=least)
    worthy = {c.agent: c for c in candidates if c.score >= max(1, least)}

    assert sum(given_out.values()) <= total
    assert all(part > 0 and part <= (worthy[agent].most or part) for agent, part in given_out.items())
    if worthy and all(c.most is None for c in worthy.values()):
        assert sum(given_out.values()) == total


@given(total=st.integers(0, 10**12), candidates=CANDIDATES)
def test_who_is_more_useful_gets_no_less(total: int, candidates: list[Candidate]) -> None:
    free = [Candidate(c.agent, c.score) for c in candidates]
    given_out = share(total, free, least_score=0)

    by_score = sorted(free, key=lambda c: c.score)
    for lower, higher in pairwise(by_score):
        if lower.score < higher.score:
            assert given_out.get(lower.agent, 0) <= given_out.get(higher.agent, 0)


@given(total=st.integers(1, 10**12), fees=st.lists(st.integers(1, 10**6), min_size=1, max_size=30))
def test_trading_with_oneself_costs_more_than_it_earns(total: int, fees: list[int]) -> None:
    candidates = [Candidate(f"a{n}", 10_000, most_of_fees(fee, share_bp=5_000)) for n, fee in enumerate(fees)]

    assert sum(share(total, candidates, least_score=0).values()) < sum(fees)


@given(
    shares=st.dictionaries(st.sampled_from(["did:key:a", "did:key:b", "did:key:c"]), st.integers(1, 10**12)),
    pool=st.integers(-10, 2 * 10**12),
)
def test_the_pool_pays_first_and_the_mint_the_rest(shares: dict[str, int], pool: int) -> None:
    entries = usefulness_rewards("2026-01-02T03", shares, pool=pool)
    paid = {did: sum(e.amount for e in entries if e.target == available(did)) for did in shares}

    assert paid == shares
    assert len({e.key for e in entries}) == len(entries)
    assert sum(e.amount for e in entries if e.source == POOL) == min(sum(shares.values()), max(0, pool))
    assert all(e.source in (POOL, MINT) and e.amount > 0 for e in entries)
