"""
What must hold for any bytes: each target takes some, and raises if it does not.

A refusal is a BrokerError, whatever was sent; what is accepted is what others would accept, too; and what is written
again is read as the same. Without atheris these are functions like any other, which the tests call with the seeds.
"""

import base64
import json
import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import cbor2
import msgspec
import rfc8785
from nacl.signing import SigningKey

from ainp.core import http_signature, http_signature_forms, lexemes
from ainp.core.canonical import canonical
from ainp.core.cbor import from_json, to_json
from ainp.core.envelope import Scheme, canonical_text, open_envelope, verify
from ainp.core.errors import BrokerError, InvalidSignature
from ainp.core.http_signature import Message
from ainp.http import body as bodies
from ainp.http.routes import ROUTES

NOW = datetime.fromtimestamp(1_760_000_000, UTC)
KEY = SigningKey(bytes(range(32)))
PUBLIC = bytes(KEY.verify_key)
STRANGER = bytes(SigningKey(bytes(32)).verify_key)
METHOD, TARGET = "POST", "https://broker.example/api/negotiations?x=1"
KINDS = tuple(dict.fromkeys(route.body for route in ROUTES if route.body is not None))
_EXACT = 2**53


def envelope(data: bytes) -> None:
    """Read an envelope, and write it again in every text that clients sign."""
    with suppress(BrokerError):
        opened = open_envelope(data, now=NOW)
        with suppress(InvalidSignature):
            verify(opened, keys=[PUBLIC], schemes=list(Scheme))
    try:
        members = lexemes.read(data)
        texts = {scheme: canonical_text(members, scheme) for scheme in Scheme}
    except BrokerError:
        return
    signed = {name: value for name, value in members.items() if name != "sig"}
    for scheme in (Scheme.A, Scheme.B, Scheme.C):
        again = lexemes.read(texts[scheme])
        assert canonical_text(again, scheme) == texts[scheme], "what is written again is another text"
        assert _doubles(again) == _doubles(signed), "what is written again is another message"
    assert texts[Scheme.C] == rfc8785.dumps(_doubles(signed)), "it is not RFC 8785"


def signature(data: bytes) -> None:
    """Read a request's signature: Signature-Input, Signature, Content-Digest and the body, a line each."""
    given, proof, digest, body = [*data.split(b"\n", 3), b"", b"", b""][:4]
    fields = {
        "signature-input": [given.decode("latin-1")],
        "signature": [proof.decode("latin-1")],
        **({"content-digest": [digest.decode("latin-1")]} if digest else {}),
    }
    message = Message(method=METHOD, targets=[TARGET], fields=fields, body=body)
    try:
        found = http_signature.read(message, now=NOW)
    except BrokerError:
        return
    with suppress(InvalidSignature):
        http_signature.verify(message, found, key=STRANGER)
        raise AssertionError("the stranger has not signed this")
    if found.plain is not None:
        _agree(message, found.plain.parameters)


def body(data: bytes) -> None:
    """Decode a body as every kind that there is."""
    for kind in KINDS:
        try:
            value = bodies.decode(data, kind)
        except BrokerError:
            continue
        again = msgspec.json.decode(msgspec.json.encode(value), type=kind)
        assert again == value, "what is written again is another body"
        if kind.__struct_config__.forbid_unknown_fields and data:
            json.loads(data, object_pairs_hook=_once)


def cbor(data: bytes) -> None:
    """Read a body in CBOR, and write the JSON that it is in CBOR again."""
    for envelope in (False, True):
        try:
            text = to_json(data, envelope=envelope)
        except BrokerError:
            continue
        value = msgspec.json.decode(text)
        assert msgspec.json.decode(to_json(from_json(text))) == value, "what is written again is another body"
        assert envelope or cbor2.loads(data) == value or b"b64" in data, "the library reads another body"


def text(data: bytes) -> None:
    """Write any JSON canonically: as the reference does, or not at all."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return
    try:
        ours = canonical(value)
    except BrokerError:
        ours = None
    try:
        theirs = rfc8785.dumps(value)
    except (ValueError, RecursionError):
        theirs = None
    assert ours == theirs, "it is not what the reference writes"


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    "envelope": envelope,
    "signature": signature,
    "body": body,
    "cbor": cbor,
    "text": text,
}


def _agree(message: Message, parameters: str) -> None:
    """What our own reader takes, once it is rightly signed, is what the library takes."""
    covers = "content-digest" in parameters.partition(")")[0]
    digest = message.fields["content-digest"][0].strip(" \t") if covers else None
    base = http_signature._base(METHOD, TARGET, digest, parameters)  # noqa: SLF001 - what is to be signed
    label = message.fields["signature-input"][0].strip(" \t").partition("=")[0]
    proof = f"{label}=:{base64.b64encode(KEY.sign(base).signature).decode()}:"
    signed = Message(
        method=METHOD, targets=[TARGET], fields={**message.fields, "signature": [proof]}, body=message.body
    )
    found = http_signature.read(signed, now=NOW)
    http_signature.verify(signed, found, key=PUBLIC)
    http_signature_forms.verify(METHOD, TARGET, signed.fields, key=PUBLIC, tag=http_signature.TAG)
    read, covered = http_signature_forms.read(message.fields["signature-input"][0], tag=http_signature.TAG)
    assert (read["keyid"], read["nonce"]) == (found.key_id, found.nonce), "the library reads something else"
    assert covered >= {"@method", "@target-uri"}, "the library covers something else"


def _doubles(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """With every number as what RFC 8785 makes of it: a double, written as whole where it is."""
    if isinstance(value, lexemes.Number):
        number = float(value)
        assert math.isfinite(number), "no double holds it"
        return int(number) if number == int(number) and abs(number) < _EXACT else number
    if isinstance(value, dict):
        return {name: _doubles(member) for name, member in value.items()}
    return [_doubles(item) for item in value] if isinstance(value, list) else value


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    assert len({name for name, _ in pairs}) == len(pairs), "a member of a signed statement stands twice"
    return dict(pairs)
