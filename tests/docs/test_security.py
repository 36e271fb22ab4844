"""The page on threats names tests that exist, has every test of the attacks, and every line of the checklist."""

import re

import pytest

from support.reader import ROOT

PAGE = (ROOT / "docs" / "security.md").read_text()
TESTS = ROOT / "tests"
NAMED = sorted(set(re.findall(r"`(\w+/test_\w+\.py)(?:::(\w+))?`", PAGE)))


@pytest.mark.parametrize(("path", "name"), NAMED, ids=["::".join(filter(None, each)) for each in NAMED])
def test_a_test_that_is_named_exists(path: str, name: str) -> None:
    text = (TESTS / path).read_text()

    assert not name or re.search(rf"^(?:async )?def {name}\(", text, re.MULTILINE)


def test_every_file_of_attacks_is_named() -> None:
    files = {f"attacks/{path.name}" for path in (TESTS / "attacks").glob("test_*.py")}

    assert files <= {path for path, _ in NAMED}


def test_every_threat_names_a_test() -> None:
    threats = PAGE.partition("## Threats")[2].partition("## The checklist")[0]
    rows = [row for row in threats.splitlines() if row.startswith("| ") and not row.startswith("| threat")]

    assert len(rows) > 30
    assert [row for row in rows if not re.search(r"`\w+/test_\w+\.py", row)] == []


def test_every_line_of_the_checklist_is_answered() -> None:
    checklist = PAGE.partition("## The checklist")[2].partition("## What is left")[0]

    assert len([row for row in checklist.splitlines() if row.startswith("| ")]) - 1 == 10


def test_the_page_is_found() -> None:
    assert "(docs/security.md)" in (ROOT / "README.md").read_text()
