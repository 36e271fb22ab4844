"""
How good rankings are: recall at k, and the mean reciprocal rank.

*rankings* has for every query the ids that a search returned, best first; *right* has for the same queries the ids that
are right, in no order. Both are keyed by the query. A query to which nothing was returned counts as 0, and one that
is missing in *rankings* is an error, so no measure gets better by leaving a query out.
"""

from collections.abc import Mapping, Sequence
from statistics import fmean


def recall_at(k: int, rankings: Mapping[str, Sequence[str]], right: Mapping[str, Sequence[str]]) -> float:
    """
    How much of what is right stands among the first *k*, on average over the queries, 0..1.

        recall@k = 1/|Q| * sum over q of  |right(q) & first k of ranking(q)| / min(k, |right(q)|)

    Recall as in Manning, Raghavan and Schütze, "Introduction to Information Retrieval" (2008), chapter 8, capped at
    what k places can hold as in BEIR (Thakur et al., 2021): of two right answers, one at the top is a recall@1 of 1.
    """
    if k < 1:
        raise ValueError(f"k must be 1 or more, found {k}")
    return fmean(
        len(set(answers) & set(_distinct(rankings[query])[:k])) / min(k, len(answers))
        for query, answers in right.items()
    )


def mean_reciprocal_rank(rankings: Mapping[str, Sequence[str]], right: Mapping[str, Sequence[str]]) -> float:
    """
    How near the top the first right answer stands, on average over the queries, 0..1.

        MRR = 1/|Q| * sum over q of  1 / rank of the first of right(q) in ranking(q),   0 if none is there

    As in Voorhees, "The TREC-8 Question Answering Track Report" (1999), there for the first five, here for all.
    """
    return fmean(
        next((1 / rank for rank, found in enumerate(_distinct(rankings[query]), start=1) if found in answers), 0.0)
        for query, answers in right.items()
    )


def _distinct(ranking: Sequence[str]) -> Sequence[str]:
    """*ranking*, if it names nobody twice: that would count twice, or push others down."""
    if len(set(ranking)) != len(ranking):
        raise ValueError(f"a ranking names somebody twice: {ranking}")
    return ranking
