"""Cohorts: apart from all others, and nothing of their money stays anywhere."""

from hypothesis import given
from hypothesis import strategies as st

from ainp.core.cohort import give_back, is_of_cohort, lend, list_of
from ainp.core.ledger import FEES, MINT, POOL, Reason, available
from support.builders import NOW, agents

CREW = agents(7)


def test_receipts_of_a_cohort_show_it_by_their_epoch() -> None:
    assert is_of_cohort(-1)
    assert not is_of_cohort(1)
    assert not is_of_cohort(None)


def test_all_members_weigh_alike_and_each_stands_once() -> None:
    epoch = list_of([*CREW, CREW[0]], NOW)

    assert epoch.members == tuple(sorted(CREW))
    assert set(epoch.weights) == {1}
    assert epoch.population == 7


def test_what_is_lent_comes_from_the_mint_once() -> None:
    entry = lend(-3, CREW[0], 10_000)

    assert (entry.key, entry.source, entry.target) == ("cohort:-3", MINT, available(CREW[0]))
    assert entry.reason is Reason.DEPOSIT  # nobody has earned it


@given(
    st.dictionaries(st.sampled_from([available(did) for did in CREW]), st.integers(0, 10**15)),
    st.integers(0, 10**12),
    st.integers(0, 10**12),
    st.integers(-1, 10**12),
)
def test_everything_goes_back_but_what_the_pool_has_not(held: dict[str, int], fees: int, share: int, pool: int) -> None:
    entries = give_back(-3, held, {FEES: fees, POOL: share}, pool=pool)

    assert sum(entry.amount for entry in entries) == sum(held.values()) + fees + min(share, max(0, pool))
    assert all(entry.target == MINT and entry.amount > 0 for entry in entries)
    assert len({entry.key for entry in entries}) == len(entries)
