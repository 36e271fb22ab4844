"""Bodies in CBOR: the same value as in JSON, or refused."""

from base64 import b64decode, b64encode
from datetime import timedelta
from struct import pack
from typing import Any
from uuid import UUID

import cbor2
import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ainp.core import cbor
from ainp.core.canonical import canonical
from ainp.core.cbor import InvalidCbor
from ainp.core.envelope import Scheme, open_envelope, verify
from ainp.core.errors import BrokerError, InvalidRequest, TooLarge
from ainp.core.limits import MAX_BODY_BYTES, MAX_DEPTH, MAX_ENVELOPE_VALUES
from ainp.core.moments import UNIX_EPOCH
from support.builders import vectors

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
Json = Any
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXT, inner, max_size=5),
    max_leaves=30,
)


def read(raw: bytes, *, envelope: bool = False) -> Json:
    return msgspec.json.decode(cbor.to_json(raw, envelope=envelope))


@settings(max_examples=50)
@given(JSON)
@example({"a": [1.0, -0.0, 5e-324, 2**64 - 1, -(2**63), "\U0001f600", {"": None}]})
def test_json_is_the_same_value_after_it_went_through_cbor(value: Json) -> None:
    text = msgspec.json.encode(value)

    assert msgspec.json.decode(cbor.to_json(cbor.from_json(text))) == msgspec.json.decode(text)


@settings(max_examples=50)
@given(JSON)
def test_however_it_is_encoded_it_is_the_same_value(value: Json) -> None:
    """Shortest floats and sorted names, or lengths that are told at the end."""
    text = msgspec.json.encode(value)

    for form in (cbor2.dumps(value, canonical=True), cbor2.dumps(value, indefinite_containers=True)):
        assert canonical_or_none(cbor.to_json(form)) == canonical_or_none(text)


def canonical_or_none(text: bytes) -> bytes | None:
    """As RFC 8785, where it has a form for such a number."""
    try:
        return canonical(msgspec.json.decode(text))
    except InvalidRequest:
        return None


@settings(max_examples=50)
@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_read_or_refused(raw: bytes, envelope: bool) -> None:  # noqa: FBT001 - drawn
    try:
        text = cbor.to_json(raw, envelope=envelope)
    except BrokerError:
        return

    assert cbor.to_json(cbor.from_json(text)) == text


@settings(max_examples=50)
@given(JSON, st.integers(0, 400), st.integers(0, 255))
def test_a_byte_that_was_changed_is_read_or_refused(value: Json, at: int, byte: int) -> None:
    raw = bytearray(cbor2.dumps(value))
    raw[at % len(raw)] = byte
    try:
        msgspec.json.decode(cbor.to_json(bytes(raw)))
    except BrokerError:
        return


def test_lengths_may_be_told_at_the_end() -> None:
    raw = bytes.fromhex("bf 6161 9f 01 82 02 03 9f ff ff 7f 6162 ff bf ff 6163 7f 6178 6179 ff ff".replace(" ", ""))

    assert read(raw) == {"a": [1, [2, 3], []], "b": {}, "c": "xy"}


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        pytest.param("", "ends before", id="nothing"),
        pytest.param("a1616101f6", "after the value", id="something behind it"),
        pytest.param("a16161", "ends before", id="half a member"),
        pytest.param("821801", "ends before", id="an array that ends early"),
        pytest.param("1901", "ends before", id="half a number"),
        pytest.param("6161 ".strip() + "ff", "after the value", id="a break behind it"),
        pytest.param("ff", "1f|break|31|simple", id="a break alone"),
        pytest.param("82ff01", "break", id="a break in an array of a length"),
        pytest.param("bf6161ff", "break", id="a break for a value"),
        pytest.param("a26161016161 02".replace(" ", ""), "(?i)duplicate", id="a member twice"),
        pytest.param("bf616101616102ff", "(?i)duplicate", id="a member twice, without a length"),
        pytest.param("a10102", "no text", id="a number for a name"),
        pytest.param("a1410102", "no text", id="bytes for a name"),
        pytest.param("a1f601", "no text", id="null for a name"),
        pytest.param("a18001", "no text", id="a list for a name"),
        pytest.param("a1c0616101", "no text", id="a tagged name"),
        pytest.param("c11a00000000", "tag", id="a time"),
        pytest.param("c249010000000000000000", "tag", id="a large number"),
        pytest.param("d9d9f7a0", "tag", id="the tag that says it is CBOR"),
        pytest.param("d81c81d81d00", "tag", id="a list that is its own member"),
        pytest.param("f97e00", "NaN", id="NaN"),
        pytest.param("f97c00", "infinity", id="infinity"),
        pytest.param("fa7f800000", "infinity", id="infinity in 32 bits"),
        pytest.param("fbfff0000000000000", "infinity", id="minus infinity"),
        pytest.param("f7", "simple value 23", id="undefined"),
        pytest.param("e0", "simple value 0", id="a simple value"),
        pytest.param("f820", "simple value 24", id="a simple value in two bytes"),
        pytest.param("1c", "length 28", id="a length that means nothing"),
        pytest.param("1f", "length 31", id="a number without an end"),
        pytest.param("61ff", "(?i)text", id="text that is not UTF-8"),
        pytest.param("63eda080", "(?i)text", id="half a character"),
        pytest.param("7f4161ff", "parts", id="bytes among parts of text"),
        pytest.param("7f7f6161ffff", "parts", id="parts of parts"),
        pytest.param("7f6161", "ends before", id="parts without an end"),
        pytest.param("9b7fffffffffffffff", "announced", id="a list of 2^63 items"),
        pytest.param("bb7fffffffffffffff", "announced", id="a map of 2^63 members"),
        pytest.param("5b7fffffffffffffff", "ends before", id="a string of 2^63 bytes"),
        pytest.param("a1616141ff", "bytes as 'a'", id="bytes"),
        pytest.param("8141ff", "bytes as ''", id="bytes in a list"),
        pytest.param("a16373696741ff", "bytes as 'sig'", id="a signature where there is none"),
    ],
)
def test_what_json_does_not_have_is_refused(sent: str, why: str) -> None:
    with pytest.raises(InvalidCbor, match=why):
        cbor.to_json(bytes.fromhex(sent))


def test_it_is_bounded_as_json_is() -> None:
    deepest = b"\x81" * (MAX_DEPTH - 1) + b"\x80"
    many = b"\x99" + pack(">H", MAX_ENVELOPE_VALUES - 1) + bytes(MAX_ENVELOPE_VALUES - 1)

    assert read(many) == [0] * (MAX_ENVELOPE_VALUES - 1)
    assert str(read(deepest)).count("[") == MAX_DEPTH
    for deep in (b"\x81" + deepest, b"\x9f" * 100_000, b"\xbf\x61a" * 1000):
        with pytest.raises(InvalidRequest, match="deeper"):
            cbor.to_json(deep)
    for long in (
        b"\x99" + pack(">H", MAX_ENVELOPE_VALUES) + bytes(MAX_ENVELOPE_VALUES),
        b"\x9f" + bytes(MAX_ENVELOPE_VALUES),
    ):
        with pytest.raises(InvalidRequest, match="more than 20000 values"):
            cbor.to_json(long)
    with pytest.raises(TooLarge):
        cbor.to_json(cbor2.dumps({"a": "\x01" * (MAX_BODY_BYTES // 4)}))


def test_an_envelope_may_have_numbers_for_names_and_bytes_where_it_has_base64() -> None:
    id_, vector = UUID("6f1c1d0e-4b8e-4f6a-9d2f-0c1a2b3c4d5e"), pack("<3f", 0.5, -1, 3)
    sent = {
        1: "0.1.0", 2: "INTENT", 3: id_.bytes, 4: 1_700_000_000_000, 5: 60_000, 6: "t", 7: "did:key:a",
        8: "did:key:b", 9: {"embedding": {"b64": vector, "dim": 3}}, 10: "s", 11: {"urgency": 0.5}, 12: "c", 13: [],
        14: {"embedding": {"b64": vector}}, 15: bytes(64), "more": 1,
    }  # fmt: skip
    named = {
        "version": "0.1.0", "msg_type": "INTENT", "id": str(id_), "timestamp": 1_700_000_000_000, "ttl": 60_000,
        "trace_id": "t", "from_did": "did:key:a", "to_did": "did:key:b",
        "to_query": {"embedding": {"b64": b64encode(vector).decode(), "dim": 3}}, "schema": "s",
        "qos": {"urgency": 0.5}, "capabilities_ref": "c", "attestations": [],
        "payload": {"embedding": {"b64": b64encode(vector).decode()}}, "sig": b64encode(bytes(64)).decode(), "more": 1,
    }  # fmt: skip

    assert read(cbor2.dumps(sent), envelope=True) == named
    assert read(cbor2.dumps({"envelope": sent, "query": {"tags": []}}), envelope=True) == {
        "envelope": named,
        "query": {"tags": []},
    }


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param({1: "0.1.0", "version": "0.1.0"}, id="a member by its name and its number"),
        pytest.param({0: 1}, id="number 0"),
        pytest.param({16: 1}, id="a number that names nothing"),
        pytest.param({14: {1: "0.1.0"}}, id="a number within the payload"),
        pytest.param({3: bytes(15)}, id="an id of 15 bytes"),
        pytest.param({7: b"did"}, id="a DID in bytes"),
        pytest.param({14: {"sig": b"x"}}, id="a signature within the payload"),
    ],
)
def test_other_numbers_and_bytes_are_refused(sent: dict[Any, Any]) -> None:
    with pytest.raises(InvalidCbor):
        cbor.to_json(cbor2.dumps(sent), envelope=True)


def test_numbers_that_need_a_tag_are_answered_as_most_read_them() -> None:
    assert cbor2.loads(cbor.from_json(b'{"a":[1e300,18446744073709551615,-18446744073709551616]}')) == {
        "a": [1e300, 2**64 - 1, -(2**64)]
    }
    assert cbor2.loads(cbor.from_json(b"[100000000000000000000]")) == [1e20]


@pytest.mark.parametrize("vector", vectors()["envelopes"], ids=lambda vector: str(vector["name"]))
def test_the_vectors_verify_in_cbor_by_the_schemes_that_sign_values(vector: Json) -> None:
    """With numbers for names, and the signature as bytes."""
    public = bytes.fromhex(vectors()["keys"][vector["signer"]]["public_key_hex"])
    unsigned = {cbor.NAMES.index(name) + 1: value for name, value in vector["envelope_without_sig"].items()}
    sent_at = UNIX_EPOCH + timedelta(milliseconds=vector["envelope_without_sig"]["timestamp"])
    for scheme, name in ((Scheme.C, "C_jcs_raw"), (Scheme.D, "D_rfc_jcs_sha256")):
        if name not in vector["schemes"]:
            continue
        raw = cbor2.dumps({**unsigned, 15: b64decode(vector["schemes"][name]["sig"])}, canonical=True)

        opened = open_envelope(cbor.to_json(raw, envelope=True), now=sent_at)

        assert verify(opened, keys=[public], schemes=[scheme]).scheme is scheme
