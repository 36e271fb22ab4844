"""Canonical JSON (RFC 8785) and its SHA-256: the bytes that statements and terms are hashed and signed as."""

import hashlib
from typing import Any

import rfc8785

from ainp.core.errors import InvalidRequest


def canonical(value: Any) -> bytes:  # noqa: ANN401 - any JSON
    """Write *value* as canonical JSON; a number that JSON can't carry exactly is refused."""
    try:
        return rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError, RecursionError) as error:
        raise InvalidRequest(f"can't be written as canonical JSON (RFC 8785): {error}") from error


def digest(data: bytes) -> bytes:
    """SHA-256."""
    return hashlib.sha256(data).digest()
