"""Writes docs/limits.md from the constants, so that it names what there is. Run by `make docs`."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from ainp.core import limits, message_limits, payment_limits
from ainp.core.limits import Limit, Of
from ainp.core.words import counted

_MODULES = (limits, message_limits, payment_limits)
_TABLE = {name: limit for module in _MODULES for name, limit in limits.table(module.__name__).items()}
DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "limits.md"

_HEAD = """\
<!-- Generated from src/ainp/core/limits.py by `make docs`; a test keeps it so. -->

# Limits

What anybody can send, hold or ask for has an end. An agent that keeps to the protocol meets none of these. Whoever does
meet one is answered with the status below, and nothing is written; 400 is `INVALID_REQUEST` where no other code stands.
How often somebody may ask is limited apart.

A connection is closed after an answer that says so, as what follows on it can't be told from what was refused. Those
that are accepted beyond the limit of a process are answered 503 with `Retry-After`. The process needs a file for each:
it raises its own limit of open files at start as far as it may, and says so when it may not.
"""


def document() -> str:
    """Tell which limits there are, and why."""
    return _HEAD + "".join(_section(of) for of in Of)


def _section(of: Of) -> str:
    rows = "\n".join(_rows(of))
    return f"\n## {of}\n\n| what | limit | beyond it | why | setting |\n|---|---|---|---|---|\n{rows}\n"


def _rows(of: Of) -> Iterator[str]:
    for name, limit in _TABLE.items():
        if limit.of is of:
            yield f"| {limit.what} | {_value(name)} | {limit.beyond} | {limit.why} | {_setting(limit)} |"


def _value(name: str) -> str:
    value = next(getattr(module, name) for module in _MODULES if hasattr(module, name))
    if isinstance(value, timedelta):
        return counted(value.days, "day") if value.days else f"{value.seconds} s"
    for size, unit in ((1 << 20, "MiB"), (1 << 10, "KiB")):
        if "BYTES" in name and value % size == 0:
            return f"{value // size} {unit}"
    return f"{value:,}"


def _setting(limit: Limit) -> str:
    return f"`{limit.setting}`" if limit.setting else ""


def main() -> None:
    DOCUMENT.write_text(document(), "utf-8")


if __name__ == "__main__":
    main()
