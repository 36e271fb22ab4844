"""
A model in this process: the mean of a text's word vectors (wordllama), from its wheel, without a network.

It knows words, not sentences: of a text it keeps what it is about, not who does what to whom. docs/discovery.md says
what it finds and what it doesn't.
"""

import asyncio
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

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
    encoded = tokenizer.encode_batch([text.lower() for text in texts], add_special_tokens=False)
    vectors: list[Vector] = []
    for each in encoded:
        total = words[each.ids].sum(0)
        length = float(total @ total) ** 0.5
        vectors.append((total / length if length else total).tolist())
    return vectors


@cache
def _model() -> tuple[Any, Any]:
    import wordllama  # noqa: PLC0415 - a process that embeds nothing needs neither the time nor the memory

    # The folder of the package has the model, and is said to be complete: nothing is looked for elsewhere.
    model = wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True)
    model.tokenizer.no_padding()
    return model.tokenizer, model.embedding
