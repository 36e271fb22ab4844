"""
Envelopes: signed messages of agents, read from the bytes as they came in.

What is checked, in this order: JSON and size, structure, version, clock skew, expiry (`open_envelope`); the signature
(`verify`). Who calls them then asks whether the sender may do this, and writes the nonce with the effect.

Existing clients sign four different texts. All drop `sig` at the top and cover every other member, unknown ones too:

    A  the TypeScript SDK: own members sorted, nested ones in their order, numbers as sent
    C  RFC 8785
    B  the Python SDK: sorted at every level, ASCII, numbers as sent
    D  the SHA-256 of C; only the specification's text says so
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from ainp.core import lexemes
from ainp.core.canonical import canonical, digest
from ainp.core.did import AgentDid, parse_did
from ainp.core.errors import (
    EnvelopeExpired,
    InvalidDid,
    InvalidEnvelope,
    InvalidSignature,
    InvalidTimestamp,
    TooLarge,
    UnsupportedVersion,
)
from ainp.core.lexemes import Members, Number, kind_of
from ainp.core.limits import MAX_BODY_BYTES, MAX_ENVELOPE_REMEMBERED, MAX_ENVELOPE_TEXT_LENGTH, MAX_ENVELOPE_TTL
from ainp.core.moments import UNIX_EPOCH, unix_ms
from ainp.core.signature import read_signature, verify_raw

VERSION = "0.1.0"
MAX_SKEW = timedelta(seconds=60)
DEFAULT_TTL = timedelta(seconds=60)
_MILLISECOND = timedelta(milliseconds=1)
_LATEST_MS = 2**53
_LONGEST_MS = MAX_ENVELOPE_TTL // _MILLISECOND
_BLANKS = b" \t\r\n"
_REQUIRED = ("id", "from_did", "sig", "msg_type", "timestamp")
_TEXTS = ("sig", "id", "msg_type", "trace_id")  # whose length is limited here
# Members that have a meaning, and what they are in JSON; null is as if they were not there.
_KINDS: Mapping[str, type] = {
    **dict.fromkeys(("payload", "qos", "to_query", "query"), dict),
    "attestations": list,
    **dict.fromkeys((*_TEXTS, "from_did", "to_did", "schema", "capabilities_ref", "version"), str),
    **dict.fromkeys(("timestamp", "ttl"), Number),
}
_CALLED: Mapping[type, str] = {dict: "an object", list: "an array", str: "a string", Number: "a number"}


class Scheme(StrEnum):
    """Which text was signed."""

    A = "A"
    B = "B"
    C = "C"
    D = "D"


# What these sign can be written again from the values alone; the others need the text that was sent.
OF_VALUES = frozenset({Scheme.C, Scheme.D})


class Envelope(NamedTuple):
    """A message whose form and time are right; who sent it is not proven before `verify`."""

    id: str
    sender: AgentDid
    recipient: AgentDid | None
    msg_type: str
    trace_id: str | None
    sent_at: datetime
    ttl: timedelta
    signature: bytes | None
    members: Members
    beside: Any = None
    text: bytes = b""  # as it came in, which is what others are handed

    @property
    def payload(self) -> dict[str, Any]:
        """What it carries."""
        return lexemes.plain(self.members.get("payload")) or {}

    @property
    def query(self) -> dict[str, Any] | None:
        """Whom it looks for: said beside the envelope, in its `to_query`, or in a member `query`."""
        said = (self.beside, self.members.get("to_query"), self.members.get("query"))
        return next((lexemes.plain(query) for query in said if query is not None), None)

    @property
    def remembered_until(self) -> datetime:
        """How long the nonce, which is the sender and the id, counts as used."""
        return self.sent_at + min(self.ttl, MAX_ENVELOPE_REMEMBERED) + MAX_SKEW


class Verified(NamedTuple):
    """What a signature was found to be over."""

    scheme: Scheme
    query_signed: bool = True


def open_envelope(raw: bytes, *, now: datetime) -> Envelope:
    """Read an envelope, alone or as `{"envelope": …, "query": …}`; refuse one that is malformed or not of this time."""
    if len(raw) > MAX_BODY_BYTES:
        raise TooLarge(f"the envelope has {len(raw)} bytes, at most {MAX_BODY_BYTES} are read", limit=MAX_BODY_BYTES)
    read = lexemes.read(raw)
    members, beside = _unwrap(read)
    envelope = _structure(members, beside, raw.strip(_BLANKS) if members is read else _inner(raw))
    _check_version(members.get("version"))
    _check_time(envelope, now)
    return envelope


def verify(envelope: Envelope, *, keys: Sequence[bytes], schemes: Sequence[Scheme]) -> Verified:
    """
    Which of *schemes* the signature is of, by any of the sender's *keys*; none is InvalidSignature.

    A member `query` of a flat envelope may have been put there after signing; it is tried with it, then without.
    """
    signature = envelope.signature
    if signature is None:
        read_signature(envelope.members["sig"])  # says what is wrong with it
        raise InvalidSignature("Signature verification failed: no signature")
    tried: list[bytes] = []
    for signed, query_signed in _signed(envelope.members):
        for scheme in schemes:
            text = canonical_text(signed, scheme)
            if text in tried:
                continue
            tried.append(text)
            for key in keys:
                if _verifies(text, signature, key):
                    return Verified(scheme, query_signed)
    raise InvalidSignature("Signature verification failed")


def signed_part(envelope: Envelope, found: Verified) -> Envelope:
    """The envelope as others can verify it: without a member `query` that was put there after signing."""
    if found.query_signed:
        return envelope
    members = {name: member for name, member in envelope.members.items() if name != "query"}
    query = envelope.beside if envelope.beside is not None else envelope.members["query"]
    return envelope._replace(members=members, beside=query, text=lexemes.as_stringified(members))


def canonical_text(members: Members, scheme: Scheme) -> bytes:
    """The bytes that *scheme* signs of an envelope's *members*."""
    signed = {name: member for name, member in members.items() if name != "sig"}
    if scheme is Scheme.A:
        return lexemes.as_stringified(signed)
    if scheme is Scheme.B:
        return lexemes.as_dumped(signed)
    text = lexemes.as_canonical(signed)
    return digest(text) if scheme is Scheme.D else text


def signed_envelope(members: Mapping[str, object], *, sign: Callable[[bytes], str]) -> bytes:
    """
    Write an envelope and sign it: as RFC 8785, sent as it was signed.

    Sorted at every level it verifies as A and as C; as B too if it is ASCII.
    """
    unsigned = {name: member for name, member in members.items() if name != "sig"}
    return canonical({**unsigned, "sig": sign(canonical(unsigned))})


def _unwrap(members: Members) -> tuple[Members, Any]:
    inner = members.get("envelope")
    if type(inner) is not dict or "sig" in members:
        return members, None
    query = members.get("query")
    if query is not None and type(query) is not dict:
        raise InvalidEnvelope(f"query: found {kind_of(query)}, expected an object")
    return inner, query


def _inner(raw: bytes) -> bytes:
    return bytes(msgspec.json.decode(raw, type=_Wrapped).envelope).strip(_BLANKS)


class _Wrapped(Struct):
    envelope: msgspec.Raw


def _structure(members: Members, beside: Any, text: bytes) -> Envelope:  # noqa: ANN401 - any JSON
    if missing := [name for name in _REQUIRED if not members.get(name) and members.get(name) in (None, "")]:
        raise InvalidEnvelope(f"Missing required fields: {', '.join(missing)}", missing=missing)
    for name, member in members.items():
        expected = _KINDS.get(name)
        if expected is not None and type(member) is not expected and member is not None:
            raise InvalidEnvelope(f"{name}: found {kind_of(member)}, expected {_CALLED[expected]}", field=name)
    for name in _TEXTS:
        said = members.get(name)
        if said is not None and len(said) > MAX_ENVELOPE_TEXT_LENGTH:
            found, most = len(said), MAX_ENVELOPE_TEXT_LENGTH
            raise InvalidEnvelope(f"{name}: found {found} characters, expected at most {most}", field=name)
    recipient, ttl = members.get("to_did"), members.get("ttl")
    return Envelope(
        id=members["id"],
        sender=_did("from_did", members["from_did"]),
        recipient=None if recipient is None else _did("to_did", recipient),
        msg_type=members["msg_type"],
        trace_id=members.get("trace_id"),
        sent_at=UNIX_EPOCH + _milliseconds("timestamp", members["timestamp"], most=_LATEST_MS // 64) * _MILLISECOND,
        ttl=DEFAULT_TTL if ttl is None else _milliseconds("ttl", ttl, most=_LONGEST_MS) * _MILLISECOND,
        signature=_signature(members["sig"]),
        members=members,
        beside=beside,
        text=text,
    )


def _did(name: str, text: str) -> AgentDid:
    try:
        return parse_did(text)
    except InvalidDid as error:
        raise InvalidEnvelope(f"{name}: {error.message}", field=name) from error


def _milliseconds(name: str, text: Number, *, most: int) -> int:
    value = int(text) if text.isdigit() else lexemes.number_of(text)
    if value != int(value) or not 0 <= value <= most:
        raise InvalidEnvelope(f"{name}: found {text[:40]}, expected whole milliseconds from 0 to {most}", field=name)
    return int(value)


def _signature(text: str) -> bytes | None:
    try:
        return read_signature(text)
    except InvalidSignature:
        return None  # said when it is its turn


def _check_version(version: str | None) -> None:
    if version is not None and version != VERSION:
        raise UnsupportedVersion(f"Envelope version {version[:40]} is not supported (expected {VERSION})")


def _check_time(envelope: Envelope, now: datetime) -> None:
    if abs(now - envelope.sent_at) > MAX_SKEW:
        raise InvalidTimestamp(
            f"timestamp: found {unix_ms(envelope.sent_at)}, expected within {MAX_SKEW // _MILLISECOND} ms"
            f" of {unix_ms(now)}, which is now"
        )
    ends = envelope.sent_at + envelope.ttl
    if ends <= now:
        raise EnvelopeExpired(f"Envelope TTL expired: timestamp + ttl is {unix_ms(ends)}, now is {unix_ms(now)}")


def _signed(members: Members) -> Sequence[tuple[Members, bool]]:
    """What may have been signed, and whether a member `query` was."""
    if "query" not in members:
        return ((members, True),)
    return (members, True), ({name: member for name, member in members.items() if name != "query"}, False)


def _verifies(text: bytes, signature: bytes, key: bytes) -> bool:
    try:
        verify_raw(text, signature=signature, key=key)
    except InvalidSignature:
        return False
    return True
