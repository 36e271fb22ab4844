"""Files and functions stay small enough to be read at once."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULE_LINES = {"src": 400, "bench": 400, "tests": 500}
FUNCTION_LINES = 50
MODULES = [
    pytest.param(folder, path, id=str(path.relative_to(ROOT)))
    for folder in MODULE_LINES
    for path in sorted((ROOT / folder).rglob("*.py"))
]


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


@pytest.mark.parametrize(("folder", "path"), MODULES)
def test_a_module_and_its_functions_can_be_read_at_once(folder: str, path: Path) -> None:
    text = path.read_text()

    long = [
        f"{function.name}: {length} lines"
        for function in functions(ast.parse(text))
        if (length := (function.end_lineno or 0) - function.lineno + 1) > FUNCTION_LINES
    ]

    assert len(text.splitlines()) <= MODULE_LINES[folder]
    assert long == []


def test_the_tests_of_a_rule_stand_where_it_stands() -> None:
    rules = {path.stem for path in (ROOT / "src/ainp/core").glob("*.py")} - {"__init__"}
    tests = {path.stem.removeprefix("test_") for path in (ROOT / "tests/core").glob("test_*.py")}

    # Errors are facts that every test meets; moments are tested by what is made of them.
    assert rules - tests <= {"errors", "moments"}
