"""Bodies of the routes that are there in development alone."""

from typing import Annotated

from msgspec import Meta, Struct

_Text = Annotated[str, Meta(min_length=1, max_length=20_000)]


class EmbedBody(Struct):
    """A text."""

    text: _Text


class EmbedReply(Struct):
    """Its vector."""

    embedding: str


class EmbedBatchBody(Struct):
    """Texts."""

    texts: Annotated[list[_Text], Meta(min_length=1, max_length=100)]


class EmbedBatchReply(Struct):
    """Their vectors, in order."""

    embeddings: list[str]
