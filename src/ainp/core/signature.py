"""Ed25519 signatures (RFC 8032) by the key that a did:key is."""

import base64
import binascii
import re

from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from ainp.core.did import key_of_did
from ainp.core.errors import InvalidDid, InvalidSignature

_SIGNATURE_BYTES = 64


def verify(data: bytes, *, signature: str, by: str) -> None:
    """Accept *signature* (base64 of 64 bytes) of *by* over *data*, or raise InvalidSignature."""
    raw = _decode(signature)
    try:
        VerifyKey(key_of_did(by)).verify(data, raw)
    except (BadSignatureError, InvalidDid, ValueError) as error:
        raise InvalidSignature(f"Signature verification failed: it is not {by}'s over these bytes") from error


def _decode(text: str) -> bytes:
    # Lenient about the alphabet, padding and white space, as the decoders of existing clients are.
    plain = re.sub(r"\s", "", text).replace("-", "+").replace("_", "/").rstrip("=")
    try:
        raw = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != _SIGNATURE_BYTES:
        raise InvalidSignature(
            f"Signature verification failed: expected base64 of {_SIGNATURE_BYTES} bytes, found {len(raw)} bytes"
        )
    return raw
