"""
One question to a broker, as a value: made without I/O, sent by either client.

A `Flow` is several questions of which each may depend on the answers before.
"""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import quote, urlencode

import httpx
import msgspec
from msgspec import Struct

from ainp import __version__
from ainp.client.errors import NoIdentity, Refused, Unexpected
from ainp.client.identity import Identity

Reply = TypeVar("Reply")
Answer = TypeVar("Answer", covariant=True)  # noqa: PLC0105 - what comes back, and nothing else
_SHOWN = 200  # characters of an answer that is no broker's


@dataclass(frozen=True, slots=True)
class Ask(Generic[Answer]):
    """
    A request, and how its answer is read.

    *answers* are statuses that answer it besides those of success; *headers* are sent as they are, whatever else is.
    """

    method: str
    path: str
    read: Callable[[bytes], Answer]
    body: bytes | None = None
    admin: bool = False
    answers: frozenset[int] = frozenset()
    headers: Mapping[str, str] = field(default_factory=dict)


Flow = Generator[Ask[Any], Any, Reply]


def of(by: Identity | None) -> Identity:
    """Who asks, where somebody has to."""
    if by is None:
        raise NoIdentity("this needs somebody who asks: Client(url, Identity.load(path))")
    return by


def did_of(by: Identity | None, did: str | None) -> str:
    """The *did* that is meant, which is one's own if none is named, as a part of a path."""
    return part(of(by).did if did is None else did)


def part(text: str) -> str:
    """A text as one part of a path."""
    return quote(text, safe="")


def get(path: str, reply: type[Reply], **query: object) -> Ask[Reply]:
    """A read; parameters that are None are left out."""
    named = {name: str(value) for name, value in query.items() if value is not None}
    return Ask("GET", f"{path}?{urlencode(named)}" if named else path, reader(reply))


def post(path: str, body: Struct | None, reply: type[Reply], *, admin: bool = False) -> Ask[Reply]:
    """A write."""
    return Ask("POST", path, reader(reply), None if body is None else msgspec.json.encode(body), admin)


def raw(answer: bytes) -> bytes:
    """The bytes as they came."""
    return answer


def request(
    ask: Ask[Any], *, url: str, by: Identity | None, admin_token: str | None, idempotency_key: str
) -> httpx.Request:
    """The request as it is sent, but for the signature, which is made anew for every try."""
    headers = {"Accept": "application/json", "User-Agent": f"ainp/{__version__}"}
    if by is not None:
        headers["X-AINP-DID"] = by.did  # believed in compat mode; in strict mode it must be who has signed
    if ask.body is not None:
        headers["Content-Type"] = "application/json"
    if ask.method != "GET":
        headers["Idempotency-Key"] = idempotency_key
    if ask.admin and admin_token is not None:
        headers["Authorization"] = f"Bearer {admin_token}"
    return httpx.Request(ask.method, url + ask.path, content=ask.body, headers={**headers, **ask.headers})


def answered(ask: Ask[Reply], answer: httpx.Response) -> Reply:
    """Read an answer, or raise what the broker refuses."""
    if not answer.is_success and answer.status_code not in ask.answers:
        raise refusal(answer.status_code, answer.headers, answer.content)
    return ask.read(answer.content)


def seconds(text: str | None) -> float | None:
    """What Retry-After says, where it says seconds."""
    return float(text) if text is not None and text.isascii() and text.isdigit() else None


def reader(reply: type[Reply]) -> Callable[[bytes], Reply]:
    """What reads an answer of this kind."""

    def read(answer: bytes) -> Reply:
        try:
            return msgspec.json.decode(answer, type=reply)
        except msgspec.MsgspecError as error:
            raise Unexpected(f"not what a broker answers ({error}): {_short(answer)}") from error

    return read


def refusal(status: int, headers: Mapping[str, str], content: bytes) -> Refused:
    """What the broker, or something between, has refused."""
    try:
        said = msgspec.json.decode(content, type=dict[str, Any])
    except msgspec.MsgspecError:  # not the broker's words, something's between
        said = {}
    code, message = str(said.pop("error", f"HTTP_{status}")), str(said.pop("message", _short(content)))
    wait_s = seconds(headers.get("retry-after"))
    return Refused.kind(status, code)(status, code, message, facts=said, retry_after_s=wait_s)


def _short(content: bytes) -> str:
    return content[:_SHOWN].decode(errors="replace")
