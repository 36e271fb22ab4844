"""
Logs: one event a line, JSON for machines, readable on a terminal.

Every line has `timestamp` (ISO, ms, Z), `level` (DEBUG, INFO, WARN, ERROR), `service` and `message`; its facts stand
beside them. What operators search for is in `message`, word for word.
"""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from time import time_ns
from typing import Any, NamedTuple, TextIO

import orjson
import structlog

from ainp.telemetry.counting import Cell
from ainp.telemetry.log_file import LogFile

SERVICE = "ainp-broker"


class Line(NamedTuple):
    """What is to be logged once it is stored, and what is to be counted with it, whether the line is wanted or not."""

    message: str
    facts: Mapping[str, object]
    level: str = "info"
    counts: tuple[tuple[Cell, float], ...] = ()


_QUIET = ("asyncpg",)  # a database that is gone is told of by whoever needs it, without a trace


@dataclass(frozen=True, slots=True)
class _Output:
    """Where lines go, how they are written, what stands in each, and below which level they are left out."""

    stream: TextIO
    renderer: Any
    always: Mapping[str, object]
    least: int


_LEVELS = {"warning": "WARN", "critical": "ERROR", "exception": "ERROR"}
_NUMBERS = logging.getLevelNamesMapping()
_output: _Output | None = None


def configure_logging(
    level: str = "INFO", *, stream: TextIO | None = None, file: LogFile | None = None, **always: object
) -> None:
    """Send all logs, the libraries' too, to *stream* (stdout) and as JSON to *file*; all have the facts *always*."""
    global _output  # noqa: PLW0603 - there is one log, as structlog's own configuration is one
    out = stream or sys.stdout
    renderer: Any = _readable if out.isatty() else _json
    if file is not None:
        renderer = _to_both(renderer, file)
    _output = _Output(out, renderer, always, _NUMBERS[level])

    def with_facts(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        return {**event, **always}

    shared: list[Any] = [_stamp, with_facts]
    structlog.configure(
        processors=[*shared, structlog.processors.format_exc_info, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(_NUMBERS[level]),
        logger_factory=structlog.PrintLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_log_level, *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    for library in _QUIET:
        logging.getLogger(library).setLevel(logging.CRITICAL)
    root.setLevel(max(_NUMBERS[level], logging.INFO))


def logger() -> Any:  # noqa: ANN401 - structlog's bound logger is made at run time
    """The logger: `logger().info("what happened", fact=1)`."""
    return structlog.get_logger()


def log(lines: Sequence[Line]) -> None:
    """
    Log *lines* in order, in one write and with one time, and count what they count.

    The same as a call of the logger for each, which costs 16 µs a line, where this costs 3; a settlement has seven.
    """
    for line in lines:
        for cell, amount in line.counts:
            cell.count(amount)
    if _output is None:
        for line in lines:
            getattr(logger(), line.level)(line.message, **line.facts)
        return
    now, text = _now(), ""
    for line in lines:
        if _NUMBERS[line.level.upper()] >= _output.least:
            event = _stamped(now, line.level, line.message, {**line.facts, **_output.always})
            text += _output.renderer(None, line.level, event) + "\n"
    if text:
        _output.stream.write(text)
        _output.stream.flush()


def _now() -> str:
    seconds, milliseconds = divmod(time_ns() // 1_000_000, 1000)
    return f"{_second(seconds)}.{milliseconds:03d}Z"


@lru_cache(maxsize=1)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _stamped(now: str, method: str, message: object, facts: Mapping[str, Any]) -> dict[str, Any]:
    level = _LEVELS.get(method, method.upper())
    return {"timestamp": now, "level": level, "service": SERVICE, "message": message, **facts}


def _stamp(_: object, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    message = event.pop("event", "")
    event.pop("level", None)
    return _stamped(_now(), method, message, event)


# What a terminal, or whoever splits lines, could take for more than text: controls, line separators, directions.
_ODD = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_STYLES = structlog.dev.ConsoleRenderer.get_default_level_styles()
_for_people = structlog.dev.ConsoleRenderer(
    event_key="message",
    exception_formatter=structlog.dev.plain_traceback,  # the others print variables, and so secrets
    level_styles={name.upper(): style for name, style in _STYLES.items()} | {"WARN": _STYLES["warning"]},
    pad_event_to=0,
    pad_level=False,
)


def _readable(logger: Any, method: str, event: MutableMapping[str, Any]) -> str:  # noqa: ANN401 - a processor
    """Render for a terminal: the time of day, and nothing that is the same on every line."""
    event.pop("service")
    event["timestamp"] = event["timestamp"][11:]
    for name, value in event.items():
        if isinstance(value, str) and name != "exception" and not value.isprintable():
            event[name] = _ODD.sub(_escaped, value)
    return _for_people(logger, method, event)


def _to_both(renderer: Any, file: LogFile) -> Any:  # noqa: ANN401 - processors
    """Render for the stream, and write the same line to *file*, there always as JSON."""

    def render(logger: Any, method: str, event: MutableMapping[str, Any]) -> str:  # noqa: ANN401 - a processor
        line = _json(logger, method, event)
        file.write(f"{line}\n")
        return line if renderer is _json else str(renderer(logger, method, event))

    return render


def _json(_: object, __: str, event: MutableMapping[str, Any]) -> str:
    text = orjson.dumps(event, default=str).decode()
    return text if text.isascii() else _ODD.sub(_escaped, text)


def _escaped(odd: re.Match[str]) -> str:
    return f"\\u{ord(odd[0]):04x}"
