"""Refusals become answers here, once: the class says the status, the error says the rest."""

from collections.abc import Mapping
from datetime import datetime

import msgspec
from msgspec import Struct
from starlette.responses import Response

from ainp.core import errors
from ainp.core.errors import BrokerError
from ainp.core.mail_guard import Greylisted
from ainp.wire.values import iso

_STATUS: Mapping[type[BrokerError], int] = {
    errors.InvalidRequest: 400,
    errors.Unauthenticated: 401,
    errors.InsufficientCredits: 402,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.MethodNotAllowed: 405,
    errors.RequestTimeout: 408,
    errors.Conflict: 409,
    errors.Expired: 410,
    errors.TooLarge: 413,
    errors.UriTooLong: 414,
    errors.UnsupportedMedia: 415,
    Greylisted: 425,
    errors.HeaderTooLarge: 431,
    errors.RateLimited: 429,
    errors.Unavailable: 503,
}
_RETRY_AFTER_S = 1
INTERNAL_ERROR = "INTERNAL_ERROR"  # a bug


class Problem(Struct):
    """What went wrong: a stable code, what was found and expected, and the facts for programs."""

    error: str
    message: str


def status_of(error: type[BrokerError]) -> int:
    """The status of a class of refusals."""
    return next(_STATUS[base] for base in error.__mro__ if base in _STATUS)


def answer(error: BrokerError) -> Response:
    """The answer to a refusal."""
    headers = {"Retry-After": str(_RETRY_AFTER_S)} if isinstance(error, errors.Unavailable) else {}
    if isinstance(error, errors.RateLimited | Greylisted):
        headers["Retry-After"] = str(-(-error.retry_after_ms // 1000))
    if "allow" in error.facts:
        headers["Allow"] = str(error.facts["allow"])
    return Response(body_of(error), status_of(type(error)), headers=headers, media_type="application/json")


def body_of(error: BrokerError) -> bytes:
    """What a refusal says, as JSON."""
    facts = {name: iso(fact) if isinstance(fact, datetime) else fact for name, fact in error.facts.items()}
    return msgspec.json.encode({"error": error.code, "message": error.message, **facts})


def internal_error() -> Response:
    """The answer to a bug: nothing about it leaves the broker but that it happened."""
    body = {"error": INTERNAL_ERROR, "message": "the broker failed; the log says why"}
    return Response(msgspec.json.encode(body), 500, media_type="application/json")
