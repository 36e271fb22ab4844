"""JSON as it was written, and as RFC 8785, JavaScript and Python write it."""

import json
import struct
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from ainp.core import lexemes
from ainp.core.errors import InvalidEnvelope, InvalidJson

# RFC 8785, appendix B: the bits of a double, and its text.
NUMBERS = {
    "0000000000000000": "0",
    "8000000000000000": "0",
    "0000000000000001": "5e-324",
    "8000000000000001": "-5e-324",
    "7fefffffffffffff": "1.7976931348623157e+308",
    "ffefffffffffffff": "-1.7976931348623157e+308",
    "4340000000000000": "9007199254740992",
    "c340000000000000": "-9007199254740992",
    "4430000000000000": "295147905179352830000",
    "44b52d02c7e14af5": "9.999999999999997e+22",
    "44b52d02c7e14af6": "1e+23",
    "44b52d02c7e14af7": "1.0000000000000001e+23",
    "444b1ae4d6e2ef4e": "999999999999999700000",
    "444b1ae4d6e2ef4f": "999999999999999900000",
    "444b1ae4d6e2ef50": "1e+21",
    "3eb0c6f7a0b5ed8c": "9.999999999999997e-7",
    "3eb0c6f7a0b5ed8d": "0.000001",
    "41b3de4355555553": "333333333.3333332",
    "41b3de4355555554": "333333333.33333325",
    "41b3de4355555555": "333333333.3333333",
    "41b3de4355555556": "333333333.3333334",
    "41b3de4355555557": "333333333.33333343",
    "becbf647612f3696": "-0.0000033333333333333333",
    "43143ff3c1cb0959": "1424953923781206.2",
}


@pytest.mark.parametrize("bits", NUMBERS)
def test_numbers_of_rfc_8785(bits: str) -> None:
    (value,) = struct.unpack(">d", bytes.fromhex(bits))

    for text in (repr(value), NUMBERS[bits]):
        assert lexemes.as_canonical(lexemes.read(f'{{"n":{text}}}'.encode())) == f'{{"n":{NUMBERS[bits]}}}'.encode()


def test_the_order_of_members_of_rfc_8785() -> None:
    """Section 3.2.3: by UTF-16 code units, so an emoji stands before U+FB33."""
    written = (
        r'{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One",'
        r'"\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"}'
    )
    members = lexemes.read(written.encode())

    by_code_units = ["\r", "1", "\x80", "ö", "€", "😀", "\ufb33"]
    assert list(json.loads(lexemes.as_canonical(members))) == by_code_units
    assert list(json.loads(lexemes.as_stringified(members))) == by_code_units
    assert list(json.loads(lexemes.as_dumped(members))) == sorted(by_code_units)


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(TEXTS, VALUES, max_size=4)


@given(members=OBJECTS, ascii_only=st.booleans())
def test_what_is_read_is_written_as_others_write_it(members: dict[str, Any], *, ascii_only: bool) -> None:
    read = lexemes.read(json.dumps(members, ensure_ascii=ascii_only).encode())

    assert lexemes.plain(read) == members
    assert lexemes.as_canonical(read) == rfc8785.dumps(members)
    assert lexemes.as_dumped(read) == json.dumps(members, sort_keys=True, separators=(",", ":")).encode()


@pytest.mark.parametrize(("text", "value"), [("1", 1), ("-0", 0), ("1.0", 1.0), ("1e2", 100.0), ("-1E-2", -0.01)])
def test_a_number_is_a_whole_one_if_it_is_written_as_one(text: str, value: float) -> None:
    found = lexemes.plain(lexemes.read(f'{{"n":[{text}]}}'.encode()))["n"][0]

    assert (found, type(found)) == (value, type(value))


@given(raw=st.binary(max_size=40))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    try:
        members = lexemes.read(raw)
    except (InvalidEnvelope, InvalidJson):
        return
    assert json.loads(lexemes.as_canonical(members)) == lexemes.plain(members)
