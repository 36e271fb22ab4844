"""
Decentralised identifiers: did:key (Ed25519) and did:web.

did:key: https://w3c-ccg.github.io/did-key-spec/ ; the key is multicodec 0xed01 + 32 bytes, base58btc, prefix `z`.
"""

import re
from functools import lru_cache
from typing import NewType
from urllib.parse import unquote

from ainp.core.errors import InvalidDid
from ainp.core.limits import MAX_DID_LENGTH

AgentDid = NewType("AgentDid", str)

_DID = re.compile(r"did:(?:key:[A-Za-z0-9._-]+|web:[A-Za-z0-9._:%-]+)")
_MULTICODEC_ED25519 = b"\xed\x01"
_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


@lru_cache(maxsize=4096)  # a request names the same agent several times
def parse_did(text: str) -> AgentDid:
    """
    Check the syntax of a DID.

    A did:key that can't be decoded is let through: nothing signed by it can ever verify, and existing scripts
    register such DIDs.
    """
    if len(text) > MAX_DID_LENGTH or not _DID.fullmatch(text):
        raise InvalidDid(
            f"Invalid DID format: found {text[:100]!r}, expected did:key:… or did:web:…"
            f" of at most {MAX_DID_LENGTH} characters"
        )
    return AgentDid(text)


def did_of_key(public_key: bytes) -> AgentDid:
    """Name the DID of a raw 32-byte Ed25519 public key."""
    return AgentDid("did:key:z" + _base58(_MULTICODEC_ED25519 + public_key))


@lru_cache(maxsize=4096)  # a DID's key never changes; decoding takes a fifth of the time of a verification
def key_of_did(did: str) -> bytes:
    """Decode the raw 32-byte Ed25519 public key of a did:key, or refuse it as InvalidDid."""
    if not did.startswith("did:key:z"):
        raise InvalidDid(f"found {did[:100]!r}, expected an Ed25519 did:key, which starts with did:key:z6Mk")
    key = key_of_multibase(did.removeprefix("did:key:"))
    if key is None:
        raise InvalidDid(f"{did[:100]!r} does not decode to an Ed25519 public key")
    return key


def key_of_multibase(text: str) -> bytes | None:
    """The raw Ed25519 public key that multibase *text* stands for: z, and base58btc of 0xed01 and the key."""
    decoded = raw_base58(text.removeprefix("z"), length=len(_MULTICODEC_ED25519) + 32)
    if decoded is None or not text.startswith("z") or not decoded.startswith(_MULTICODEC_ED25519):
        return None
    return decoded.removeprefix(_MULTICODEC_ED25519)


def raw_base58(text: str, *, length: int) -> bytes | None:
    """The *length* bytes that base58btc *text* stands for, or None; text that is too long is not looked at."""
    raw = _from_base58(text) if len(text) <= 2 * length else None
    return raw if raw is not None and len(raw) == length else None


def operator_of(did: str) -> str:
    """Name who runs an agent: the domain of a did:web (whatever the port, the path, the spelling), else the DID."""
    if did.startswith("did:web:"):
        host = unquote(did.removeprefix("did:web:").split(":", 1)[0]).split(":", 1)[0]
        return "did:web:" + host.rstrip(".").lower()
    return did


def _base58(raw: bytes) -> str:
    number = int.from_bytes(raw)
    digits = []
    while number:
        number, digit = divmod(number, 58)
        digits.append(_ALPHABET[digit])
    zeros = len(raw) - len(raw.lstrip(b"\0"))
    return "1" * zeros + "".join(reversed(digits))


def _from_base58(text: str) -> bytes | None:
    number = 0
    for character in text:
        digit = _ALPHABET.find(character)
        if digit < 0:
            return None
        number = number * 58 + digit
    zeros = len(text) - len(text.lstrip("1"))
    return b"\0" * zeros + number.to_bytes((number.bit_length() + 7) // 8)
