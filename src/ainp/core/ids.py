"""Identifiers: random enough to be unique, ordered enough to keep an index in memory."""

import re
from collections.abc import Callable
from datetime import datetime
from typing import NewType
from uuid import UUID

import msgspec

from ainp.core.errors import NotFound
from ainp.core.moments import unix_ms

NegotiationId = NewType("NegotiationId", UUID)
TaskId = NewType("TaskId", UUID)
GroupId = NewType("GroupId", UUID)

# A UUID's text, in a seventh of the time of `str`.
spelled: Callable[[UUID], str] = msgspec.to_builtins

# UUID() also reads braces, URNs and bare digits: one thing has one spelling here.
_SPELLING = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

_VERSION_AND_VARIANT = 0x7 << 76 | 0x2 << 62
_RANDOM = ~(0xF << 76 | 0x3 << 62)  # what is left of time and chance


def uuid7(now: datetime, randomness: bytes) -> UUID:
    """Make a UUIDv7 (RFC 9562 section 5.7) of a time and 10 random bytes."""
    number = unix_ms(now) << 80 | int.from_bytes(randomness[:10])
    return UUID(int=number & _RANDOM | _VERSION_AND_VARIANT)


def parse_id(text: str, *, what: str) -> UUID:
    """Read the id of a *what* from a path; what is no UUID names nothing, so it is NotFound."""
    if _SPELLING.fullmatch(text) is None:
        raise NotFound(f"{what} not found: {text[:100]!r} is not a UUID")
    return UUID(int=int(text.replace("-", ""), 16))
