"""Wrong values for every field of a body, found by looking at its type."""

import json
from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import Any

import msgspec
from msgspec import inspect

Path = tuple[str | int, ...]
_HOLE = "@@HOLE@@"

_NOT_NUMBERS = ("NaN", "Infinity", "-Infinity", "1e400", "-1e400", "1e99999", "0x10", "+1", ".5", "01")
_STRINGS, _BOOLEANS = ('"0.9"', '""', '"text"'), ("true", "false")
_LISTS, _OBJECTS = ("[]", '["x"]', "[0.5]"), ("{}", '{"x":1}')
_INTEGERS, _FRACTIONS = ("5", "-0", "0"), ("1.5", "-0.5")
_BY_KIND: tuple[tuple[type, tuple[str, ...]], ...] = (
    (inspect.StrType, (*_INTEGERS, *_FRACTIONS, *_BOOLEANS, "[]", "{}")),
    (inspect.FloatType, (*_STRINGS, *_BOOLEANS, *_LISTS, *_OBJECTS)),
    (inspect.IntType, (*_STRINGS, *_BOOLEANS, *_FRACTIONS, *_LISTS, *_OBJECTS)),
    (inspect.ListType, (*_STRINGS, *_BOOLEANS, *_INTEGERS, *_OBJECTS)),
    (inspect.DictType, (*_STRINGS, *_BOOLEANS, *_INTEGERS, *_LISTS)),
    (inspect.StructType, (*_STRINGS, *_BOOLEANS, *_INTEGERS, *_LISTS)),
)
BAD_TEXTS = (
    rb'"\u0000"',
    rb'"a\u0000b"',
    rb'"\\\u0000"',
    rb'"\ud800"',
    rb'"\udc00\ud800"',
    rb'"\ud800x"',
    b'"\xff"',
    b'"\xc0\x80"',
    b'"\xed\xa0\x80"',
    b'"a\x00b"',
    b'"a\nb"',
)


def fields(kind: type[msgspec.Struct]) -> Iterator[tuple[Path, inspect.Type]]:
    """Every field of a body with its path; of a list its first member stands for all."""
    yield from _fields((), inspect.type_info(kind))


def wrong_literals(kind: inspect.Type) -> list[bytes]:
    """JSON values, and some that are no JSON, which are not of this type."""
    kinds = _alternatives(kind)
    found = [set(literals) for known, literals in _BY_KIND for one in kinds if isinstance(one, known)]
    wrong = set.intersection(*found) if found else set()
    if not any(isinstance(one, inspect.NoneType) for one in kinds):
        wrong.add("null")
    return [literal.encode() for literal in sorted(wrong) + list(_NOT_NUMBERS)]


def takes_text(kind: inspect.Type) -> bool:
    """Whether a string may stand here."""
    return any(isinstance(one, inspect.StrType) for one in _alternatives(kind))


def takes_anything(kind: inspect.Type) -> bool:
    """Whether this is an object of any members."""
    return any(isinstance(one, inspect.DictType) for one in _alternatives(kind))


def takes_number(kind: inspect.Type) -> bool:
    """Whether a number may stand here."""
    return any(isinstance(one, inspect.FloatType | inspect.IntType) for one in _alternatives(kind))


def with_literal(body: object, path: Path, literal: bytes) -> bytes:
    """*body* as JSON with *literal* written at *path*, whatever it is."""
    changed = deepcopy(body)
    place: Any = changed
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = _HOLE
    return json.dumps(changed).encode().replace(json.dumps(_HOLE).encode(), literal)


def without(body: object, path: Path) -> bytes:
    """*body* as JSON with the member at *path* left out."""
    changed = deepcopy(body)
    place: Any = changed
    for step in path[:-1]:
        place = place[step]
    del place[path[-1]]
    return json.dumps(changed).encode()


def required(kind: type[msgspec.Struct]) -> list[Path]:
    """The members that a body must have, at any depth."""
    return list(_required((), inspect.type_info(kind)))


def _fields(path: Path, kind: inspect.Type) -> Iterator[tuple[Path, inspect.Type]]:
    kinds = _alternatives(kind)
    objects = any(isinstance(one, inspect.StructType) for one in kinds)  # a body has one of several forms: that one
    for one in kinds:
        if isinstance(one, inspect.StructType):
            for field in one.fields:
                here = (*path, field.encode_name)
                yield here, field.type
                yield from _fields(here, field.type)
        elif isinstance(one, inspect.ListType) and not objects:
            yield (*path, 0), one.item_type
            yield from _fields((*path, 0), one.item_type)


def _required(path: Path, kind: inspect.Type) -> Iterator[Path]:
    for one in _alternatives(kind):
        if isinstance(one, inspect.StructType):
            for field in one.fields:
                if field.required:
                    yield (*path, field.encode_name)
                yield from _required((*path, field.encode_name), field.type)
        elif isinstance(one, inspect.ListType):
            yield from _required((*path, 0), one.item_type)


def _alternatives(kind: inspect.Type) -> Sequence[inspect.Type]:
    if isinstance(kind, inspect.Metadata):
        return _alternatives(kind.type)
    if isinstance(kind, inspect.UnionType):
        return [one for member in kind.types for one in _alternatives(member)]
    return [kind]
