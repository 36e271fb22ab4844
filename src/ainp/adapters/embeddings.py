"""
What makes vectors of texts: a model in this process, a server that is asked, or nothing.

All of them remember what they have embedded, so a query that comes again costs nothing.
"""

import struct
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ainp.adapters.embeddings_http import EmbeddingServer, ServerSettings
from ainp.adapters.embeddings_local import LocalModel
from ainp.adapters.embeddings_sentences import SentenceModel
from ainp.core.vectors import Vector

REMEMBERED = 4096  # texts; of 256 numbers each they are four megabytes
_LONGEST = 500  # characters of a text that is remembered: queries and descriptions, not documents


class Embedder(Protocol):
    """Makes vectors of length 1, all of one dimension."""

    name: str

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        """A vector for each text, or EmbeddingsUnavailable."""
        ...


@dataclass(frozen=True, slots=True)
class EmbeddingPolicy:
    """Which one, and if it is a server, how to ask it."""

    kind: str  # local, sentences, http or none
    server: ServerSettings | None = None


def make_embedder(policy: EmbeddingPolicy) -> Embedder | None:
    """What the settings name; None embeds nothing."""
    if policy.kind == "none":
        return None
    if policy.server is not None:
        return Remembering(EmbeddingServer(policy.server))
    return Remembering(SentenceModel() if policy.kind == "sentences" else LocalModel())


class Remembering:
    """An embedder that does not embed a text twice, unless it was long ago."""

    def __init__(self, embedder: Embedder, *, most: int = REMEMBERED) -> None:
        self.name = embedder.name
        self._embedder = embedder
        self._most = most
        self._known: OrderedDict[str, bytes] = OrderedDict()

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        """A vector for each text; only those that are new are made."""
        found = {text: vector for text in texts if (vector := self._recall(text)) is not None}
        new = [text for text in dict.fromkeys(texts) if text not in found]
        if new:
            for text, vector in zip(new, await self._embedder.embed(new), strict=True):
                found[text] = vector
                self._remember(text, vector)
        return [found[text] for text in texts]

    def _recall(self, text: str) -> Vector | None:
        raw = self._known.get(text)
        if raw is None:
            return None
        self._known.move_to_end(text)
        return struct.unpack(f"{len(raw) // 4}f", raw)

    def _remember(self, text: str, vector: Vector) -> None:
        if len(text) > _LONGEST:
            return
        self._known[text] = struct.pack(f"{len(vector)}f", *vector)
        if len(self._known) > self._most:
            self._known.popitem(last=False)
