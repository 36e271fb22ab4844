"""
Bodies: read as bytes within limits, decoded strictly, refused with both sides said.

No number is made of a string, no NaN or infinity gets in, nothing is nested deeper or longer than it can be handled,
and text that PostgreSQL can't store (NUL) or UTF-8 can't carry (lone surrogates) is refused before it gets there.
"""

import json
import re
from collections.abc import Sequence
from functools import cache
from typing import Any, TypeVar

import msgspec
from starlette.requests import ClientDisconnect
from starlette.types import Receive

from ainp.core.errors import InvalidJson, InvalidRequest, TooLarge, UnsupportedMedia
from ainp.core.limits import MAX_BODY_BYTES, MAX_DEPTH
from ainp.http.media import CBOR

_LENGTH = re.compile(r"[0-9]{1,18}")
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"?', re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(\w+)`$")
_T = TypeVar("_T", bound=msgspec.Struct)


async def read(receive: Receive, *, declared: str | None) -> bytes:
    """Read a body, or refuse it as soon as it is too large."""
    if declared is not None and _LENGTH.fullmatch(declared) and int(declared) > MAX_BODY_BYTES:
        raise _too_large(int(declared))
    chunks, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk = message.get("body", b"")
        more = message.get("more_body", False)
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise _too_large(size)
        chunks.append(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def is_cbor(content_type: str | None, *, coding: Sequence[str]) -> bool:
    """
    Whether a body is CBOR; refused is one that says it is neither that nor JSON.

    A web page can say neither without asking first.

    Nothing is decompressed here, so what says it is compressed would be another thing to another reader.
    """
    if coding and any(name.strip().lower() != "identity" for name in coding):
        raise UnsupportedMedia(f"content-encoding: found {', '.join(coding)[:80]!r}, expected identity, or none")
    if content_type == "application/json":
        return False
    kind = (content_type or "").split(";", 1)[0].strip().lower()
    if kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json")):
        return False
    if kind == CBOR:
        return True
    raise UnsupportedMedia(f"content-type: found {kind[:80] or 'none'!r}, expected application/json or {CBOR}")


def decode(body: bytes, kind: type[_T]) -> _T:
    """
    Decode *body* as *kind*; no body is an empty object.

    A kind that forbids unknown members is a signed statement. There no member may stand twice either: two readers
    could understand two things.
    """
    raw = body or b"{}"
    _check_depth(raw)
    if b"\\u0000" in raw and _NUL.search(raw):
        raise InvalidRequest("text: found the character NUL (\\u0000), which can't be stored")
    try:
        raw.decode()  # the decoder does not look at members that it skips
        value: _T = _decoder(kind).decode(raw)
    except msgspec.ValidationError as error:
        raise _refusal(error, raw, kind) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _not_json(error) from error
    if kind.__struct_config__.forbid_unknown_fields:
        _check_members(raw)
    return value


@cache
def _decoder(kind: Any) -> "msgspec.json.Decoder[Any]":  # noqa: ANN401 - any type that msgspec knows
    return msgspec.json.Decoder(kind, strict=True)


def _refusal(error: msgspec.ValidationError, raw: bytes, kind: type[msgspec.Struct]) -> InvalidRequest:
    """Say what is wrong; the decoder stops at the first wrong value, behind it may stand what is no JSON at all."""
    try:
        sent = msgspec.json.decode(raw)
    except msgspec.ValidationError:
        sent = None
    except (msgspec.DecodeError, UnicodeDecodeError) as malformed:
        return _not_json(malformed)
    if _MISSING.fullmatch(str(error)) and isinstance(sent, dict):
        required = [f.encode_name for f in msgspec.structs.fields(kind) if f.required]
        return InvalidRequest(f"Missing required fields: {', '.join(name for name in required if name not in sent)}")
    return InvalidRequest(str(error))


def _not_json(error: Exception) -> InvalidJson:
    return InvalidJson(f"the body is not JSON (RFC 8259, UTF-8 without lone surrogates): {error}")


def _check_depth(raw: bytes) -> None:
    if raw.count(b"[") + raw.count(b"{") <= MAX_DEPTH:
        return
    depth = 0
    for bracket in re.findall(rb"[\[\]{}]", _STRING.sub(b"", raw)):
        depth += 1 if bracket in b"[{" else -1
        if depth > MAX_DEPTH:
            raise InvalidRequest(f"the body is nested deeper than {MAX_DEPTH} levels")


def _check_members(raw: bytes) -> None:
    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        names = [name for name, _ in pairs]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise InvalidRequest(f"found the member {twice[0][:80]!r} twice, expected once in a signed statement")
        return dict(pairs)

    json.loads(raw, object_pairs_hook=unique)


def _too_large(size: int) -> TooLarge:
    return TooLarge(f"the body has {size} bytes or more, at most {MAX_BODY_BYTES} are read", limit=MAX_BODY_BYTES)


class Anything(msgspec.Struct):
    """A body that a route does not read; it must still be JSON."""
