"""Cursors: where a page ended, as one opaque word."""

import base64
import binascii
from datetime import UTC, datetime, timedelta
from uuid import UUID

from ainp.core.errors import InvalidRequest

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def write_cursor(at: datetime, id: UUID) -> str:  # noqa: A002 - the protocol's word
    """The place of a row ordered by time and id."""
    raw = ((at - _EPOCH) // _MICROSECOND).to_bytes(8, signed=True) + id.bytes
    return base64.urlsafe_b64encode(raw).decode()


def read_cursor(text: str | None, *, default: tuple[datetime, UUID]) -> tuple[datetime, UUID]:
    """The place that a cursor names, or *default* without one."""
    if text is None:
        return default
    try:
        raw = base64.b64decode(text, altchars=b"-_", validate=True)
        return _EPOCH + int.from_bytes(raw[:8], signed=True) * _MICROSECOND, UUID(bytes=raw[8:])
    except (ValueError, OverflowError, binascii.Error):
        raise InvalidRequest(
            f"cursor: found {text[:60]!r}, expected one that this route gave", field="cursor"
        ) from None
