"""
JSON as it was written: members in the order they came in, numbers as the text they came as.

A signature is over bytes, and an envelope's are written again from what was read: by JavaScript, Python or RFC 8785.
A decoder that makes 1.0 a float and an object a hash table has lost what two of the three need.
"""

import json
import re
from collections.abc import Callable
from json.encoder import encode_basestring, encode_basestring_ascii
from math import isinf
from typing import Any, NoReturn

from ainp.core.canonical import canonical
from ainp.core.errors import InvalidEnvelope, InvalidJson
from ainp.core.limits import MAX_DEPTH, MAX_ENVELOPE_VALUES, MAX_NUMBER_DIGITS

_EXACT_DIGITS = 15  # whole numbers of so many digits are written by every language alike
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"?', re.DOTALL)
_BRACKET = re.compile(r"[\[\]{}]")
_SMALLEST, _LARGEST = 1e-4, 1e15  # between them nobody writes an exponent

Members = dict[str, Any]
Write = Callable[[Any], str]


class Number(str):
    """A number's text."""

    __slots__ = ()


def read(raw: bytes) -> Members:
    """
    Read one JSON object.

    Refused are bytes that two readers could understand as two things, or that can't be stored: a member that stands
    twice, a number that no double holds, NaN, a lone surrogate, NUL.
    """
    try:
        text = raw.decode()
        _check_shape(text)
        tree = _decoder.decode(text)
    except (ValueError, RecursionError) as error:  # both of json and of UTF-8 are ValueErrors
        raise InvalidJson(f"the envelope is not JSON (RFC 8259, UTF-8): {error}") from error
    if type(tree) is not dict:
        raise InvalidEnvelope(f"expected an object, found {kind_of(tree)}")
    if "\\u" in text:
        _check_texts(tree)
    return tree


def plain(tree: Any) -> Any:  # noqa: ANN401 - any JSON
    """The same with numbers as numbers."""
    kind = type(tree)
    if kind is Number:
        return number_of(tree)
    if kind is dict:
        return {name: plain(member) for name, member in tree.items()}
    if kind is list:
        return [plain(item) for item in tree]
    return tree


def number_of(text: Number) -> float:
    """A whole number as such, anything else as a double."""
    return int(text) if text.lstrip("-").isdigit() else float(text)


def kind_of(value: Any) -> str:  # noqa: ANN401
    """What JSON calls it."""
    if value is None:
        return "null"
    names = {dict: "an object", list: "an array", Number: "a number", bool: "a boolean"}
    return names.get(type(value), "a string")


def as_stringified(members: Members) -> bytes:
    """As JavaScript writes an object whose own members are sorted: what is nested keeps its order."""
    return _stringify({name: members[name] for name in _by_code_units(members)}).encode()


def as_dumped(members: Members) -> bytes:
    """As Python writes it with sorted keys: ASCII, sorted at every level by code points."""
    return _dump(members).encode()


def as_canonical(members: Members) -> bytes:
    """RFC 8785: sorted at every level by code units, numbers as ECMAScript writes doubles."""
    return _canonicalize(members).encode()


def _writer(quote: Callable[[str], str], number: Callable[[Number], str], order: Callable[[Members], Any]) -> Write:
    def write(value: Any) -> str:  # noqa: ANN401 - any JSON
        kind = type(value)
        if kind is str:
            return quote(value)
        if kind is dict:  # most members are texts, which need no call of their own
            members = [
                f"{quote(name)}:{quote(member) if type(member := value[name]) is str else write(member)}"
                for name in order(value)
            ]
            return "{" + ",".join(members) + "}"
        if kind is Number:
            return number(value)
        if kind is list:
            return "[" + ",".join([write(item) for item in value]) + "]"
        return "null" if value is None else "true" if value else "false"

    return write


def _by_code_units(members: Members) -> list[str]:
    # Surrogates sort before U+E000; without anything but ASCII code points say the same and are cheaper.
    if "".join(members).isascii():
        return sorted(members)
    return sorted(members, key=lambda name: name.encode("utf-16-be"))


def _as_double(text: Number) -> str:
    if len(text) <= _EXACT_DIGITS and text.isdigit():
        return text
    value = float(text)
    if _SMALLEST <= abs(value) < _LARGEST:
        return repr(value).removesuffix(".0")
    return canonical(value).decode()


_stringify = _writer(encode_basestring, str, iter)
_dump = _writer(encode_basestring_ascii, str, sorted)
_canonicalize = _writer(encode_basestring, _as_double, _by_code_units)


def _members(pairs: list[tuple[str, Any]]) -> Members:
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidEnvelope(f"found the member {twice[:80]!r} twice, expected once")
    return members


def _whole(text: str) -> Number:
    if len(text) > MAX_NUMBER_DIGITS:
        raise InvalidEnvelope(f"found a number of {len(text)} digits, expected at most {MAX_NUMBER_DIGITS}")
    return Number(text)


def _fraction(text: str) -> Number:
    if isinf(float(text)):
        raise InvalidEnvelope(f"found the number {text[:40]}, expected one that a double holds")
    return Number(text)


def _constant(text: str) -> NoReturn:
    raise InvalidJson(f"the envelope is not JSON: found {text}")


_decoder = json.JSONDecoder(
    object_pairs_hook=_members, parse_int=_whole, parse_float=_fraction, parse_constant=_constant
)  # to make one takes half as long as to read an envelope


def _check_shape(text: str) -> None:
    """Refuse what is nested too deeply or has too many values, before anything is made of it."""
    opened = text.count("{") + text.count("[")
    if opened <= MAX_DEPTH and opened + text.count(",") <= MAX_ENVELOPE_VALUES:
        return
    bare = _STRING.sub("", text)
    depth = 0
    for bracket in _BRACKET.findall(bare):
        depth += 1 if bracket in "[{" else -1
        if depth > MAX_DEPTH:
            raise InvalidEnvelope(f"the envelope is nested deeper than {MAX_DEPTH} levels")
    if bare.count(",") + bare.count("{") + bare.count("[") > MAX_ENVELOPE_VALUES:
        raise InvalidEnvelope(f"found more than {MAX_ENVELOPE_VALUES} values, expected at most so many")


def _check_texts(tree: Any) -> None:  # noqa: ANN401
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        for text in (*node, *node.values()) if type(node) is dict else node:
            if type(text) is str:
                _check_text(text)
            elif type(text) in (dict, list):
                waiting.append(text)


def _check_text(text: str) -> None:
    if "\0" in text:
        raise InvalidEnvelope("text: found the character NUL (\\u0000), which can't be stored")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidEnvelope("text: found half a character (a lone surrogate), which UTF-8 can't carry") from error
