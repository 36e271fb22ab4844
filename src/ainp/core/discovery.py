"""
Discovery: who is found for a query, and in which order.

A score is a weighted sum of similarity, trust and usefulness, each from 0 to 1; words that query and capability share
make up for what the model does not see. Trust and usefulness count with their lower bounds: what few observations
promise does not outrank a long record.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ainp.core.agent import LONGEST_MS
from ainp.core.credits import Credits, at_most
from ainp.core.vectors import Sent

SHOWN_CAPABILITIES = 10  # of an agent that is found, what was found among them
_WORD = re.compile(r"\w{3,}")
_STEM_LENGTH = 6  # "translates" and "translation" are one word
_BETWEEN = "\0"  # texts that are changed together
_APART = {code: " " for code in range(1, 128) if not chr(code).isalnum() and chr(code) != "_"}


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
class Ceiling:
    """
    What a capability may say at most: milliseconds that it takes, atomic units that it costs; None: anything.

    One that says nothing is not left out.
    """

    latency_ms: int | None = None
    cost: Credits | None = None


NO_CEILING = Ceiling()


def ceiling(latency_ms: Sequence[float | None], cost: Sequence[float | None]) -> Ceiling:
    """The lowest of what was said, each 0 or more and in whatever fractions: milliseconds, and credits."""
    latencies, costs = [ms for ms in latency_ms if ms is not None], [most for most in cost if most is not None]
    return Ceiling(
        int(min([*latencies, LONGEST_MS])) if latencies else None,
        at_most(min(costs)) if costs else None,
    )


@dataclass(frozen=True, slots=True)
class Query:
    """What somebody looks for: near a description or an embedding, with one of *tags*, at least so much trust."""

    description: str | None = None
    embedding: Sent | None = None
    tags: tuple[str, ...] = ()
    min_trust: int = 0
    limit: int | None = None
    ceiling: Ceiling = NO_CEILING


class Found(NamedTuple):
    """A capability that may answer a query: similarity, trust and usefulness from 0 to 1, as they count."""

    agent: str
    similarity: float
    trust: float
    usefulness: float
    shared_words: float = 0.0

    @property
    def answering(self) -> float:
        """
        How well it answers, by meaning or by words: at least its similarity, never above 1.

        Words go with the square of their part: one of many is shared by chance, all of them are not.
        """
        return self.similarity + (1 - self.similarity) * self.shared_words**2

    def score(self, weights: Weights) -> float:
        """What it is ranked by; explained by its parts."""
        return weights.similarity * self.answering + weights.trust * self.trust + weights.usefulness * self.usefulness


def rank(found: Sequence[Found], weights: Weights, *, limit: int) -> list[Found]:
    """The best of each agent's capabilities, best first; ties by the agent's DID."""
    best: dict[str, Found] = {}
    for one in sorted(found, key=lambda f: (-f.score(weights), f.agent)):
        best.setdefault(one.agent, one)
    return list(best.values())[:limit]


def text_of(description: str, tags: Sequence[str]) -> str:
    """Everything of a capability that can be searched."""
    return " ".join((description, *tags))


def shared_words(query: str, texts: Sequence[str]) -> list[float]:
    """
    Which part of the query's words each of *texts* has, from 0 to 1.

    Words are compared by how they begin. One counts the more the fewer of the texts have it (the logarithm that BM25
    has), so what all of them say does not tell them apart, and what none of them says is missing in all.
    """
    stems = sorted({f" {word[:_STEM_LENGTH]}" for word in _WORD.findall(query.lower())})
    if not stems:
        return [0.0] * len(texts)
    together = _BETWEEN.join(" " + text.replace(_BETWEEN, " ") for text in texts)
    lowered = together.lower().translate(_APART).split(_BETWEEN)
    having = [[stem for stem in stems if stem in text] for text in lowered[: len(texts)]]
    counts = Counter(stem for some in having for stem in some)
    weights = {stem: math.log1p((len(texts) - counts[stem] + 0.5) / (counts[stem] + 0.5)) for stem in stems}
    total = sum(weights.values())
    return [sum(weights[stem] for stem in some) / total for some in having]


def lower_usefulness(mean: int, proofs: int) -> int:
    """The lower bound of a mean in hundredths over so many proofs, as for reputations: one proof is not a record."""
    return max(0, mean - round(10_000 / (2 * math.sqrt(proofs + 1)))) if proofs else 0
