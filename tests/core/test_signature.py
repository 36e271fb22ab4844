"""Ed25519 signatures: what verifies, and what does not although somebody would like it to."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey

from ainp.core.errors import InvalidSignature, NoVerificationKey
from ainp.core.signature import key_that_verifies, verify
from support.builders import read_vectors, vectors

VARIANTS = vectors()["base64_variants"]
ALICE = bytes.fromhex(vectors()["keys"]["alice"]["public_key_hex"])
FORMS = {name: text for name, text in VARIANTS.items() if name not in ("of", "rule")}
STANDARD = FORMS["standard_padded"]
SIGNED = next(envelope for envelope in vectors()["envelopes"] if envelope["name"] == "all_agree")
TEXT = SIGNED["schemes"]["A_ts_shallow"]["canonical"].encode()
ORDER = 2**252 + 27742317777372353535851937790883648493
P = 2**255 - 19
EDGES = read_vectors("eddsa_edge_cases")["cases"]
# What no list of bad points may miss: order 1, 2, 4, 4, 8 (four times), and those of them that can be written twice.
SMALL_ORDER = [
    *(bytes([first]) + bytes(30) + bytes([last]) for first in (0, 1) for last in (0, 0x80)),
    *((P + more).to_bytes(32, "little") for more in (-1, 0, 1)),
    *((P + more + 2**255).to_bytes(32, "little") for more in (-1, 0, 1)),
    *(
        bytes.fromhex(y + sign)
        for y in (
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03",
        )
        for sign in (("05", "85") if y.startswith("26") else ("7a", "fa"))
    ),
]


@pytest.mark.parametrize("form", FORMS)
def test_base64_is_read_in_the_forms_that_clients_send(form: str) -> None:
    verify(TEXT, signature=FORMS[form], key=ALICE)


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
        STANDARD[:85] + "x==",
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


@pytest.mark.parametrize("case", EDGES, ids=lambda case: case["why"])
def test_of_the_published_edge_cases_only_mixed_order_is_taken(case: dict[str, str]) -> None:
    """Every verifier takes it, with the cofactor or without, so what was taken here can be checked anywhere."""
    data, key = bytes.fromhex(case["message"]), bytes.fromhex(case["key"])
    signature = base64.b64encode(bytes.fromhex(case["signature"])).decode()

    if case["why"].startswith("key and R of mixed order"):
        verify(data, signature=signature, key=key)
    else:
        with pytest.raises(InvalidSignature):
            verify(data, signature=signature, key=key)


@pytest.mark.parametrize("point", SMALL_ORDER, ids=bytes.hex)
def test_a_point_of_small_order_signs_nothing(point: bytes) -> None:
    key = bytes(SigningKey(bytes(32)).verify_key)

    for data in range(32):  # with S = 0 one in eight messages fits a point of order 8
        for by, r in ((point, point), (point, bytes([1]) + bytes(31)), (key, point)):
            with pytest.raises(InvalidSignature):
                verify(bytes([data]), signature=base64.b64encode(r + bytes(32)).decode(), key=by)


@given(seed=st.binary(min_size=32, max_size=32), times=st.integers(1, 15))
def test_a_signature_has_no_second_form(seed: bytes, times: int) -> None:
    signer = SigningKey(seed)
    raw = signer.sign(TEXT).signature
    more = (int.from_bytes(raw[32:], "little") + times * ORDER).to_bytes(33, "little")

    with pytest.raises(InvalidSignature):
        verify(TEXT, signature=base64.b64encode(raw[:32] + more[:32]).decode(), key=bytes(signer.verify_key))


@pytest.mark.parametrize("key", [b"", bytes(31), bytes(33), b"\xff" * 32], ids=len)
def test_what_is_no_key_verifies_nothing(key: bytes) -> None:
    with pytest.raises(InvalidSignature):
        verify(TEXT, signature=STANDARD, key=key)
