"""
Canonical JSON (RFC 8785) and its SHA-256: the bytes that statements and terms are hashed and signed as.

A statement takes 80 µs with the reference implementation and 8 with an encoder in C. The encoder writes the same bytes
as long as keys are ASCII, where the order of code units and of bytes is one, and numbers are of those that every
language writes alike; what may be anything else is left to the reference.
"""

import hashlib
from typing import Any

import msgspec
import rfc8785

from ainp.core.errors import InvalidRequest

_EXACT = 2**53 - 1  # the largest whole number that a double, and so RFC 8785, holds exactly
_SMALLEST, _LARGEST = 1e-4, 1e15  # between them nobody writes an exponent
_encode = msgspec.json.Encoder(order="sorted").encode


class _Unsure(Exception):
    """A value that the encoder may not write as RFC 8785 does."""


def canonical(value: Any) -> bytes:  # noqa: ANN401 - any JSON
    """Write *value* as canonical JSON; a number that JSON can't carry exactly is refused."""
    try:
        try:
            return _encode(_plain(value))
        except (_Unsure, UnicodeEncodeError):
            return rfc8785.dumps(value)
    except (ValueError, RecursionError) as error:  # a CanonicalizationError is a ValueError, as are its stumbles
        raise InvalidRequest(f"can't be written as canonical JSON (RFC 8785): {error}") from error


def digest(data: bytes) -> bytes:
    """SHA-256."""
    return hashlib.sha256(data).digest()


def _plain(value: Any) -> Any:  # noqa: ANN401
    """Make *value* one that the encoder writes canonically, or raise _Unsure."""
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return value
    if kind is dict:
        for name in value:
            if type(name) is not str or not name.isascii():
                raise _Unsure
        return {name: member if type(member) is str else _plain(member) for name, member in value.items()}
    if kind is list or kind is tuple:
        return [item if type(item) is str else _plain(item) for item in value]
    if kind is int or kind is float:
        return _number(value)
    if isinstance(value, str):  # an enumeration's member
        return str.__str__(value)
    raise _Unsure


def _number(value: float) -> float:
    if -_EXACT <= value <= _EXACT and value == int(value):
        return int(value)
    if _SMALLEST <= abs(value) < _LARGEST:
        return value
    raise _Unsure
