"""
A server that makes vectors, asked in the form that most of them speak: `POST …/embeddings` as OpenAI has it.

It may be slow or away. A request is tried again where that may help, all within one limit of time; after a failure
nobody waits for it for a while, everybody is told at once.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from ainp.adapters.later import Later
from ainp.core.errors import EmbeddingsUnavailable, InvalidRequest
from ainp.core.vectors import Vector, unit

if TYPE_CHECKING:
    import httpx
else:
    httpx = Later("httpx")

BATCH = 128  # texts of one request; servers take 256 to 2048
_TRIES = 3
_FIRST_PAUSE_S = 0.2
_LEFT_ALONE_S = 5.0
_AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Where it is, what it is asked for, and how long it may take."""

    url: str
    model: str
    key: str | None = field(default=None, repr=False)
    timeout: timedelta = timedelta(seconds=5)


class _Datum(Struct):
    index: int
    embedding: list[float]


class _Answer(Struct):
    data: list[_Datum]


class EmbeddingServer:
    """A server of embeddings."""

    def __init__(self, settings: ServerSettings) -> None:
        self.name = settings.model
        self._settings = settings
        self._client: httpx.AsyncClient | None = None
        self._left_alone_until = 0.0
        self._why = ""

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        """A vector of length 1 for each text."""
        if monotonic() < self._left_alone_until:
            raise EmbeddingsUnavailable(self._why)
        try:
            async with asyncio.timeout(self._settings.timeout.total_seconds()):
                return [
                    vector for at in range(0, len(texts), BATCH) for vector in await self._batch(texts[at : at + BATCH])
                ]
        except TimeoutError as error:
            raise self._failed(f"took more than {self._settings.timeout.total_seconds():g} s") from error

    async def _batch(self, texts: Sequence[str]) -> list[Vector]:
        why = ""
        for tried in range(_TRIES):
            if tried:
                await asyncio.sleep(_FIRST_PAUSE_S * 2**tried / 2)
            try:
                answer = await self._post(texts)
            except httpx.HTTPError as error:
                why = f"does not answer: {type(error).__name__}"
                continue
            if answer.status_code == httpx.codes.OK:
                return self._vectors(answer.content, len(texts))
            why = f"answers {answer.status_code}"
            if answer.status_code not in _AGAIN:
                break
        raise self._failed(why)

    async def _post(self, texts: Sequence[str]) -> "httpx.Response":
        if self._client is None:
            self._client = httpx.AsyncClient(timeout=self._settings.timeout.total_seconds(), follow_redirects=False)
        headers = {"Content-Type": "application/json"}
        if self._settings.key is not None:
            headers["Authorization"] = f"Bearer {self._settings.key}"
        asked: dict[str, Any] = {"model": self._settings.model, "input": list(texts), "encoding_format": "float"}
        url = f"{self._settings.url}/embeddings"
        return await self._client.post(url, content=msgspec.json.encode(asked), headers=headers)

    def _vectors(self, content: bytes, expected: int) -> list[Vector]:
        try:
            return _read(content, expected)
        except (msgspec.DecodeError, UnicodeDecodeError, InvalidRequest, ValueError) as error:
            raise self._failed(f"answers what can't be used: {error}") from error

    def _failed(self, why: str) -> EmbeddingsUnavailable:
        self._why = f"the server of embeddings {why}; search with an embedding of your own, or try again"
        self._left_alone_until = monotonic() + _LEFT_ALONE_S
        return EmbeddingsUnavailable(self._why)


def _read(content: bytes, expected: int) -> list[Vector]:
    data = sorted(msgspec.json.decode(content, type=_Answer).data, key=lambda datum: datum.index)
    if [datum.index for datum in data] != list(range(expected)):
        raise ValueError(f"{len(data)} vectors for {expected} texts")
    if len({len(datum.embedding) for datum in data}) != 1:
        raise ValueError("vectors of several dimensions")
    return [unit(datum.embedding) for datum in data]
