"""
Search by words alone, the baseline every other ranking has to beat.

BM25 as in Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009), with the logarithm
that never turns negative, as Lucene has it:

    score(q, d) = sum over the words w of q of  idf(w) * tf * (k1 + 1) / (tf + k1 * (1 - b + b * |d| / average |d|))
    idf(w)      = ln(1 + (N - n + 0.5) / (n + 0.5)),   n of N documents contain w, tf times in d

The words are the stems by which the set tells paraphrases from direct queries: here a paraphrase can't be found by
definition, and what it does match is wrong.
"""

import math
from collections import Counter
from collections.abc import Sequence

from bench.discovery.dataset import Agent
from bench.discovery.words import stems

_K1 = 1.2
_B = 0.75


def rank(query: str, agents: Sequence[Agent]) -> Sequence[str]:
    """
    The ids of the agents that share a word with *query*, best first, ties by id.

    A capability is a document, and an agent is as good as its best one. Who shares no word is not in the answer:
    their order would be chance.
    """
    documents = [(agent.id, stems(capability.text)) for agent in agents for capability in agent.capabilities]
    best: dict[str, float] = {}
    for (agent, _), score in zip(documents, bm25(stems(query), [words for _, words in documents]), strict=True):
        best[agent] = max(score, best.get(agent, 0.0))
    return sorted((agent for agent, score in best.items() if score > 0), key=lambda agent: (-best[agent], agent))


def bm25(query: Sequence[str], documents: Sequence[Sequence[str]]) -> Sequence[float]:
    """The score of each of *documents*, all of them lists of words, for *query*; 0 where they share none."""
    counts = [Counter(document) for document in documents]
    average = sum(map(len, documents)) / max(len(documents), 1)
    containing = Counter(word for count in counts for word in count)
    idf = {word: math.log(1 + (len(documents) - n + 0.5) / (n + 0.5)) for word, n in containing.items()}
    return [
        sum(
            idf[word] * count[word] * (_K1 + 1) / (count[word] + _K1 * (1 - _B + _B * count.total() / average))
            for word in query
            if word in count
        )
        for count in counts
    ]
