"""
Every form of an HTTP Message Signature (RFC 9421) and of Content-Digest (RFC 9530), as the library reads them.

It is asked for what is said and whether it verifies; what a signature must cover and how long it lasts is decided in
`http_signature`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import http_sf
from http_message_signatures import (
    ContentDigest,
    HTTPMessageSignaturesException,
    HTTPMessageVerifier,
    HTTPSignatureAlgorithm,
    HTTPSignatureKeyResolver,
)

from ainp.core.errors import InvalidSignature
from ainp.core.signature import verify_raw

MAX_SIGNATURES = 16  # also components of one: each costs time to read


def read(given: str, *, tag: str) -> tuple[dict[str, Any], set[str]]:
    """The parameters and the components of the one signature with *tag* among those in Signature-Input."""
    try:
        members: Mapping[str, Any] = http_sf.parse(  # type: ignore[assignment]  # a dictionary is a dict
            given.encode("ascii"), tltype="dictionary", on_duplicate_key=_refuse_twice
        )
    except (ValueError, TypeError) as error:
        raise _wrong(f"Signature-Input is not a dictionary of RFC 8941: {error}") from error
    ours = [(parts, flags) for parts, flags in members.values() if isinstance(parts, list) and flags.get("tag") == tag]
    if len(members) == 1 and not ours:
        ((_, other),) = members.values()
        raise _wrong(f'found the tag {str(other.get("tag", "none"))[:60]!r}, expected "{tag}"')
    if len(ours) != 1 or len(members) > MAX_SIGNATURES or len(ours[0][0]) > MAX_SIGNATURES:
        raise _wrong(f'found {len(ours)} signatures with tag="{tag}", expected one')
    components, parameters = ours[0]
    return dict(parameters), {name for name, flags in components if isinstance(name, str) and not flags}


def verify(method: str, target: str, fields: Mapping[str, Sequence[str]], *, key: bytes, tag: str | None) -> None:
    """
    Accept the signature with *tag*, by the raw *key* over a request to *target*, or raise InvalidSignature.

    Without a *tag* it is the only one there is.
    """
    verifier = _Verifier(signature_algorithm=_Ed25519, key_resolver=_Key(key))
    try:
        verifier.verify(_Request(method, target, _Lines(fields)), max_age=None, expect_tag=tag)
    except (HTTPMessageSignaturesException, ValueError, TypeError) as error:
        raise _wrong(str(error)) from error


def check_digest(given: str, body: bytes) -> None:
    """Refuse a Content-Digest that is not the body's; all algorithms that it names must be known, and fit."""
    try:
        ContentDigest.verify(given, body)
    except (HTTPMessageSignaturesException, UnicodeEncodeError) as error:
        raise _wrong(f"Content-Digest: {error}") from error


class _Verifier(HTTPMessageVerifier):
    def validate_created_and_expires(self, sig_input: object, max_age: object = None) -> None:
        """Leave time to the caller, who says which clock counts."""


class _Ed25519(HTTPSignatureAlgorithm):
    algorithm_id = "ed25519"

    def __init__(self, public_key: bytes, **_: object) -> None:
        self._key = public_key

    def verify(self, signature: bytes, message: bytes) -> None:
        verify_raw(message, signature=signature, key=self._key)


@dataclass(frozen=True)
class _Key(HTTPSignatureKeyResolver):
    key: bytes

    def resolve_public_key(self, key_id: str) -> bytes:  # noqa: ARG002 - it was read, and its key found, before
        return self.key


@dataclass(frozen=True)
class _Request:
    """A request as the library wants to see it."""

    method: str
    url: str
    headers: "_Lines"


@dataclass(frozen=True)
class _Lines:
    """Header fields as the library wants to see them: a name once for each of its lines."""

    fields: Mapping[str, Sequence[str]]

    def items(self) -> list[tuple[str, str]]:
        return [(name, line) for name, lines in self.fields.items() for line in lines]


def _refuse_twice(name: str, context: str) -> None:
    raise ValueError(f"{name} stands twice in a {context}")


def _wrong(why: str) -> InvalidSignature:
    return InvalidSignature(f"Signature verification failed: {why[:200]}")
