"""
A model in this process: the mean of a text's word vectors (wordllama), from its wheel, without a network.

It knows words, not sentences: of a text it keeps what it is about, not who does what to whom. docs/discovery.md says
what it finds and what it doesn't.

The package itself is not imported: it would copy the file into memory twice, and bring what trains models.
"""

import asyncio
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ainp.adapters.memory import give_back
from ainp.adapters.safetensors import tensors
from ainp.core.vectors import Vector

NAME = "wordllama:l2_supercat_256"
_AT_ONCE = 4000  # characters; they take two milliseconds, more is done beside the event loop


class LocalModel:
    """The model; its file is read when the first text comes, once for the process."""

    name = NAME

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        """A vector of length 1 for each text; of one without words it has no direction and is all zeros."""
        if _model.cache_info().currsize and sum(map(len, texts)) <= _AT_ONCE:
            return _embed(texts)
        return await asyncio.to_thread(_embed, texts)


def _embed(texts: Sequence[str]) -> list[Vector]:
    tokenizer, words = _model()
    # Without case: at the beginning of a sentence a word is another one to the tokenizer.
    lowered = [text.lower() for text in texts]
    if len(lowered) == 1:  # a batch is divided among threads, which to wake takes longer than one text
        encoded = [tokenizer.encode(lowered[0], add_special_tokens=False)]
    else:
        encoded = tokenizer.encode_batch(lowered, add_special_tokens=False)
    vectors: list[Vector] = []
    for each in encoded:
        total = words[each.ids].sum(0, dtype="f4")
        length = float(total @ total) ** 0.5
        vectors.append((total / length if length else total).tolist())
    return vectors


@cache
def _model() -> tuple[Any, Any]:
    from tokenizers import Tokenizer  # noqa: PLC0415 - a process that embeds nothing needs neither time nor memory

    folder = _folder()
    tokenizer = Tokenizer.from_file(str(folder / "tokenizers" / "l2_supercat_tokenizer_config.json"))
    tokenizer.no_padding()
    give_back()  # what reading it took
    return tokenizer, tensors(folder / "weights" / "l2_supercat_256.safetensors")["embedding.weight"]


def _folder() -> Path:
    package = find_spec("wordllama")
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).parent
