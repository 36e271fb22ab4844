"""A stand-in for a server of embeddings: it speaks the form of OpenAI's on loopback, and says that it is one."""

import asyncio
import hashlib
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

DIMENSION = 64
Failure = tuple[int, bytes]


@dataclass
class EmbeddingStandIn:
    """What it was asked, and what it does next instead of answering: a status and a body, or nothing for so long."""

    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    failures: list[Failure | float] = field(default_factory=list)

    def answer(self, head: str, body: bytes) -> Failure | float:
        """A vector for each text, by its words; the last text's first, as the order is not promised."""
        self.asked.append(json.loads(body))
        self.keys += re.findall(r"(?im)^authorization: (.*)\r$", head)
        if self.failures:
            return self.failures.pop(0)
        data = [
            {"object": "embedding", "index": place, "embedding": vector_of(text)}
            for place, text in enumerate(self.asked[-1]["input"])
        ]
        return 200, json.dumps({"object": "list", "data": data[::-1], "model": self.asked[-1]["model"]}).encode()


def vector_of(text: str) -> list[float]:
    """Texts that share words are near each other."""
    vector = [0.1] * DIMENSION
    for word in text.lower().split():
        vector[hashlib.sha256(word.encode()).digest()[0] % DIMENSION] += 1.0
    return vector


@asynccontextmanager
async def an_embedding_server() -> AsyncIterator[EmbeddingStandIn]:
    """Answer on a free port until the test is over."""
    here = EmbeddingStandIn()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = re.search(r"(?im)^content-length: (\d+)\r$", head)
            body = await reader.readexactly(int(length[1]) if length else 0)
            answer = here.answer(head, body)
            if isinstance(answer, float):
                await asyncio.sleep(answer)
                return
            status, content = answer
            told = f"HTTP/1.1 {status} X\r\nServer: stand-in\r\nConnection: close\r\n"
            writer.write(f"{told}Content-Length: {len(content)}\r\n\r\n".encode() + content)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client has gone
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    here.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    async with server:
        yield here
