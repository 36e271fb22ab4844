"""What was logged while a test ran."""

import logging
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import structlog
from structlog.testing import capture_logs

from ainp.telemetry import logs


@contextmanager
def the_log_as_it_was() -> Iterator[None]:
    """Whatever is configured in here is gone afterwards: the libraries' log, structlog's and what is logged at once."""
    root, output = logging.getLogger(), logs._output
    handlers, level = root.handlers[:], root.level
    logs._output = None
    try:
        yield
    finally:
        logs._output = output
        root.handlers[:] = handlers
        root.setLevel(level)
        structlog.reset_defaults()


@contextmanager
def what_is_logged() -> Iterator["Said"]:
    """Collect the log lines instead of writing them."""
    with capture_logs() as lines:
        yield Said(lines)


class Said:
    """Log lines as an operator searches them."""

    def __init__(self, lines: list[MutableMapping[str, Any]]) -> None:
        self._lines = lines

    @property
    def messages(self) -> list[str]:
        """Every message, in order."""
        return [line["event"] for line in self._lines]

    def facts(self, message: str) -> dict[str, Any]:
        """What stands beside the only line that says *message*."""
        (found,) = (line for line in self._lines if line["event"] == message)
        return {name: value for name, value in found.items() if name not in ("event", "log_level")}
