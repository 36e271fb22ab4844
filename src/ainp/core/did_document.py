"""DID documents (W3C DID Core): the Ed25519 keys that a did:web lists."""

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ainp.core.did import AgentDid, key_of_multibase, raw_base58
from ainp.core.errors import NoVerificationKey
from ainp.core.keys import VerificationKey
from ainp.core.limits import MAX_DOCUMENT_KEYS

_KEY_BYTES = 32
_MULTIBASE = frozenset({"Ed25519VerificationKey2020", "Multikey"})
_BASE58 = frozenset({"Ed25519VerificationKey2018", "Ed25519VerificationKey2020"})
_JWK = frozenset({"JsonWebKey2020", "JsonWebKey", "Ed25519VerificationKey2018", "Ed25519VerificationKey2020"})


class Document(NamedTuple):
    """The keys of a DID by what they are for: to say who is speaking, and to vouch for what is said."""

    authentication: tuple[VerificationKey, ...]
    assertion: tuple[VerificationKey, ...]


def read_document(content: object, did: AgentDid) -> Document:
    """The keys in the document of *did*; NoVerificationKey if it is another's, malformed or has none to sign with."""
    if not isinstance(content, Mapping):
        raise _refusal(did, "it is no object")
    if content.get("id") != did:
        raise _refusal(did, f"its id is {str(content.get('id'))[:200]!r}")
    methods = dict(_methods(content.get("verificationMethod"), did))
    document = Document(
        tuple(_keys(content.get("authentication"), methods, did)),
        tuple(_keys(content.get("assertionMethod"), methods, did)),
    )
    if not document.authentication:
        raise _refusal(did, "it lists no Ed25519 key under authentication")
    if max(len(document.authentication), len(document.assertion)) > MAX_DOCUMENT_KEYS:
        raise _refusal(did, f"it lists more than {MAX_DOCUMENT_KEYS} keys")
    return document


def _methods(listed: object, did: AgentDid) -> Iterator[tuple[str, VerificationKey]]:
    for method in listed if isinstance(listed, list) else []:
        key = _key(method, did)
        if key is not None:
            yield key.id, key


def _keys(listed: object, methods: Mapping[str, VerificationKey], did: AgentDid) -> Iterator[VerificationKey]:
    """A purpose lists keys by their names, or has them in itself."""
    for entry in listed if isinstance(listed, list) else []:
        key = methods.get(_absolute(entry, did)) if isinstance(entry, str) else _key(entry, did)
        if key is not None:
            yield key


def _key(method: object, did: AgentDid) -> VerificationKey | None:
    """The key of a verification method; None if it is of another kind, or another's."""
    if not isinstance(method, Mapping) or method.get("controller") != did:
        return None
    name = method.get("id")
    raw = _raw(method)
    if raw is None or not isinstance(name, str) or not _absolute(name, did).startswith(f"{did}#"):
        return None
    return VerificationKey(_absolute(name, did), raw)


def _absolute(name: str, did: AgentDid) -> str:
    return did + name if name.startswith("#") else name


def _raw(method: Mapping[str, Any]) -> bytes | None:
    kind, multibase = method.get("type"), method.get("publicKeyMultibase")
    base58, jwk = method.get("publicKeyBase58"), method.get("publicKeyJwk")
    if not isinstance(kind, str):  # several types, of which JSON-LD knows, are none of ours
        return None
    if kind in _MULTIBASE and isinstance(multibase, str):
        return key_of_multibase(multibase)
    if kind in _BASE58 and isinstance(base58, str):
        return raw_base58(base58, length=_KEY_BYTES)
    if kind in _JWK and isinstance(jwk, Mapping):
        return _of_jwk(jwk)
    return None


def _of_jwk(jwk: Mapping[str, Any]) -> bytes | None:
    """RFC 8037; a key whose private half is published is nobody's."""
    x = jwk.get("x")
    if jwk.get("kty") != "OKP" or jwk.get("crv") != "Ed25519" or "d" in jwk or not isinstance(x, str):
        return None
    try:
        raw = base64.b64decode(x + "=" * (-len(x) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if len(raw) == _KEY_BYTES else None


def _refusal(did: AgentDid, why: str) -> NoVerificationKey:
    return NoVerificationKey(f"Signature verification failed: the document of {did} can't be used: {why}")
