"""The key that verifies what a DID has signed."""

from typing import NamedTuple


class VerificationKey(NamedTuple):
    """A raw Ed25519 public key of 32 bytes; *id* is the DID, or the URL of the verification method, that names it."""

    id: str
    raw: bytes
