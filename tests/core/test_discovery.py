"""The order of what is found."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ainp.core.credits import Credits
from ainp.core.discovery import (
    NO_CEILING,
    Ceiling,
    Found,
    Weights,
    ceiling,
    lower_usefulness,
    rank,
    shared_words,
    text_of,
)


@pytest.mark.parametrize(
    ("similarity", "trust", "usefulness", "score"),
    [(0.9, 0.5, 0.2, 0.71), (0.7, 0.9, 0.8, 0.77), (0.8, 0.8, 0.5, 0.77), (1, 1, 1, 1)],
)
def test_a_score_is_a_weighted_sum(similarity: float, trust: float, usefulness: float, score: float) -> None:
    assert Found("a", similarity, trust, usefulness).score(Weights()) == pytest.approx(score)


def test_the_best_capability_of_each_agent_counts() -> None:
    found = [Found("b", 0.8, 0, 0), Found("a", 0.5, 0, 0), Found("a", 0.9, 0, 0), Found("c", 0.8, 0, 0)]

    assert [(f.agent, f.similarity) for f in rank(found, Weights(), limit=3)] == [("a", 0.9), ("b", 0.8), ("c", 0.8)]
    assert len(rank(found, Weights(), limit=1)) == 1


def test_words_that_are_shared_break_ties() -> None:
    (shared,) = shared_words("Translate a legal contract", ["translate a legal contract"])

    first = Found("z", 0.8, 0.5, 0, shared)

    assert shared == pytest.approx(1)
    assert rank([Found("a", 0.8, 0.5, 0), first], Weights(), limit=1) == [first]


def test_words_are_shared_in_any_form_and_case_and_beside_any_sign() -> None:
    texts = ["Translations (legal), CONTRACTS", "Retranslates paralegals' subcontracts", ""]

    assert shared_words("translating legal contracts", texts) == pytest.approx([1, 0, 0])


def test_a_word_counts_more_the_fewer_have_it() -> None:
    common, rare, both = shared_words("agent harpsichord", ["an agent", "a harpsichord", "agent of a harpsichord"])
    *_, everywhere = shared_words("agent harpsichord", ["an agent"] * 50 + ["harpsichord"])

    assert common == rare < both == pytest.approx(1)
    assert everywhere > 0.9


@pytest.mark.parametrize("query", ["", "a to", "?!"])
def test_a_query_without_words_shares_none(query: str) -> None:
    assert shared_words(query, ["a to b", "?!"]) == [0, 0]


@given(st.text(max_size=40), st.lists(st.text(max_size=40), max_size=5))
def test_shared_words_are_a_part_of_all_whatever_is_said(query: str, texts: list[str]) -> None:
    shared = shared_words(query, texts)

    assert len(shared) == len(texts)
    assert all(0 <= part <= 1.000001 for part in shared)


def test_one_shared_word_of_many_hardly_counts_and_all_of_them_do() -> None:
    near_miss, answer = shared_words("restore the paint of old boats", ["old recipes", "Restores paint of old boats"])

    gained = [Found("a", 0.5, 0, 0, shared).score(Weights()) - 0.3 for shared in (near_miss, answer)]

    assert gained[0] < 0.02
    assert gained[1] > 0.09


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_more_of_anything_never_ranks_lower(similarity: float, trust: float, usefulness: float, more: float) -> None:
    worse = Found("a", similarity, trust, usefulness).score(Weights())

    assert Found("a", max(similarity, more), trust, usefulness).score(Weights()) >= worse
    assert Found("a", similarity, max(trust, more), usefulness).score(Weights()) >= worse
    assert Found("a", similarity, trust, max(usefulness, more)).score(Weights()) >= worse


@pytest.mark.parametrize("weights", [(0.6, 0.3, 0.2), (1.1, -0.1, 0), (0, 0, 0)])
def test_weights_add_up(weights: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="add up to 1"):
        Weights(*weights)


@given(st.integers(0, 10_000), st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_bound_is_never_above_the_mean_and_rises_with_the_record(mean: int, proofs: int, more: int) -> None:
    assert 0 <= lower_usefulness(mean, proofs) <= lower_usefulness(mean, proofs + more) <= mean


@given(st.integers(0, 10_000), st.integers(100, 10**6))
def test_ten_proofs_of_anything_do_not_pass_a_hundred_of_nearly_as_much(mean: int, proofs: int) -> None:
    assert lower_usefulness(mean, 10) <= lower_usefulness(max(0, mean - 1_000), proofs)


def test_ten_proofs_do_not_outrank_a_long_record() -> None:
    assert lower_usefulness(10_000, 0) == 0
    assert lower_usefulness(9_000, 10) < lower_usefulness(8_000, 1_000)
    assert lower_usefulness(100, 1) == 0


def test_a_capability_is_searched_by_all_that_it_says() -> None:
    assert text_of("Sorts letters", ("post", "office")) == "Sorts letters post office"


def test_a_newcomer_that_says_exactly_what_is_asked_does_not_pass_a_long_record_that_is_as_similar() -> None:
    newcomer = Found("new", 0.9, 0, 0, 1.0)
    known = Found("known", 0.85, 0.6, 0.4, 0.5)

    assert rank([newcomer, known], Weights(), limit=2) == [known, newcomer]


@pytest.mark.parametrize(
    ("latency_ms", "cost", "most"),
    [
        ((None, None), (None, None), NO_CEILING),
        ((250, None), (None, 2.5), Ceiling(250, Credits(2_500))),
        ((250.9, 90.5), (0, 2.5), Ceiling(90, Credits(0))),
        ((1e300, None), (0.0015, None), Ceiling(30 * 86_400_000, Credits(1))),
    ],
)
def test_the_lowest_of_what_was_said_is_the_ceiling(
    latency_ms: tuple[float | None, ...], cost: tuple[float | None, ...], most: Ceiling
) -> None:
    assert ceiling(latency_ms, cost) == most
