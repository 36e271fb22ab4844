"""What makes vectors of texts: the same for the local model and a server, and what each does when it can't."""

import asyncio
import importlib.util
import json
import math
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from ainp.adapters.embeddings import Embedder, EmbeddingPolicy, Remembering, make_embedder
from ainp.adapters.embeddings_http import BATCH, EmbeddingServer, ServerSettings
from ainp.adapters.embeddings_local import LocalModel
from ainp.core.errors import EmbeddingsUnavailable
from ainp.core.vectors import Vector
from support.embeddings import DIMENSION, EmbeddingStandIn, an_embedding_server, vector_of


@pytest.fixture
async def server() -> AsyncIterator[EmbeddingStandIn]:
    async with an_embedding_server() as server:
        yield server


def asking(server: EmbeddingStandIn, *, timeout_s: float = 5) -> EmbeddingServer:
    return EmbeddingServer(ServerSettings(server.url, "stand-in", "secret", timedelta(seconds=timeout_s)))


def cosine(one: Vector, other: Vector) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def said_by_the_package(folder: Path, texts: list[str]) -> list[Vector]:
    script = (
        "import json, sys, wordllama\n"
        "model = wordllama.WordLlama.load(cache_dir=sys.argv[1], disable_download=True)\n"
        "print(json.dumps(model.embed([text.lower() for text in sys.argv[2:]], norm=True).tolist()))"
    )
    command = [sys.executable, "-c", script, str(folder), *texts]
    found: list[Vector] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return found


async def test_every_embedder_keeps_to_the_interface(server: EmbeddingStandIn) -> None:
    embedders: list[Embedder] = [LocalModel(), asking(server), Remembering(LocalModel())]
    for embedder in embedders:
        texts = [
            "translate a letter",
            "translate a letter",
            "translate letters, please",
            "ovens of a bakery",
            "Ü\n" * 99,
        ]

        vectors = await embedder.embed(texts)

        assert len({len(vector) for vector in vectors}) == 1
        assert all(math.hypot(*vector) == pytest.approx(1, abs=1e-4) for vector in vectors)
        assert vectors[0] == pytest.approx(vectors[1])
        assert cosine(vectors[0], vectors[2]) > cosine(vectors[0], vectors[3])
        assert await embedder.embed([]) == []


async def test_the_local_model_has_no_direction_for_no_words_and_knows_no_case() -> None:
    nothing, small, large = await LocalModel().embed(["", "translate", "TRANSLATE"])

    assert not any(nothing)
    assert small == pytest.approx(large)


async def test_the_local_model_says_what_its_package_says() -> None:
    """The package is not used, so that its file need not be in memory: the numbers are the same."""
    folder = Path(importlib.util.find_spec("wordllama").origin).parent  # type: ignore[union-attr, arg-type]
    texts = ["translates contracts for law firms", "ovens of a bakery", "Ü"]

    theirs = said_by_the_package(folder, texts)

    for vector, known in zip(await LocalModel().embed(texts), theirs, strict=True):
        assert vector == pytest.approx(known, abs=1e-6)


async def test_many_long_texts_leave_the_loop_free() -> None:
    await LocalModel().embed(["begin"])
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    ticking = asyncio.create_task(tick())
    await LocalModel().embed(["long text " * 200] * 50)
    ticking.cancel()

    assert ticks > 2


async def test_a_server_is_asked_as_openai_is(server: EmbeddingStandIn) -> None:
    (vector,) = await asking(server).embed(["one text"])

    assert server.asked == [{"model": "stand-in", "input": ["one text"], "encoding_format": "float"}]
    assert server.keys == ["Bearer secret"]
    length = math.hypot(*vector_of("one text"))
    assert vector == pytest.approx([number / length for number in vector_of("one text")])


async def test_many_texts_are_several_requests(server: EmbeddingStandIn) -> None:
    vectors = await asking(server).embed([f"text {number}" for number in range(BATCH + 1)])

    assert [len(asked["input"]) for asked in server.asked] == [BATCH, 1]
    assert len(vectors) == BATCH + 1


async def test_what_passes_is_tried_again(server: EmbeddingStandIn) -> None:
    server.failures += [(503, b""), (429, b"slow down")]

    assert len(await asking(server).embed(["text"])) == 1
    assert len(server.asked) == 3


def datum(*numbers: float, index: int = 0) -> bytes:
    return json.dumps({"data": [{"index": index, "embedding": numbers}]}).encode()


@pytest.mark.parametrize(
    ("status", "content", "said"),
    [
        (401, b'{"error": "secret"}', "answers 401"),
        (200, b"<html>", "can't be used"),
        (200, b'{"data": []}', "0 vectors for 1 texts"),
        (200, datum(1, index=7), "1 vectors for 1 texts"),
        (200, datum(0, 0), "without a direction"),
        (200, datum(), "without a direction"),
        (302, b"", "answers 302"),
    ],
)
async def test_what_stays_wrong_is_said_at_once(
    server: EmbeddingStandIn, status: int, content: bytes, said: str
) -> None:
    server.failures.append((status, content))

    with pytest.raises(EmbeddingsUnavailable, match=said) as refused:
        await asking(server).embed(["text"])

    assert len(server.asked) == 1
    assert "secret" not in refused.value.message


async def test_a_server_that_is_away_is_left_alone_for_a_while(server: EmbeddingStandIn) -> None:
    embedder = asking(server)
    server.failures.append((400, b""))
    for _ in range(3):
        with pytest.raises(EmbeddingsUnavailable, match="answers 400"):
            await embedder.embed(["text"])

    assert len(server.asked) == 1


async def test_all_tries_together_have_one_limit(server: EmbeddingStandIn) -> None:
    server.failures += [9.0] * 3

    with pytest.raises(EmbeddingsUnavailable, match=r"took more than 0.2 s|does not answer"):
        await asking(server, timeout_s=0.2).embed(["text"])


async def test_nobody_at_the_address_is_said() -> None:
    async with an_embedding_server() as server:
        pass

    with pytest.raises(EmbeddingsUnavailable, match="does not answer: ConnectError"):
        await asking(server, timeout_s=2).embed(["text"])


async def test_a_text_is_embedded_once_while_it_is_remembered(server: EmbeddingStandIn) -> None:
    embedder = Remembering(asking(server), most=2)
    long = "x" * 501
    first = await embedder.embed(["a", "b", "a", long])
    again = await embedder.embed(["b", "a", long])
    await embedder.embed(["c", "d"])
    await embedder.embed(["d", "a"])

    assert [asked["input"] for asked in server.asked] == [["a", "b", long], [long], ["c", "d"], ["a"]]
    assert again[0] == pytest.approx(first[1], abs=1e-6)
    assert len(again[1]) == DIMENSION


def test_the_settings_choose() -> None:
    server = make_embedder(EmbeddingPolicy("http", ServerSettings("http://x", "model")))
    local = make_embedder(EmbeddingPolicy("local"))

    assert make_embedder(EmbeddingPolicy("none")) is None
    assert server is not None
    assert local is not None
    assert (server.name, local.name) == ("model", "wordllama:l2_supercat_256")
    assert "sesame" not in repr(ServerSettings("http://x", "model", "sesame"))
