"""Envelopes: the contract's vectors, what is checked in which order, and which text was signed."""

import base64
import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from nacl.signing import SigningKey

from ainp.core import lexemes
from ainp.core.envelope import (
    Scheme,
    Verified,
    canonical_text,
    open_envelope,
    signed_envelope,
    verify,
)
from ainp.core.errors import BrokerError, InvalidEnvelope, InvalidJson, InvalidSignature, TooLarge
from ainp.core.limits import MAX_BODY_BYTES
from ainp.core.moments import UNIX_EPOCH
from ainp.core.signature import read_signature
from support.builders import vectors

KEYS = vectors()["keys"]
ALICE = bytes.fromhex(KEYS["alice"]["public_key_hex"])
SIGNER = SigningKey(bytes.fromhex(KEYS["alice"]["seed_hex"]))
SENT_MS = 1760000000000
NOW = UNIX_EPOCH + timedelta(milliseconds=SENT_MS)
USUAL = (Scheme.A, Scheme.C, Scheme.B)
NAMES = {
    Scheme.A: "A_ts_shallow",
    Scheme.B: "B_py_recursive_ascii",
    Scheme.C: "C_jcs_raw",
    Scheme.D: "D_rfc_jcs_sha256",
}
PLAIN = {
    "id": "11111111-1111-4111-8111-111111111111",
    "from_did": KEYS["alice"]["did"],
    "to_did": KEYS["bob"]["did"],
    "msg_type": "INTENT",
    "timestamp": SENT_MS,
    "payload": {"b": 1, "a": [True, None, {"z": "é", "y": 0.5}]},
}
WIRES = {vector["name"]: vector["wire_json"].encode() for vector in vectors()["envelopes"]}


def sign(text: bytes) -> str:
    return base64.b64encode(SIGNER.sign(text).signature).decode()


def wire(scheme: Scheme = Scheme.A, **changes: object) -> bytes:
    """An envelope as a client of *scheme* sends it."""
    members = {name: value for name, value in {**PLAIN, **changes}.items() if value is not ...}
    text = json.dumps(members, ensure_ascii=False, separators=(",", ":"))
    signature = sign(canonical_text(lexemes.read(text.encode()), scheme))
    return json.dumps({**members, "sig": changes.get("sig", signature)}, ensure_ascii=False).encode()


def verified(raw: bytes, *schemes: Scheme, now: datetime = NOW) -> Verified:
    return verify(open_envelope(raw, now=now), keys=[ALICE], schemes=schemes or USUAL)


def as_sent_by(scheme: Scheme, vector: Mapping[str, Any]) -> lexemes.Members:
    """What the client that *scheme* is of would have sent: Python writes 1.0 where JavaScript writes 1."""
    by_python = scheme is Scheme.B
    return lexemes.read((vector["schemes"][NAMES[scheme]]["canonical"] if by_python else vector["wire_json"]).encode())


@pytest.mark.parametrize("scheme", Scheme)
@pytest.mark.parametrize("vector", vectors()["envelopes"], ids=lambda vector: vector["name"])
def test_the_text_that_is_signed(vector: dict[str, Any], scheme: Scheme) -> None:
    known = vector["schemes"][NAMES[scheme]]
    members = as_sent_by(scheme, vector)
    text = canonical_text(members, scheme)

    if scheme is Scheme.D:
        assert text.hex() == known["signed_bytes_hex"]
        assert canonical_text(members, Scheme.C) == known["canonical"].encode()
    else:
        assert text == known["canonical"].encode()
        assert (len(text), hashlib.sha256(text).hexdigest()) == (known["canonical_bytes"], known["canonical_sha256"])
    assert sign(text) == known["sig"]


@pytest.mark.parametrize("scheme", Scheme)
@pytest.mark.parametrize("vector", vectors()["envelopes"], ids=lambda vector: vector["name"])
def test_which_schemes_an_envelope_verifies_under(vector: dict[str, Any], scheme: Scheme) -> None:
    expected = vector["wire_sig_verifies_under"][NAMES[scheme]]
    if (vector["name"], scheme) == ("numbers", Scheme.B):
        expected = True  # the vector has Python print JavaScript's numbers; here they are kept as they were sent

    try:
        assert verified(vector["wire_json"].encode(), scheme).scheme is scheme
        accepted = True
    except InvalidSignature:
        accepted = False

    assert accepted == expected


@pytest.mark.parametrize(
    ("name", "scheme"),
    [("all_agree", Scheme.A), ("non_ascii", Scheme.A), ("python_sdk_wire", Scheme.B), ("advertise", Scheme.A)],
)
def test_the_first_scheme_that_fits_is_named(name: str, scheme: Scheme) -> None:
    assert verified(WIRES[name]) == Verified(scheme)


def test_the_specification_s_hash_is_verified_only_where_it_is_switched_on() -> None:
    with pytest.raises(InvalidSignature):
        verified(WIRES["rfc_hash"])

    assert verified(WIRES["rfc_hash"], *USUAL, Scheme.D).scheme is Scheme.D


@pytest.mark.parametrize("vector", vectors()["envelope_signature_negative"], ids=lambda vector: vector["name"])
def test_refused_envelopes_of_the_contract(vector: dict[str, Any]) -> None:
    with pytest.raises(BrokerError) as refusal:
        verified(vector["wire_json"].encode(), *Scheme)

    assert vector["expect"].split()[1] == refusal.value.code


@pytest.mark.parametrize("form", ["standard_padded", "unpadded", "urlsafe", "with_newline"])
def test_a_signature_is_read_in_the_forms_that_clients_send(form: str) -> None:
    members = json.loads(WIRES["all_agree"]) | {"sig": vectors()["base64_variants"][form]}

    assert verified(json.dumps(members).encode()).scheme is Scheme.A


@pytest.mark.parametrize("text", ["1.0", "1e-07", "-0.0", "1e+20", "1E3", "100000000000000000000", "0.10"])
def test_a_number_is_signed_as_it_was_written(text: str) -> None:
    payload = f'"payload":{{"n":{text}}}'
    members = json.dumps({**PLAIN, "payload": 0}).replace('"payload": 0', payload)
    for scheme in (Scheme.A, Scheme.B):
        signed = canonical_text(lexemes.read(members.encode()), scheme)
        raw = members[:-1] + f',"sig":"{sign(signed)}"}}'

        assert f'"n":{text}'.encode() in signed
        assert verified(raw.encode(), scheme).scheme is scheme


ORDER_OF_CHECKS: dict[str, tuple[bytes, str]] = {
    "no JSON": (b"{", "INVALID_JSON"),
    "a list": (b"[]", "INVALID_ENVELOPE"),
    "nothing": (b"{}", "INVALID_ENVELOPE"),
    "an empty id": (wire(id=""), "INVALID_ENVELOPE"),
    "a number as id": (wire(id=1), "INVALID_ENVELOPE"),
    "a long id": (wire(id="x" * 201), "INVALID_ENVELOPE"),
    "no time": (wire(timestamp=...), "INVALID_ENVELOPE"),
    "a text as time": (wire(timestamp=str(SENT_MS)), "INVALID_ENVELOPE"),
    "half a millisecond": (wire(timestamp=SENT_MS + 0.5), "INVALID_ENVELOPE"),
    "no time there is": (wire(timestamp=1e300), "INVALID_ENVELOPE"),
    "before time": (wire(timestamp=-1), "INVALID_ENVELOPE"),
    "a negative ttl": (wire(ttl=-1), "INVALID_ENVELOPE"),
    "a ttl without end": (wire(ttl=31 * 86400_000), "INVALID_ENVELOPE"),
    "another kind of DID": (wire(from_did="did:ainp:broker"), "INVALID_ENVELOPE"),
    "to nobody": (wire(to_did="bob"), "INVALID_ENVELOPE"),
    "a payload that is a text": (wire(payload="x"), "INVALID_ENVELOPE"),
    "structure before version": (wire(id="", version="9"), "INVALID_ENVELOPE"),
    "version before skew": (wire(version="0.2.0", timestamp=0), "UNSUPPORTED_VERSION"),
    "skew before ttl": (wire(timestamp=SENT_MS - 60_001, ttl=1), "INVALID_TIMESTAMP"),
    "from the future": (wire(timestamp=SENT_MS + 60_001), "INVALID_TIMESTAMP"),
    "ttl before signature": (wire(timestamp=SENT_MS - 2, ttl=1, sig="!"), "ENVELOPE_EXPIRED"),
    "as old as the usual ttl": (wire(timestamp=SENT_MS - 60_000), "ENVELOPE_EXPIRED"),
    "signed by nobody": (wire(sig="dummy-sig"), "INVALID_SIGNATURE"),
}


@pytest.mark.parametrize("case", ORDER_OF_CHECKS)
def test_what_is_wrong_first_is_said(case: str) -> None:
    raw, code = ORDER_OF_CHECKS[case]

    with pytest.raises(BrokerError) as refusal:
        verified(raw)

    assert refusal.value.code == code


@pytest.mark.parametrize("ms", [-59_999, 60_000])
def test_clocks_may_differ_by_a_minute(ms: int) -> None:
    assert verified(wire(timestamp=SENT_MS + ms)).scheme is Scheme.A


def test_the_lite_form_is_seven_members() -> None:
    raw = wire(payload=..., version="0.1.0")
    envelope = open_envelope(raw, now=NOW)

    assert set(json.loads(raw)) == {"version", "msg_type", "id", "timestamp", "from_did", "to_did", "sig"}
    assert (envelope.ttl, envelope.payload, envelope.trace_id) == (timedelta(minutes=1), {}, None)
    assert verified(raw).scheme is Scheme.A


@pytest.mark.parametrize(
    ("ttl", "seconds"), [(..., 120), (1000, 61), (7 * 86400_000, 86400 + 60)], ids=["usual", "short", "a week"]
)
def test_a_nonce_is_remembered_as_long_as_the_envelope_holds_and_a_minute_more(ttl: object, seconds: int) -> None:
    envelope = open_envelope(wire(ttl=ttl), now=NOW)

    assert envelope.remembered_until == NOW + timedelta(seconds=seconds)


def test_an_envelope_may_come_wrapped_with_a_query() -> None:
    wrapped = b'{"query":{"tags":["t"]},"envelope":' + wire() + b"}"

    assert open_envelope(wrapped, now=NOW).query == {"tags": ["t"]}
    assert verified(wrapped) == Verified(Scheme.A)


def test_an_envelope_that_is_wrapped_twice_is_none() -> None:
    with pytest.raises(InvalidEnvelope, match="Missing required fields"):
        open_envelope(b'{"envelope":{"envelope":' + wire() + b"}}", now=NOW)


def test_a_flat_query_may_have_been_added_after_signing_and_the_answer_says_so() -> None:
    inside = wire(query={"description": "d"})
    outside = wire()[:-1] + b', "query": {"description": "d"}}'

    assert verified(inside) == Verified(Scheme.A, query_signed=True)
    assert verified(outside) == Verified(Scheme.A, query_signed=False)


HOSTILE = {
    "a member twice": (wire()[:-1] + b', "id": "2"}', InvalidEnvelope, "'id' twice"),
    "a nested member twice": (b'{"a":[{"b":1,"\\u0062":2}]}', InvalidEnvelope, "'b' twice"),
    "too deep": (b'{"a":' + b"[" * 64 + b"]" * 64 + b"}", InvalidEnvelope, "deeper than 64"),
    "much too deep": (b"[" * 20_000, InvalidEnvelope, "deeper than 64"),
    "too many": (b'{"a":[' + b"0," * 20_001 + b"0]}", InvalidEnvelope, "more than 20000 values"),
    "too large": (b'{"a":"' + b"x" * MAX_BODY_BYTES + b'"}', TooLarge, "at most"),
    "not a number": (b'{"a":NaN}', InvalidJson, "NaN"),
    "infinite": (b'{"a":-Infinity}', InvalidJson, "Infinity"),
    "beyond a double": (b'{"a":1e309}', InvalidEnvelope, "double"),
    "many digits": (b'{"a":' + b"1" * 301 + b"}", InvalidEnvelope, "301 digits"),
    "half a character": (b'{"a":["\\ud800"]}', InvalidEnvelope, "surrogate"),
    "half a name": (b'{"\\udc00":1}', InvalidEnvelope, "surrogate"),
    "NUL": (b'{"a":{"b":"\\u0000"}}', InvalidEnvelope, "NUL"),
    "UTF-16": ('{"a":1}'.encode("utf-16"), InvalidJson, "UTF-8"),
    "a mark in front": (b'\xef\xbb\xbf{"a":1}', InvalidJson, "not JSON"),
    "a control character": (b'{"a":"\x01"}', InvalidJson, "not JSON"),
    "a comma too many": (b'{"a":1,}', InvalidJson, "not JSON"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_what_two_readers_could_read_differently_is_refused(case: str) -> None:
    raw, kind, words = HOSTILE[case]

    with pytest.raises(kind, match=words):
        open_envelope(raw, now=NOW)


def test_prose_with_many_commas_is_not_many_values() -> None:
    assert verified(wire(payload={"text": '\\",[{' * 30_000})).scheme is Scheme.A


NAMES_OF_MEMBERS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | NAMES_OF_MEMBERS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES_OF_MEMBERS, inner, max_size=3),
    max_leaves=8,
)
PAYLOADS = st.dictionaries(NAMES_OF_MEMBERS, VALUES, max_size=4)


@given(payload=PAYLOADS, scheme=st.sampled_from(Scheme))
def test_what_is_signed_verifies(payload: dict[str, Any], scheme: Scheme) -> None:
    assert verified(wire(scheme, payload=payload), scheme).scheme is scheme


@given(payload=PAYLOADS)
def test_what_we_sign_verifies_as_javascript_s_and_as_canonical(payload: dict[str, Any]) -> None:
    raw = signed_envelope({**PLAIN, "payload": payload}, sign=sign)

    assert verified(raw, Scheme.A).scheme is Scheme.A
    assert verified(raw, Scheme.C).scheme is Scheme.C
    if raw.isascii() and b"\x7f" not in raw:
        assert verified(raw, Scheme.B).scheme is Scheme.B


@given(payload=PAYLOADS)
def test_a_proxy_that_sorts_members_breaks_a_and_keeps_c(payload: dict[str, Any]) -> None:
    def sorted_by_proxy(raw: bytes) -> bytes:
        return json.dumps(json.loads(raw), sort_keys=True).encode()

    nested = {"z": payload, "a": {"y": 1, "b": 2}}

    assert verified(sorted_by_proxy(wire(Scheme.C, payload=nested)), Scheme.C).scheme is Scheme.C
    with pytest.raises(InvalidSignature):
        verified(sorted_by_proxy(wire(Scheme.A, payload=nested)), Scheme.A)


@given(data=st.data(), scheme=st.sampled_from(Scheme), byte=st.integers(0, 255))
def test_a_changed_byte_is_refused_unless_it_changes_nothing_that_is_read(
    data: st.DataObject, scheme: Scheme, byte: int
) -> None:
    raw = wire(scheme, payload={"n": [1, 0.5, -2, 1e21], "texts": ["é", "\n"], "o": {"b": {}, "a": [None, True]}})
    changed = bytearray(raw)
    changed[data.draw(st.integers(0, len(raw) - 1))] = byte
    assume(bytes(changed) != raw)

    try:
        verified(bytes(changed), scheme)
    except BrokerError:
        return
    before, after = json.loads(raw), json.loads(changed)
    assert {**before, "sig": ""} == {**after, "sig": ""}
    assert read_signature(after["sig"]) == read_signature(before["sig"])
