"""What is logged in one go reads as if each line had been logged alone."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from io import StringIO

import pytest

from ainp.telemetry import Line, configure_logging, log, logger
from ainp.telemetry import logs as telemetry
from support.said import the_log_as_it_was

LINES = (
    Line("Negotiation settled successfully", {"negotiation_id": "n", "amount": 7, "none": None}),
    Line("Committee is short", {"committee": ["a", "b"], "at": datetime(2026, 1, 1, tzinfo=UTC)}, level="warning"),
    Line("nothing beside it", {}),
    Line('text that needs escaping: "\n\u2028é', {"what": "\x00"}, level="error"),
    Line("seldom wanted", {"process": "another"}, level="debug"),
)


class Stream(StringIO):
    """Counts how often it is flushed; a terminal, or none."""

    def __init__(self, *, terminal: bool) -> None:
        super().__init__()
        self.terminal = terminal
        self.flushed = 0

    def isatty(self) -> bool:
        return self.terminal

    def flush(self) -> None:
        self.flushed += 1


@pytest.fixture(autouse=True)
def as_it_was(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(telemetry, "_now", lambda: "2026-01-01T00:00:00.000Z")
    with the_log_as_it_was():
        yield


@pytest.mark.parametrize("terminal", [False, True], ids=["machine", "terminal"])
@pytest.mark.parametrize("level", ["DEBUG", "INFO", "ERROR"])
def test_lines_at_once_are_the_lines_one_by_one(level: str, *, terminal: bool) -> None:
    at_once, one_by_one = Stream(terminal=terminal), Stream(terminal=terminal)

    configure_logging(level, stream=at_once, process="serve-1")
    log(LINES)
    configure_logging(level, stream=one_by_one, process="serve-1")
    for line in LINES:
        getattr(logger(), line.level)(line.message, **line.facts)

    assert at_once.getvalue() == one_by_one.getvalue()
    assert at_once.getvalue().endswith("\n")
    assert at_once.flushed == 1


def test_lines_of_which_none_is_wanted_write_nothing() -> None:
    stream = Stream(terminal=False)
    configure_logging("ERROR", stream=stream)

    log(LINES[:3])

    assert (stream.getvalue(), stream.flushed) == ("", 0)


def test_before_anything_is_configured_lines_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    log(LINES[:1])

    assert "Negotiation settled successfully" in capsys.readouterr().out


@pytest.mark.parametrize("terminal", [False, True], ids=["machine", "terminal"])
@pytest.mark.parametrize("odd", list("\n\r\x00\x1b\x7f\x9b\u2028\u202e\u2066"), ids=ascii)
def test_what_a_stranger_sends_is_a_line_s_text_and_nothing_else(odd: str, *, terminal: bool) -> None:
    plain, told = Stream(terminal=terminal), Stream(terminal=terminal)
    for stream, found in ((plain, "a b"), (told, f"a{odd}b")):
        configure_logging("INFO", stream=stream)
        log([Line(f"refused: found {found}", {"host": found, "hosts": [found]})])
        logger().warning(f"refused: found {found}", host=found)

    assert len(told.getvalue().splitlines()) == len(plain.getvalue().splitlines()) == 2
    assert odd in {"\n", "\x7f"} or odd not in told.getvalue().replace("\x1b[", "")
    if not terminal:
        assert json.loads(told.getvalue().splitlines()[0])["host"] == f"a{odd}b"
