"""When a request is sent again: whatever may work a moment later, a few times, within one deadline."""

import random
import time
from typing import Any

import httpx

from ainp.client.ask import Ask, seconds
from ainp.client.errors import Unreachable

TRIES = 5
_LATER = frozenset({429, 502, 503, 504})
_FIRST_S, _LONGEST_S = 0.1, 5.0


def backoff_s(failures: int) -> float:
    """How long to wait after so many failures in a row: twice as long each time, and never everybody at once."""
    longest: float = min(_LONGEST_S, _FIRST_S * 2 ** (min(failures, 10) - 1))
    return random.uniform(0.5, 1) * longest  # noqa: S311 - no secret


class Tries:
    """The tries of one request, which together have *within_s* seconds."""

    def __init__(self, within_s: float) -> None:
        self._ends = time.monotonic() + within_s
        self._failed = 0

    @property
    def left_s(self) -> float:
        """The time that is left, never quite none."""
        return max(0.001, self._ends - time.monotonic())

    @property
    def over(self) -> bool:
        """Whether no time is left."""
        return time.monotonic() >= self._ends

    def after_error(self, error: Exception, *, url: str) -> float:
        """How long to wait when no answer came, or raise Unreachable."""
        pause = self._pause_s(None)
        if pause is None or isinstance(error, httpx.UnsupportedProtocol | httpx.LocalProtocolError):
            raise Unreachable(f"no answer from {url}: {str(error) or type(error).__name__}") from error
        return pause

    def after_answer(self, ask: Ask[Any], answer: httpx.Response) -> float | None:
        """How long to wait when this was the answer; None if it is to be taken as it is."""
        if answer.status_code not in _LATER or answer.status_code in ask.answers:
            return None
        return self._pause_s(seconds(answer.headers.get("retry-after")))

    def _pause_s(self, asked_s: float | None) -> float | None:
        """The pause before the next try, *asked_s* at least; None if there is none."""
        self._failed += 1
        pause = backoff_s(self._failed) + (asked_s or 0)
        return None if self._failed >= TRIES or pause >= self.left_s else pause
