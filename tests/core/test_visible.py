"""What others wrote says on a terminal what it says, and nothing else."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ainp.core.visible import visible

HIDDEN = (
    *range(0x09),
    *range(0x0B, 0x20),
    *range(0x7F, 0xA0),
    *(0xAD, 0x61C, 0x180E, 0xFEFF),
    *range(0x200B, 0x2010),
    *range(0x2028, 0x202F),
    *range(0x2060, 0x2070),
    *range(0xFFF9, 0xFFFC),
    *(0xE0001, 0xE0041, 0xE007F),
)


@pytest.mark.parametrize("code", HIDDEN, ids=[f"U+{code:04X}" for code in HIDDEN])
def test_what_is_more_than_text_is_escaped(code: int) -> None:
    shown = visible(f"pay {chr(code)}bob")

    assert shown.isascii()
    assert shown.isprintable()
    assert json.loads(f'"{shown}"') == f"pay {chr(code)}bob"


@pytest.mark.parametrize(
    "text", ["", "two\nlines\tand a tab", "naïve", "日本語\u3000です", "ночь", "🙂", "1\u00a0000 €"]
)
def test_what_people_write_stays_as_it_is(text: str) -> None:
    assert visible(text) == text


@given(st.text())
def test_it_says_the_same_and_can_be_read_twice(text: str) -> None:
    shown = visible(json.dumps(text, ensure_ascii=False))

    assert json.loads(shown) == text
    assert visible(shown) == shown
    assert all(unicodedata.category(c) not in {"Cc", "Cf", "Cs", "Zl", "Zp"} for c in shown)
