"""A verification key is a value: what names it, and its bytes."""

from ainp.core.keys import VerificationKey


def test_two_keys_are_the_same_if_their_names_and_bytes_are() -> None:
    assert VerificationKey("did:web:a.example#1", bytes(32)) == VerificationKey("did:web:a.example#1", bytes(32))
    assert VerificationKey("did:web:a.example#1", bytes(32)) != VerificationKey("did:web:a.example#2", bytes(32))
