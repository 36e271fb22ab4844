"""Ed25519 signatures (RFC 8032), verified strictly."""

import base64
import binascii
import re

from nacl.bindings import crypto_sign_open, crypto_sign_PUBLICKEYBYTES
from nacl.exceptions import BadSignatureError

from ainp.core.did import key_of_did
from ainp.core.errors import InvalidDid, InvalidSignature, NoVerificationKey

SIGNATURE_BYTES = 64
# Base64 as RFC 4648 writes 64 bytes: of its last character four bits are beyond them, and zero.
_USUAL = re.compile(r"[A-Za-z0-9+/]{85}[AQgw]==")


def verify(data: bytes, *, signature: str, key: bytes) -> None:
    """Accept *signature* (base64 of 64 bytes) by the raw public *key* over *data*, or raise InvalidSignature."""
    verify_raw(data, signature=read_signature(signature), key=key)


def verify_raw(data: bytes, *, signature: bytes, key: bytes) -> None:
    """As `verify`, of the 64 bytes themselves."""
    if len(key) != crypto_sign_PUBLICKEYBYTES or len(signature) != SIGNATURE_BYTES:
        raise InvalidSignature(f"Signature verification failed: {len(signature)} bytes by a key of {len(key)}")
    try:
        crypto_sign_open(signature + data, key)
    except BadSignatureError as error:
        raise InvalidSignature("Signature verification failed: it is not the signer's over these bytes") from error


def key_that_verifies(did: str) -> bytes:
    """The raw public key of a did:key; what has no key of its own raises NoVerificationKey."""
    try:
        return key_of_did(did)
    except InvalidDid as error:
        raise NoVerificationKey(f"Signature verification failed: {error.message}") from error


def read_signature(text: str) -> bytes:
    """
    The 64 bytes that base64 *text* stands for.

    Lenient about the alphabet, padding and white space, as the decoders of existing clients are.
    """
    if _USUAL.fullmatch(text):
        return base64.b64decode(text)
    plain = re.sub(r"\s", "", text).replace("-", "+").replace("_", "/").rstrip("=")
    try:
        raw = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
        if base64.b64encode(raw).decode().rstrip("=") != plain:  # bits beyond the last byte: one text a signature
            raw = b""
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != SIGNATURE_BYTES:
        raise InvalidSignature(
            f"Signature verification failed: expected base64 of {SIGNATURE_BYTES} bytes, found {len(raw)} bytes"
        )
    return raw
