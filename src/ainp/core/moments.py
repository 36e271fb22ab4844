"""Points in time, as text and as whole numbers; a double would round some of them to the millisecond before."""

from datetime import UTC, datetime, timedelta

import msgspec

UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
# As RFC 3339 says, without a fraction where there is none; in a tenth of the time of `isoformat`.
_spelled = msgspec.to_builtins


def unix_ms(at: datetime) -> int:
    """Whole milliseconds since 1970, rounded down."""
    return (at - UNIX_EPOCH) // _MILLISECOND


def moment_of(text: str) -> datetime | None:
    """The moment that ISO 8601 with a zone names, in UTC; None for what is no such time, or none that UTC has."""
    try:
        found = datetime.fromisoformat(text)
        return found.astimezone(UTC) if found.tzinfo is not None else None
    except (ValueError, OverflowError):  # the first hours of the year 1 and the last of 9999 are not everywhere
        return None


def iso_ms(at: datetime) -> str:
    """ISO 8601 in UTC with milliseconds, rounded down, and Z."""
    text: str = _spelled(at.astimezone(UTC))
    return f"{text[:23]}Z" if at.microsecond else f"{text[:19]}.000Z"


def iso_us(at: datetime) -> str:
    """ISO 8601 in UTC with microseconds and Z."""
    text: str = _spelled(at.astimezone(UTC))
    return text if at.microsecond else f"{text[:19]}.000000Z"


def unix_s(seconds: int) -> datetime:
    """The moment that is *seconds* after 1970 began."""
    return UNIX_EPOCH + timedelta(seconds=seconds)
