"""Canonical JSON is RFC 8785's, whichever way it was written."""

from enum import StrEnum
from typing import Any

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from ainp.core.canonical import _plain, _Unsure, canonical
from ainp.core.errors import InvalidRequest

NUMBERS = st.one_of(
    st.integers(-(2**53) + 1, 2**53 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(-2e15, 2e15).map(lambda number: round(number, 3)),
    st.floats(-1, 1),
)
LEAVES = st.one_of(st.none(), st.booleans(), NUMBERS, st.text())
NAMES = st.one_of(st.text(), st.text(st.characters(max_codepoint=127)))
JSON = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner))


class Word(StrEnum):
    PASS = "AUDIT_PASS"


@given(value=JSON)
@example(value=[0.0, -0.0, 1.0, -5.0, 64.1, 0.95, 1e-4, 9.99e-5, 1e-7, 1e15, 1e16, 1e21, 2.0**53, 5e-324])
@example(value={"b": 1, "a": 2, "": 3, "A": 4, "a\x00": 5, "~": 6, "\x7f": 7})
@example(value={"\ue000": 1, "\U0001f600": 2})  # by code units the other way round than by code points
@example(value="".join(map(chr, range(0x100))) + "\u2028\u2029\ufeff\U0001f600")
def test_it_is_what_the_reference_writes(value: Any) -> None:  # noqa: ANN401
    assert canonical(value) == rfc8785.dumps(value)


def test_enumerations_and_tuples_are_their_values() -> None:
    assert canonical({"type": Word.PASS, "committee": ("b", "a")}) == b'{"committee":["b","a"],"type":"AUDIT_PASS"}'


@pytest.mark.parametrize(
    "value",
    [2**53, -(2**53), float("nan"), float("inf"), "\ud800", ["\udfff"], {"\ud800": 1}, {1: 2}, b"x", {"x"}, 1j],
    ids=repr,
)
def test_what_has_no_canonical_form_is_refused(value: object) -> None:
    with pytest.raises(InvalidRequest, match="RFC 8785"):
        canonical(value)


def test_statements_go_the_fast_way() -> None:
    statement = {"score": 0.9, "confidence": 1.0, "type": Word.PASS, "none": None, "k": 3, "nested": [{"a": True}]}

    assert _plain(statement) == statement
    with pytest.raises(_Unsure):
        _plain({"\xe9": 1})
