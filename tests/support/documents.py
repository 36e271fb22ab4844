"""A server of DID documents: real TLS on loopback, with names that are its own."""

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trustme

from ainp.core.did import AgentDid, parse_did

NAME = "agent.test"
Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class DocumentServer:
    """What it answers by path, and what it was asked."""

    port: int
    ca_file: Path
    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    connections: int = 0

    def did(self, *path: str, name: str = NAME) -> AgentDid:
        """A did:web that is here."""
        return parse_did(":".join([f"did:web:{name}%3A{self.port}", *path]))

    def publish(self, did: AgentDid, **document: object) -> None:
        """Put a document where *did* says that it is."""
        path = "/".join(did.split(":")[3:]) or ".well-known"
        self.answers[f"/{path}/did.json"] = saying(json.dumps({"id": did, **document}).encode())


def saying(content: bytes, *, status: str = "200 OK", headers: str = "", after_s: float = 0) -> Answer:
    """An answer with this content."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(after_s)
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(content)}\r\n{headers}\r\n"
        writer.write(head.encode() + content)

    return answer


@asynccontextmanager
async def a_document_server(folder: Path, *names: str) -> AsyncIterator[DocumentServer]:
    """Serve documents on 127.0.0.1, with a certificate for *names*."""
    authority = trustme.CA()
    ca_file = folder / "ca.pem"
    authority.cert_pem.write_to_path(ca_file)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(*(names or (NAME,))).configure_cert(context)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        here.connections += 1
        try:
            lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            path = lines[0].split(" ")[1]
            host = next(line.partition(": ")[2] for line in lines if line.lower().startswith("host:"))
            here.asked.append((host, path))
            await here.answers.get(path, saying(b"", status="404 Not Found"))(writer)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client has gone
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    here = DocumentServer(server.sockets[0].getsockname()[1], ca_file)
    async with server:
        yield here


class Names:
    """The name service: what each name is the next time it is asked for, and how often it was."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.known: dict[str, list[list[str]]] = {NAME: [["127.0.0.1"]]}
        self.asked: list[str] = []
        self._real = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", self._resolve)

    def _resolve(self, host: str, port: int, *args: Any, **options: Any) -> list[Any]:  # noqa: ANN401 - as the system's
        if host not in self.known:
            return list(self._real(host, port, *args, **options))
        self.asked.append(host)
        answers = self.known[host]
        addresses = answers.pop(0) if len(answers) > 1 else answers[0]
        return [entry for address in addresses for entry in self._real(address, port, type=socket.SOCK_STREAM)]
