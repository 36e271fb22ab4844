"""The published examples of RFC 8785: appendix B on numbers, 3.2.2 and 3.2.3 on everything else."""

import json
import struct

import pytest

from ainp.core import lexemes
from ainp.core.canonical import canonical
from ainp.core.envelope import Scheme, canonical_text
from ainp.core.errors import BrokerError

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
EXAMPLE = r"""{
  "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
  "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
  "literals": [null, true, false]
}"""
CANONICAL = (
    '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
    '"string":"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
)
SORTED = ["\r", "1", "\x80", "\xf6", "\u20ac", "\U0001f600", "\ufb33"]


def double(bits: str) -> float:
    value: float = struct.unpack(">d", bytes.fromhex(bits))[0]
    return value


@pytest.mark.parametrize(("bits", "text"), NUMBERS.items())
def test_a_number_is_written_as_ecmascript_does(bits: str, text: str) -> None:
    assert canonical(double(bits)).decode() == text
    assert canonical([{"n": double(bits)}]).decode() == f'[{{"n":{text}}}]'


@pytest.mark.parametrize("text", NUMBERS.values())
def test_so_it_is_in_an_envelope_however_it_was_sent(text: str) -> None:
    long = format(float(text), ".30e")
    for sent in (text, text.upper(), long):
        members = lexemes.read(f'{{"n":{sent}}}'.encode())
        assert canonical_text(members, Scheme.C).decode() == f'{{"n":{text}}}'


@pytest.mark.parametrize("bits", ["7fffffffffffffff", "7ff0000000000000", "fff0000000000000"])
def test_what_is_no_number_has_no_form(bits: str) -> None:
    with pytest.raises(BrokerError):
        canonical(double(bits))


def test_the_example_of_section_3_2_2() -> None:
    assert canonical(json.loads(EXAMPLE)).decode() == CANONICAL
    assert canonical_text(lexemes.read(EXAMPLE.encode()), Scheme.C).decode() == CANONICAL


def test_members_are_sorted_by_utf_16_code_units_as_in_section_3_2_3() -> None:
    members = {name: name for name in sorted(SORTED)}

    assert list(json.loads(canonical(members))) == SORTED
    again = lexemes.read(json.dumps(members).encode())
    assert list(json.loads(canonical_text(again, Scheme.C))) == SORTED
