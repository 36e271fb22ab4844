"""Limits stand in one place, each with its reason."""

import ast
import re
from datetime import timedelta
from pathlib import Path
from types import ModuleType

import pytest

import ainp
from ainp.core import limits, message_limits, payment_limits

SOURCE = Path(ainp.__file__).parent
# What a format allows stands with who reads it.
READERS = {"core/envelope.py", "core/lexemes.py", "core/http_signature.py", "core/http_signature_forms.py"}
# What bounds the work or the files of this side, and what a rule counts; nobody sends it.
OF_ITS_OWN = {"MAX_AGE", "MAX_TURNS", "_MAX_BYTES", "MAX_NEARLY_FULL", "MAX_SEATS"}
MODULES = (limits, message_limits, payment_limits)
CONSTANTS = [(module, name) for module in MODULES for name in vars(module) if name.isupper()]


@pytest.mark.parametrize(("module", "name"), CONSTANTS, ids=str)
def test_a_limit_says_what_it_is_for_and_why(module: ModuleType, name: str) -> None:
    value, limit = getattr(module, name), limits.table(module.__name__)[name]

    assert value > (timedelta(0) if isinstance(value, timedelta) else 0)
    assert limit.what
    assert limit.beyond
    assert limit.why


def test_what_limits_allow_fits_together() -> None:
    assert limits.MAX_REQUEST_LINE_BYTES < limits.MAX_HEADER_BYTES < limits.MAX_BODY_BYTES < limits.MAX_BODY_BYTES_SENT
    assert limits.MAX_CONNECTIONS_PER_ADDRESS < limits.MAX_CONNECTIONS
    assert limits.MAX_DESCRIPTION_LENGTH <= limits.MAX_DESCRIPTION_BYTES
    assert limits.MAX_PRICE_CREDITS * 1000 < 2**53
    assert 2 * limits.MAX_PROPOSAL_BYTES < limits.MAX_BODY_BYTES


def test_no_other_module_has_limits_of_its_own() -> None:
    found = []
    for path in SOURCE.rglob("*.py"):
        for node in ast.parse(path.read_text()).body:
            targets = node.targets if isinstance(node, ast.Assign) else []
            names = [target.id for target in targets if isinstance(target, ast.Name)]
            found += [(str(path.relative_to(SOURCE)), name) for name in names if re.match(r"_?MAX_", name)]

    assert [f"{path}: {name}" for path, name in found if path not in READERS and name not in OF_ITS_OWN] == []
