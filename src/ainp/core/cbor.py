"""
CBOR (RFC 8949) as another way to write the same JSON: a body is made JSON before anything else reads it.

So there is one set of limits and refusals. What JSON does not have is refused: tags, NaN and infinities, undefined,
names that are no text, a name twice; and byte strings, but for the members that the specification makes bytes. Heads
are walked before anything is made of them, so a tag is never followed and a length is never believed.
"""

from base64 import b64encode
from math import isfinite
from struct import unpack_from
from typing import Any, NoReturn
from uuid import UUID

import cbor2
import msgspec

from ainp.core.errors import InvalidRequest, TooLarge
from ainp.core.limits import MAX_BODY_BYTES, MAX_DEPTH, MAX_ENVELOPE_VALUES

# What an envelope's members are called where bytes count (the specification, 3.1).
NAMES = (
    *("version", "msg_type", "id", "timestamp", "ttl", "trace_id", "from_did", "to_did", "to_query", "schema", "qos"),
    *("capabilities_ref", "attestations", "payload", "sig"),
)
_EMBEDDING = "b64"
_UUID_BYTES = 16
_UNSIGNED, _BYTES, _TEXT, _ARRAY, _MAP, _TAG, _SIMPLE = 0, 2, 3, 4, 5, 6, 7
_INDEFINITE, _BREAK = 31, 0xFF
_FIRST_ARGUMENT = 24  # below it the head itself is the number
_ARGUMENT_BYTES = {24: 1, 25: 2, 26: 4, 27: 8}
_FLOATS = {25: ">e", 26: ">f", 27: ">d"}
_JSON_SIMPLE = frozenset({20, 21, 22})  # false, true, null
_WHOLE = 2**64


class InvalidCbor(InvalidRequest):
    """The body is not CBOR (RFC 8949), or says what JSON can't."""

    code = "INVALID_CBOR"


def to_json(raw: bytes, *, envelope: bool = False) -> bytes:
    """Write as JSON what *raw* says in CBOR; an *envelope* may have numbers for names."""
    _Walk(raw, numbered=envelope).check()
    try:
        tree = cbor2.loads(raw, max_depth=MAX_DEPTH + 1, allow_duplicate_keys=False)
    except cbor2.CBORDecodeError as error:
        raise InvalidCbor(f"the body is not CBOR that JSON could say: {error}") from error
    text = msgspec.json.encode(_as_json(tree, envelope=envelope))
    if len(text) > MAX_BODY_BYTES:
        raise TooLarge(
            f"as JSON the body has {len(text)} bytes, at most {MAX_BODY_BYTES} are read", limit=MAX_BODY_BYTES
        )
    return text


def from_json(text: bytes) -> bytes:
    """Write as CBOR what *text* says in JSON."""
    return cbor2.dumps(_without_tags(msgspec.json.decode(text)))


class _Walk:
    """One walk over the heads of *raw*: nothing is made, everything is bounded."""

    def __init__(self, raw: bytes, *, numbered: bool) -> None:
        self._raw = raw
        self._numbered = numbered
        self._at = 0
        self._values = 0
        self._open: list[list[int]] = []  # how many items are left (below 0: until a break), and 1 for a map

    def check(self) -> None:
        """Refuse what is not one value that JSON has."""
        self._item()
        while self._open:
            if self._peek() == _BREAK:
                self._break()
            else:
                self._item()
        if self._at != len(self._raw):
            _refuse(f"found {len(self._raw) - self._at} bytes after the value")

    def _item(self) -> None:
        self._values += 1
        if self._values > MAX_ENVELOPE_VALUES:
            _refuse(f"found more than {MAX_ENVELOPE_VALUES} values")
        head = self._peek()
        major, info = head >> 5, head & 31
        self._at += 1
        self._check_name(major)
        if major <= 1:
            self._argument(info)
        elif major <= _TEXT:
            self._string(major, info)
        elif major <= _MAP:
            self._begin(major, info)
            return
        else:
            self._other(major, info)
        self._end()

    def _check_name(self, major: int) -> None:
        """A name is text, or one of the envelope's numbers."""
        if not self._open:
            return
        left, is_map = self._open[-1]
        if is_map and left % 2 == 0 and major != _TEXT and not (self._numbered and major == _UNSIGNED):
            _refuse("found a member whose name is no text")

    def _begin(self, major: int, info: int) -> None:
        if len(self._open) == MAX_DEPTH:
            raise InvalidRequest(f"the body is nested deeper than {MAX_DEPTH} levels")
        left = -2 if info == _INDEFINITE else self._argument(info) * (2 if major == _MAP else 1)
        if left > len(self._raw) - self._at:
            _refuse(f"found {left} items announced, {len(self._raw) - self._at} bytes are left")
        self._open.append([left, major == _MAP])
        if left == 0:
            self._close()

    def _end(self) -> None:
        """An item has ended, and with it may what it stands in."""
        if not self._open:
            return
        top = self._open[-1]
        # Without an end: -2 before a name, -1 before its value.
        top[0] += -1 if top[0] > 0 else 1 if top[0] == -2 else -1  # noqa: PLR2004 - see above
        if top[0] == 0:
            self._close()

    def _close(self) -> None:
        self._open.pop()
        self._end()

    def _break(self) -> None:
        left, is_map = self._open[-1]
        if left >= 0 or (is_map and left == -1):
            _refuse("found a break where a value was to come")
        self._at += 1
        self._close()

    def _string(self, major: int, info: int) -> None:
        if info != _INDEFINITE:
            self._skip(self._argument(info))
            return
        while self._peek() != _BREAK:
            head = self._peek()
            self._at += 1
            if head >> 5 != major or head & 31 == _INDEFINITE:
                _refuse("found a string in parts that are not of its kind")
            self._skip(self._argument(head & 31))
        self._at += 1

    def _other(self, major: int, info: int) -> None:
        if major == _TAG:
            _refuse("found a tag, which JSON does not have")
        if info in _FLOATS:
            at = self._at
            self._skip(_ARGUMENT_BYTES[info])
            if not isfinite(unpack_from(_FLOATS[info], self._raw, at)[0]):
                _refuse("found NaN or an infinity, which JSON does not have")
        elif info not in _JSON_SIMPLE:
            _refuse(f"found the simple value {info}, expected false, true or null")

    def _argument(self, info: int) -> int:
        if info < _FIRST_ARGUMENT:
            return info
        size = _ARGUMENT_BYTES.get(info)
        if size is None:
            _refuse(f"found the length {info}, which means nothing here")
        at = self._at
        self._skip(size)
        return int.from_bytes(self._raw[at : self._at])

    def _peek(self) -> int:
        if self._at >= len(self._raw):
            _refuse("it ends before the value does")
        return self._raw[self._at]

    def _skip(self, size: int) -> None:
        self._at += size
        if self._at > len(self._raw):
            _refuse("it ends before the value does")


def _as_json(tree: Any, *, envelope: bool) -> Any:  # noqa: ANN401 - any JSON
    if type(tree) is dict:
        return _members(tree, envelope=envelope)
    return _plain(tree, "")


def _members(members: dict[Any, Any], *, envelope: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in members.items():
        name = key if type(key) is str else _name(key)
        if name in found:
            _refuse(f"found the member {name!r} twice, once by its number")
        if envelope and name == "envelope" and type(value) is dict:
            found[name] = _members(value, envelope=True)
        else:
            found[name] = _envelope_bytes(name, value) if envelope and type(value) is bytes else _plain(value, name)
    return found


def _name(number: int) -> str:
    if not 1 <= number <= len(NAMES):
        _refuse(f"found a member by the number {number}, expected 1 to {len(NAMES)}")
    return NAMES[number - 1]


def _envelope_bytes(name: str, value: bytes) -> str:
    if name == "sig":
        return b64encode(value).decode()
    if name == "id" and len(value) == _UUID_BYTES:
        return str(UUID(bytes=value))
    return _refuse(f"found {len(value)} bytes as {name[:80]!r}")


def _plain(value: Any, name: str) -> Any:  # noqa: ANN401 - any JSON
    kind = type(value)
    if kind is dict:
        for key in value:
            if type(key) is not str:
                _refuse(f"found a member by the number {key}, where an envelope's members do not stand")
        return {key: _plain(member, key) for key, member in value.items()}
    if kind is list:
        return [_plain(item, "") for item in value]
    if kind is bytes:
        if name != _EMBEDDING:
            _refuse(f"found {len(value)} bytes as {name[:80]!r}; only an embedding's b64 and a signature are bytes")
        return b64encode(value).decode()
    return value


def _without_tags(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Whole numbers that take more than 64 bits as what most readers of JSON make of them."""
    kind = type(value)
    if kind is dict:
        return {name: _without_tags(member) for name, member in value.items()}
    if kind is list:
        return [_without_tags(item) for item in value]
    if kind is int and not -_WHOLE <= value < _WHOLE:
        return float(value)
    return value


def _refuse(what: str) -> NoReturn:
    raise InvalidCbor(f"the body is not CBOR that JSON could say: {what}")
