"""Ed25519 signatures by the key that a did:key is."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey

from ainp.core.did import did_of_key
from ainp.core.errors import InvalidSignature
from ainp.core.signature import verify
from support.builders import vectors

VARIANTS = vectors()["base64_variants"]
ALICE = vectors()["keys"]["alice"]["did"]
STANDARD = VARIANTS["signatures"]["standard_padded"]
TEXT = VARIANTS["canonical"].encode()


@pytest.mark.parametrize("form", VARIANTS["signatures"])
def test_base64_is_read_in_the_forms_that_clients_send(form: str) -> None:
    verify(TEXT, signature=VARIANTS["signatures"][form], by=ALICE)


@given(seed=st.binary(min_size=32, max_size=32), data=st.binary(), flip=st.integers(0, 511))
def test_a_signature_holds_for_its_bytes_and_with_any_bit_changed_for_none(seed: bytes, data: bytes, flip: int) -> None:
    key = SigningKey(seed)
    by, raw = did_of_key(bytes(key.verify_key)), key.sign(data).signature
    changed = bytearray(raw)
    changed[flip // 8] ^= 1 << flip % 8

    verify(data, signature=base64.b64encode(raw).decode(), by=by)
    with pytest.raises(InvalidSignature):
        verify(data, signature=base64.b64encode(changed).decode(), by=by)
    with pytest.raises(InvalidSignature):
        verify(data + b"\0", signature=base64.b64encode(raw).decode(), by=by)


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
        verify(TEXT, signature=signature, by=ALICE)


def test_a_did_without_a_key_can_sign_nothing() -> None:
    with pytest.raises(InvalidSignature):
        verify(TEXT, signature=STANDARD, by="did:web:agent.example")


def test_the_neutral_key_that_fits_many_signatures_is_refused() -> None:
    identity = bytes([1]) + bytes(31)  # the point of order one: S = 0, R = identity would verify for any message
    forged = base64.b64encode(identity + bytes(32)).decode()

    with pytest.raises(InvalidSignature):
        verify(b"anything", signature=forged, by=did_of_key(identity))
