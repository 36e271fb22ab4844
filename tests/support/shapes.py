"""What the values in answers look like."""

import re
from collections.abc import Iterator

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
HASH = re.compile(r"[0-9a-f]{64}")
ATOMIC = re.compile(r"0|-?[1-9][0-9]*")

_ATOMIC = {"balance", "earned", "spent", "reserved", "available", "staked", "amount", "new_balance"}
_NUMBERS = {"score", "confidence", "convergence_score", "q", "t", "r", "s", "v", "i", "e", "lower_bound", "value"}


def check_values(answer: object) -> None:
    """Amounts are decimal strings, times ISO with milliseconds and Z, parts of one are numbers."""
    for name, value in _members(answer):
        if value is None:
            continue
        if name.endswith("_at") or name == "settle_by":
            assert isinstance(value, str), (name, value)
            assert TIME.fullmatch(value), (name, value)
        elif name in _ATOMIC or name.endswith("_atomic"):
            assert isinstance(value, str), (name, value)
            assert ATOMIC.fullmatch(value), (name, value)
        elif name in _NUMBERS:
            assert isinstance(value, int | float), (name, value)
        elif name.endswith("_hash"):
            assert HASH.fullmatch(str(value)), (name, value)


def _members(answer: object) -> Iterator[tuple[str, object]]:
    if isinstance(answer, dict):
        for name, value in answer.items():
            if isinstance(value, dict | list):
                yield from _members(value)
            else:
                yield name, value
    elif isinstance(answer, list):
        for value in answer:
            yield from _members(value)
