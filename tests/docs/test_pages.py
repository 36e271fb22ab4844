"""What the pages point at exists, and the decisions keep their form."""

import re
import tomllib
from importlib.metadata import metadata
from pathlib import Path

import pytest

from support.reader import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
DECISIONS = sorted((ROOT / "docs" / "adr").glob("*.md"))
FLOORS = "|".join(path.name for path in (ROOT / "src" / "ainp").iterdir() if path.is_dir() and "__" not in path.name)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text())
    local = [link for link in links if "://" not in link]

    assert [link for link in local if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_that_are_named_exist(page: Path) -> None:
    named = re.findall(rf"`((?:{FLOORS})/\w+)(?:\.\w+)?`", page.read_text())
    source = ROOT / "src" / "ainp"

    assert [name for name in named if not list(source.glob(f"{name}*"))] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_make_targets_that_are_named_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert set(re.findall(r"`make ([a-z-]+)`", page.read_text())) <= targets


@pytest.mark.parametrize(("number", "page"), list(enumerate(DECISIONS, 1)), ids=[page.stem for page in DECISIONS])
def test_a_decision_is_short_and_says_why(number: int, page: Path) -> None:
    text = page.read_text()

    assert page.name.startswith(f"{number:04d}-")
    assert text.startswith(f"# {number}. ")
    assert len(text.splitlines()) <= 20
    assert re.findall(r"^\*\*(\w+)\.\*\*", text, re.MULTILINE) == ["Context", "Decision", "Consequences"]


def dependencies() -> list[str]:
    asked = [
        *PROJECT["project"]["dependencies"],
        *(each for extra in PROJECT["project"]["optional-dependencies"].values() for each in extra),
        *PROJECT["dependency-groups"]["dev"],
    ]
    return [re.split(r"[<>=~!\[ ]", requirement)[0] for requirement in asked]


@pytest.mark.parametrize("name", dependencies())
def test_every_dependency_has_a_reason_and_its_licence(name: str) -> None:
    stack = " ".join((ROOT / "docs" / "adr" / "0001-stack.md").read_text().split())
    found = re.search(rf"\b{re.escape(name)}\b[^(]*\(([^)]+)\)", stack)
    said = metadata(name)
    fields = ("License-Expression", "License", "Classifier")
    licence = " ".join(text for field in fields for text in said.get_all(field) or ())

    assert found
    assert any(family in licence for family in re.findall(r"MIT|Apache|BSD|MPL", found[1])), licence[:200]
