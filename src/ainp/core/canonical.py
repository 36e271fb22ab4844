"""Canonical JSON (RFC 8785) and its SHA-256: the bytes that statements and terms are hashed and signed as."""

import hashlib
from typing import Any

import rfc8785

from ainp.core.errors import InvalidRequest


def canonical(value: Any) -> bytes:  # noqa: ANN401 - any JSON
    """Write *value* as canonical JSON; a number that JSON can't carry exactly is refused."""
    try:
        return rfc8785.dumps(value)
    except (ValueError, RecursionError) as error:  # a CanonicalizationError is a ValueError, as are its stumbles
        raise InvalidRequest(f"can't be written as canonical JSON (RFC 8785): {error}") from error


def digest(data: bytes) -> bytes:
    """SHA-256."""
    return hashlib.sha256(data).digest()
