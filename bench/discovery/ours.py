"""Search as the broker ranks it, over the set, without a database: all agents have the same record."""

import asyncio
from collections.abc import Sequence

from ainp.adapters.embeddings import Embedder
from ainp.core.discovery import Found, Weights, rank, shared_words, text_of
from ainp.core.vectors import YARDSTICK, Scale, Vector, calibrate
from bench.discovery.dataset import Agent

_LOOKED_AT = 60  # as many as a search for twenty agents ranks


class Meaning:
    """Agents by the vectors of what they can do."""

    def __init__(self, agents: Sequence[Agent], model: Embedder) -> None:
        self._model = model
        self._said = [(agent.id, capability) for agent in agents for capability in agent.capabilities]
        self._vectors = self._embedded([text_of(one.description, one.tags) for _, one in self._said])
        self.scale: Scale = calibrate(self._embedded(YARDSTICK))

    def by_vector(self, query: str) -> Sequence[str]:
        """The ids of all agents by the nearest of their vectors."""
        return self._ranked(query, Scale(-1.0, 0.999), lexical=False)

    def ours(self, query: str) -> Sequence[str]:
        """The same as the broker ranks them: with the model's scale, and the bonus for shared words."""
        return self._ranked(query, self.scale, lexical=True)

    def _embedded(self, texts: Sequence[str]) -> Sequence[Vector]:
        return asyncio.run(self._model.embed(texts))

    def _ranked(self, query: str, scale: Scale, *, lexical: bool) -> Sequence[str]:
        (asked,) = self._embedded([query])
        near = sorted(
            ((_cosine(asked, vector), said) for said, vector in zip(self._said, self._vectors, strict=True)),
            key=lambda one: -one[0],
        )
        texts = [text_of(capability.description, capability.tags) for _, (_, capability) in near[:_LOOKED_AT]]
        shared = shared_words(query, texts) if lexical else [0.0] * len(texts)
        shared += [0.0] * (len(near) - len(shared))
        found = [
            Found(agent, scale.similarity(cosine), 0, 0, words)
            for (cosine, (agent, _)), words in zip(near, shared, strict=True)
        ]
        return [one.agent for one in rank(found, Weights(), limit=len(found))]


def _cosine(one: Vector, other: Vector) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))
