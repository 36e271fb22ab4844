"""docs/checklist.md answers every line of the deployment checklist, by what exists."""

import re
from hashlib import sha256

import pytest
from typer.main import get_command

from ainp.cli import COMMANDS, app
from ainp.cli.doctor.run import Wanted
from ainp.http.routes import ROUTES
from ainp.settings import Settings, variable_of
from support.reader import ROOT

PAGE = (ROOT / "docs" / "checklist.md").read_text()
# Of all lines of the checklist but headings, fences and rules: stripped, links written out, one below the other.
LINES, DIGEST = 260, "0e7736753a689f03768f537a435371a84a01e4a7abef0839513f9d0a3ae820e2"
ENTRIES = re.findall(r"^```text\n(.*?)\n```\n\n(.*?)(?=\n\n```text|\n\n## |\Z)", PAGE, re.DOTALL | re.MULTILINE)
ANSWERS = "\n".join(answer for _, answer in ENTRIES)
NAMED = sorted(set(re.findall(r"`([^`]+)`", ANSWERS.replace("\n", " "))))
FOLDERS = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir()}


def test_every_line_of_the_checklist_stands_here() -> None:
    lines = [line for quoted, _ in ENTRIES for line in quoted.splitlines()]

    assert len(lines) == LINES
    assert sha256("\n".join(lines).encode()).hexdigest() == DIGEST


@pytest.mark.parametrize(("quoted", "answer"), ENTRIES, ids=[quoted[:40] for quoted, _ in ENTRIES])
def test_every_line_has_an_answer(quoted: str, answer: str) -> None:
    assert "`" in answer or "Differs: " in answer or "](" in answer, quoted


@pytest.mark.parametrize("named", [name for name in NAMED if "::" in name])
def test_every_test_that_is_named_exists(named: str) -> None:
    path, _, function = named.partition("::")

    assert path.split("/")[0] in FOLDERS
    assert f"def {function}(" in (ROOT / "tests" / f"{path}.py").read_text()


@pytest.mark.parametrize("named", [name for name in NAMED if name.startswith("ainp ")])
def test_every_command_that_is_named_exists(named: str) -> None:
    _, command, *rest = named.split()
    found = get_command(app).get_command(None, command)  # type: ignore[attr-defined]
    if rest and not rest[0].startswith("-") and rest[0].islower() and hasattr(found, "commands"):
        found = found.commands[rest.pop(0)]
    options = {option for parameter in found.params for option in parameter.opts}

    assert command in COMMANDS or command == "version"
    assert {word for word in rest if word.startswith("--")} <= options
    if command == "doctor":
        assert not Wanted(only=frozenset(re.findall(r"--only (\S+)", named))).strange


@pytest.mark.parametrize("named", [name for name in NAMED if "/" in name and "::" not in name])
def test_every_file_and_route_that_is_named_exists(named: str) -> None:
    method, _, path = named.partition(" ")

    assert (ROOT / named).exists() or (method, path) in {(route.method, route.path) for route in ROUTES}


@pytest.mark.parametrize("named", [name for name in NAMED if re.fullmatch(r"[A-Z][A-Z0-9_]+(=\w+)?", name)])
def test_every_setting_that_is_named_exists(named: str) -> None:
    assert named.partition("=")[0] in {variable_of(name) for name in Settings.model_fields}
