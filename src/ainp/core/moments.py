"""Points in time as whole numbers; a double would round some of them to the millisecond before."""

from datetime import UTC, datetime, timedelta

UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def unix_ms(at: datetime) -> int:
    """Whole milliseconds since 1970, rounded down."""
    return (at - UNIX_EPOCH) // timedelta(milliseconds=1)


def unix_s(seconds: int) -> datetime:
    """The moment that is *seconds* after 1970 began."""
    return UNIX_EPOCH + timedelta(seconds=seconds)
