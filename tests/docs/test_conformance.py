"""The page of requirements names each once, with a test that exists or a reason."""

import re
from functools import cache
from pathlib import Path

import pytest

from support.reader import ROOT

PAGE = (ROOT / "docs" / "conformance.md").read_text()
ROWS = [
    [cell.strip() for cell in line.strip("|\n").split("|")] for line in PAGE.splitlines() if line.startswith("| REQ-")
]


@cache
def names_in(path: Path) -> set[str]:
    return set(re.findall(r"^(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE))


def test_every_requirement_is_there_once_in_order() -> None:
    assert [row[0] for row in ROWS] == [f"REQ-{number:03}" for number in range(1, 99)]


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_it_is_shown_by_a_test_or_has_a_reason(row: list[str]) -> None:
    _, _, status, shown = row
    named = re.findall(r"`(\w+)/(\w+)::(\w+)`", shown)

    assert status in ("met", "partly", "not met")
    assert named or status != "met"
    assert status == "met" or ";" in shown or not named
    assert shown
    for folder, file, test in named:
        assert test in names_in(ROOT / "tests" / folder / f"{file}.py")
