"""Identifiers: random enough to be unique, ordered enough to keep an index in memory."""

import re
from datetime import datetime
from typing import NewType
from uuid import UUID

from ainp.core.errors import NotFound
from ainp.core.moments import unix_ms

NegotiationId = NewType("NegotiationId", UUID)
TaskId = NewType("TaskId", UUID)
GroupId = NewType("GroupId", UUID)

# UUID() also reads braces, URNs and bare digits: one thing has one spelling here.
_SPELLING = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def uuid7(now: datetime, randomness: bytes) -> UUID:
    """Make a UUIDv7 (RFC 9562 section 5.7) of a time and 10 random bytes."""
    value = unix_ms(now).to_bytes(6) + randomness[:10]
    number = int.from_bytes(value)
    number = number & ~(0xF << 76) | 0x7 << 76
    number = number & ~(0x3 << 62) | 0x2 << 62
    return UUID(int=number)


def parse_id(text: str, *, what: str) -> UUID:
    """Read the id of a *what* from a path; what is no UUID names nothing, so it is NotFound."""
    if _SPELLING.fullmatch(text) is None:
        raise NotFound(f"{what} not found: {text[:100]!r} is not a UUID")
    return UUID(int=int(text.replace("-", ""), 16))
