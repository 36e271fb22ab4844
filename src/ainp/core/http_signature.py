"""
HTTP Message Signatures (RFC 9421), as a request proves who sends it.

The signature covers `@method`, `@target-uri` and, where there is a body, `content-digest` (RFC 9530). Its parameters
are `created`, `expires`, `nonce`, `keyid` (the DID, or the URL of one of its verification methods) and `tag="ainp"`;
the algorithm is Ed25519.

Signatures of exactly that form, parameters in that order, as our own SDK writes them, are read here: with the library
it takes 250 µs more than the verification itself. Whatever else RFC 9421 allows (other components besides, another
order or spelling, several signatures) goes through the library, in `http_signature_forms`. What is accepted here, the
library accepts too. It is imported when such a signature comes first: it brings ten megabytes that most brokers never
need.
"""

import base64
import hashlib
import re
from binascii import a2b_base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from ainp.core.did import AgentDid, parse_did
from ainp.core.errors import InvalidDid, InvalidSignature
from ainp.core.signature import verify_raw

TAG = "ainp"
LONGEST = timedelta(seconds=300)  # from created to expires
USUAL = timedelta(seconds=60)  # what our own SDK takes: a request is on its way for less
SKEW = timedelta(seconds=60)  # what clocks may differ
MAX_NONCE = 128
MAX_FIELD = 4096  # characters of Signature-Input, more than any client needs

_SKEW_S, _LONGEST_S = int(SKEW.total_seconds()), int(LONGEST.total_seconds())
_METHOD, _TARGET, _DIGEST = "@method", "@target-uri", "content-digest"
_STRING = r'"([ !#-\[\]-~]*)"'  # of RFC 8941, without its escapes
_PLAIN_INPUT = re.compile(
    r'([a-z*][a-z0-9_.*-]*)=(\("@method" "@target-uri"( "content-digest")?\)'
    rf';created=([0-9]{{1,15}});expires=([0-9]{{1,15}});nonce={_STRING};keyid={_STRING};tag="{TAG}")'
)
_PLAIN_SIGNATURE = re.compile(r"([a-z*][a-z0-9_.*-]*)=:([A-Za-z0-9+/]{86}==):")
_PLAIN_DIGEST = re.compile(r"sha-256=:([A-Za-z0-9+/]{43}=):")
_NONCE = re.compile(rf"[!-~]{{1,{MAX_NONCE}}}")


class Message(NamedTuple):
    """
    A request as it was received.

    *targets* are the absolute URIs it can rightly have been sent to: made from what the broker knows of its own
    address, never from what the request says. *fields* are the values of its header fields by lower-case name.
    """

    method: str
    targets: Sequence[str]
    fields: Mapping[str, Sequence[str]]
    body: bytes


class Plain(NamedTuple):
    """The signed parameters as they stand, the value of content-digest if it is covered, and the signature."""

    parameters: str
    digest: str | None
    signature: bytes


class HttpSignature(NamedTuple):
    """What a request's signature says of itself; proven only by `verify`."""

    signer: AgentDid
    key_id: str
    nonce: str
    created: int
    expires: int
    plain: Plain | None  # None: the library's

    @property
    def void_from(self) -> datetime:
        """When no clock takes it any more, so that its nonce can be forgotten."""
        return datetime.fromtimestamp(self.expires + 2 * _SKEW_S, UTC)


def read(message: Message, *, now: datetime) -> HttpSignature:
    """
    Read a request's signature and check everything but the mathematics.

    Raises InvalidSignature for a form that is not the one above, for parts of the request that it does not cover, a
    body that is not the one whose digest it covers, and a time that is over or has not come.
    """
    given, signature = _one(message.fields, "signature-input"), _one(message.fields, "signature")
    plain, proof = _PLAIN_INPUT.fullmatch(given), _PLAIN_SIGNATURE.fullmatch(signature)
    if plain is not None and proof is not None and plain[1] == proof[1]:
        digest = _check_body(message, covered=plain[3] is not None)
        signer, key_id = _signer(plain[7])
        parts = Plain(plain[2], digest, a2b_base64(proof[2]))
        found = HttpSignature(signer, key_id, _nonce(plain[6]), int(plain[4]), int(plain[5]), parts)
    else:
        from ainp.core import http_signature_forms as forms  # noqa: PLC0415 - see above

        parameters, covered = forms.read(given, tag=TAG)
        found = _checked(parameters, covered, message)
    _check_time(found, now)
    return found


def verify(message: Message, found: HttpSignature, *, key: bytes) -> None:
    """Accept the signature by the raw Ed25519 *key*, or raise InvalidSignature."""
    for target in message.targets:
        try:
            if found.plain is None:
                from ainp.core import http_signature_forms as forms  # noqa: PLC0415 - see above

                forms.verify(message.method, target, message.fields, key=key, tag=TAG)
            else:
                base = _base(message.method, target, found.plain.digest, found.plain.parameters)
                verify_raw(base, signature=found.plain.signature, key=key)
        except InvalidSignature:
            continue
        return
    raise _wrong(f"it is not {found.signer}'s over {message.method} {' or '.join(message.targets)[:500]}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A request's signature before the key is applied: what to sign, and the fields it makes."""

    base: bytes
    parameters: str
    digest: str | None

    def fields(self, signature: bytes) -> dict[str, str]:
        """The header fields of the signed request."""
        fields = {
            "Signature-Input": f"{TAG}={self.parameters}",
            "Signature": f"{TAG}=:{base64.b64encode(signature).decode()}:",
        }
        return fields if self.digest is None else {"Content-Digest": self.digest, **fields}


def draft(method: str, target: str, body: bytes | None, *, key_id: str, nonce: str, now: datetime) -> Draft:
    """Prepare the signature of a request to the absolute URI *target*."""
    created = int(now.timestamp())
    expires = created + int(USUAL.total_seconds())
    components = '("@method" "@target-uri")' if body is None else '("@method" "@target-uri" "content-digest")'
    parameters = f'{components};created={created};expires={expires};nonce="{nonce}";keyid="{key_id}";tag="{TAG}"'
    digest = None if body is None else f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"
    return Draft(base=_base(method, target, digest, parameters), parameters=parameters, digest=digest)


def _base(method: str, target: str, digest: str | None, parameters: str) -> bytes:
    """The signature base of RFC 9421, section 2.5."""
    covered = "" if digest is None else f'"content-digest": {digest}\n'
    return f'"@method": {method}\n"@target-uri": {target}\n{covered}"@signature-params": {parameters}'.encode("latin-1")


def _checked(parameters: Mapping[str, Any], covered: set[str], message: Message) -> HttpSignature:
    if parameters.get("alg", "ed25519") != "ed25519":
        raise _wrong(f"found the algorithm {_short(parameters['alg'])}, expected ed25519")
    if unknown := parameters.keys() - {"created", "expires", "nonce", "keyid", "tag", "alg"}:
        raise _wrong(f"found the parameter {min(unknown)[:40]!r}, which is not known here")
    if missing := {_METHOD, _TARGET} - covered:
        raise _wrong(f"it does not cover {', '.join(sorted(missing))}")
    _check_body(message, covered=_DIGEST in covered)
    created, expires = parameters.get("created"), parameters.get("expires")
    if type(created) is not int or type(expires) is not int:
        raise _wrong("expected the parameters created and expires, in seconds since 1970")
    nonce = _nonce(parameters.get("nonce"))
    signer, key_id = _signer(parameters.get("keyid"))
    return HttpSignature(signer, key_id, nonce, created, expires, None)


def _nonce(given: object) -> str:
    if not isinstance(given, str) or not _NONCE.fullmatch(given):
        raise _wrong(f"expected a nonce of 1 to {MAX_NONCE} visible ASCII characters")
    return given


def _check_time(found: HttpSignature, now: datetime) -> None:
    at, lasts = now.timestamp(), found.expires - found.created
    if not 0 < lasts <= _LONGEST_S:
        raise _wrong(f"from created to expires are {lasts} s, expected 1 to {_LONGEST_S}")
    if found.created > at + _SKEW_S:
        raise _wrong(f"it was created {found.created - at:.0f} s from now, clocks may differ by {_SKEW_S} s")
    if found.expires < at - _SKEW_S:
        raise _wrong(f"it expired {at - found.expires:.0f} s ago")


def _check_body(message: Message, *, covered: bool) -> str | None:
    """The value of content-digest, which is that of the body; None if there is no body."""
    if not covered:
        if message.body:
            raise _wrong("the request has a body, and the signature does not cover content-digest")
        return None
    given = _one(message.fields, _DIGEST)
    plain = _PLAIN_DIGEST.fullmatch(given)
    if plain is None:
        from ainp.core import http_signature_forms as forms  # noqa: PLC0415 - see above

        forms.check_digest(given, message.body)
    elif a2b_base64(plain[1]) != hashlib.sha256(message.body).digest():
        raise _wrong("Content-Digest is not that of the body")
    return given


def _signer(key_id: object) -> tuple[AgentDid, str]:
    """Whose key is meant: a DID, or `<did>#<fragment>`; of a did:key the fragment is the key again."""
    if not isinstance(key_id, str):
        raise _wrong("expected the parameter keyid: the signer's DID")
    did, mark, fragment = key_id.partition("#")
    if mark and did.startswith("did:key:") and fragment != did.removeprefix("did:key:"):
        raise _wrong(f"keyid: found {key_id[:200]!r}, the only key of a did:key is {did[:100]}#{did[8:100]}")
    try:
        return parse_did(did), key_id
    except InvalidDid as error:
        raise _wrong(f"keyid: {error.message}") from error


def _one(fields: Mapping[str, Sequence[str]], name: str) -> str:
    """A field's value; several lines are one list (RFC 9110, section 5.3)."""
    lines = fields.get(name)
    if not lines:
        raise _wrong(f"the field {name} is missing")
    value = lines[0] if len(lines) == 1 else ", ".join(line.strip() for line in lines)
    if len(value) > MAX_FIELD:
        raise _wrong(f"the field {name} has {len(value)} characters, expected at most {MAX_FIELD}")
    return value.strip(" \t")


def _short(value: object) -> str:
    return "none" if value is None else repr(value)[:60]


def _wrong(why: str) -> InvalidSignature:
    return InvalidSignature(f"Signature verification failed: {why}")
