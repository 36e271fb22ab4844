"""
Discovery: who is found for a query, and in which order.

A score is a weighted sum of similarity, trust and usefulness, each from 0 to 1, with a small bonus for words that
query and capability share. Trust and usefulness count with their lower bounds: what few observations promise does not
outrank a long record.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from ainp.core.vectors import Sent

SHOWN_CAPABILITIES = 10  # of an agent that is found, what was found among them
LEXICAL_BONUS = 0.05  # for all of the query's words; a tie-breaker between descriptions that mean much the same
_WORD = re.compile(r"\w{3,}")


@dataclass(frozen=True, slots=True)
class Weights:
    """What counts how much; together 1."""

    similarity: float = 0.6
    trust: float = 0.3
    usefulness: float = 0.1

    def __post_init__(self) -> None:
        total = self.similarity + self.trust + self.usefulness
        if min(self.similarity, self.trust, self.usefulness) < 0 or not math.isclose(total, 1, abs_tol=1e-3):
            raise ValueError(f"the weights of a ranking are 0 or more and add up to 1, found {total:g}")


@dataclass(frozen=True, slots=True)
class Query:
    """What somebody looks for: near a description or an embedding, with one of *tags*, at least so much trust."""

    description: str | None = None
    embedding: Sent | None = None
    tags: tuple[str, ...] = ()
    min_trust: int = 0
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A capability that may answer a query: similarity, trust and usefulness from 0 to 1, as they count."""

    agent: str
    similarity: float
    trust: float
    usefulness: float
    shared_words: float = 0.0

    def score(self, weights: Weights) -> float:
        """What it is ranked by; explained by its parts."""
        return (
            weights.similarity * (self.similarity + LEXICAL_BONUS * self.shared_words)
            + weights.trust * self.trust
            + weights.usefulness * self.usefulness
        )


def rank(found: Sequence[Found], weights: Weights, *, limit: int) -> list[Found]:
    """The best of each agent's capabilities, best first; ties by the agent's DID."""
    best: dict[str, Found] = {}
    for one in sorted(found, key=lambda f: (-f.score(weights), f.agent)):
        best.setdefault(one.agent, one)
    return list(best.values())[:limit]


def text_of(description: str, tags: Sequence[str]) -> str:
    """Everything of a capability that can be searched."""
    return " ".join((description, *tags))


def words_of(text: str) -> frozenset[str]:
    """The words that count as shared, without case."""
    return frozenset(_WORD.findall(text.lower()))


def shared_words(query: frozenset[str], text: str) -> float:
    """Which part of the query's words stand in *text*, from 0 to 1."""
    lowered = text.lower()
    if not any(word in lowered for word in query):  # mostly, and cheaper than to cut the text into words
        return 0.0
    return len(query & words_of(text)) / len(query)


def lower_usefulness(mean: int, proofs: int) -> int:
    """The lower bound of a mean in hundredths over so many proofs, as for reputations: one proof is not a record."""
    return max(0, mean - round(10_000 / (2 * math.sqrt(proofs + 1)))) if proofs else 0
