"""Ed25519 signatures: what verifies, and what does not although somebody would like it to."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey

from ainp.core.errors import InvalidSignature, NoVerificationKey
from ainp.core.signature import key_that_verifies, verify
from support.builders import vectors

VARIANTS = vectors()["base64_variants"]
ALICE = bytes.fromhex(vectors()["keys"]["alice"]["public_key_hex"])
STANDARD = VARIANTS["signatures"]["standard_padded"]
TEXT = VARIANTS["canonical"].encode()


@pytest.mark.parametrize("form", VARIANTS["signatures"])
def test_base64_is_read_in_the_forms_that_clients_send(form: str) -> None:
    verify(TEXT, signature=VARIANTS["signatures"][form], key=ALICE)


@given(seed=st.binary(min_size=32, max_size=32), data=st.binary(), flip=st.integers(0, 511))
def test_a_signature_holds_for_its_bytes_and_with_any_bit_changed_for_none(seed: bytes, data: bytes, flip: int) -> None:
    signer = SigningKey(seed)
    key, raw = bytes(signer.verify_key), signer.sign(data).signature
    changed = bytearray(raw)
    changed[flip // 8] ^= 1 << flip % 8

    verify(data, signature=base64.b64encode(raw).decode(), key=key)
    with pytest.raises(InvalidSignature):
        verify(data, signature=base64.b64encode(changed).decode(), key=key)
    with pytest.raises(InvalidSignature):
        verify(data + b"\0", signature=base64.b64encode(raw).decode(), key=key)


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "dummy-sig",
        STANDARD[:-4],
        STANDARD + "AAAA",
        STANDARD.replace("=", "") + "A",
        "=" * 88,
        "\u00e9" * 86,
        "\ud800",
        "!" + STANDARD[1:],
        base64.b64encode(bytes(64)).decode(),
    ],
)
def test_what_is_no_signature_is_refused_as_one(signature: str) -> None:
    with pytest.raises(InvalidSignature, match=r"^Signature verification failed"):
        verify(TEXT, signature=signature, key=ALICE)


def test_a_did_without_a_key_can_sign_nothing() -> None:
    with pytest.raises(NoVerificationKey, match=r"^Signature verification failed: .*did:web:agent.example"):
        key_that_verifies("did:web:agent.example")


def test_the_neutral_key_that_fits_many_signatures_is_refused() -> None:
    identity = bytes([1]) + bytes(31)  # the point of order one: S = 0, R = identity would verify for any message
    forged = base64.b64encode(identity + bytes(32)).decode()

    with pytest.raises(InvalidSignature):
        verify(b"anything", signature=forged, key=identity)
