"""DID documents: which keys are whose, and for what."""

import base64
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ainp.core.did import AgentDid
from ainp.core.did_document import read_document
from ainp.core.errors import NoVerificationKey
from ainp.core.limits import MAX_DOCUMENT_KEYS
from support.builders import vectors

DID = AgentDid("did:web:agent.example")
ALICE = vectors()["keys"]["alice"]
KEY = bytes.fromhex(ALICE["public_key_hex"])
MULTIBASE = ALICE["did"].removeprefix("did:key:")
JWK = {"kty": "OKP", "crv": "Ed25519", "x": base64.urlsafe_b64encode(KEY).decode().rstrip("=")}


def a_method(**changes: object) -> dict[str, Any]:
    usual = {"id": f"{DID}#1", "type": "Multikey", "controller": DID, "publicKeyMultibase": MULTIBASE}
    return {name: value for name, value in {**usual, **changes}.items() if value is not ...}


def a_document(*methods: object, **changes: object) -> dict[str, Any]:
    return {"id": DID, "verificationMethod": list(methods), "authentication": [f"{DID}#1"], **changes}


FORMS = {
    "Multikey": {},
    "Ed25519VerificationKey2020": {"type": "Ed25519VerificationKey2020"},
    "Ed25519VerificationKey2020, as the TypeScript SDK writes it": {
        "type": "Ed25519VerificationKey2020",
        "publicKeyMultibase": ...,
        "publicKeyBase58": ALICE["raw_public_key_base58"],
    },
    "Ed25519VerificationKey2018": {
        "type": "Ed25519VerificationKey2018",
        "publicKeyMultibase": ...,
        "publicKeyBase58": ALICE["raw_public_key_base58"],
    },
    "JsonWebKey2020": {"type": "JsonWebKey2020", "publicKeyMultibase": ..., "publicKeyJwk": JWK},
    "JsonWebKey": {"type": "JsonWebKey", "publicKeyMultibase": ..., "publicKeyJwk": JWK},
    "a relative id": {"id": "#1"},
}


@pytest.mark.parametrize("form", FORMS)
def test_a_key_is_read_in_each_of_its_forms(form: str) -> None:
    document = read_document(a_document(a_method(**FORMS[form])), DID)

    assert [(key.id, key.raw) for key in document.authentication] == [(f"{DID}#1", KEY)]
    assert document.assertion == ()


def test_a_key_may_be_named_relatively_or_stand_where_it_is_used() -> None:
    named = read_document(a_document(a_method(), authentication=["#1"], assertionMethod=["#1"]), DID)
    inside = read_document({"id": DID, "authentication": [a_method()], "assertionMethod": [a_method(id="#2")]}, DID)

    assert named.authentication == named.assertion == inside.authentication
    assert [key.id for key in inside.assertion] == [f"{DID}#2"]


NO_KEY = {
    "listed for nothing": a_document(a_method(), authentication=[]),
    "listed for something else": a_document(a_method(), authentication=[], keyAgreement=["#1"]),
    "another is listed": a_document(a_method(), authentication=["#2"]),
    "another's": a_document(a_method(controller="did:web:other.example")),
    "nobody's": a_document(a_method(controller=...)),
    "under another's name": a_document(
        a_method(id="did:web:other.example#1"), authentication=["did:web:other.example#1"]
    ),
    "without a name": a_document(a_method(id=...)),
    "of another kind": a_document(a_method(type="X25519KeyAgreementKey2020")),
    "x25519": a_document(a_method(publicKeyMultibase="z6LSbvLobBXjMboYeSQheFRS6g3i5CzHVGdc8NSNQ27pV5V1")),
    "another multibase": a_document(a_method(publicKeyMultibase="u" + MULTIBASE[1:])),
    "cut short": a_document(a_method(publicKeyMultibase=MULTIBASE[:-1])),
    "endless": a_document(a_method(publicKeyMultibase="z" * 10**6)),
    "of another curve": a_document(
        a_method(type="JsonWebKey", publicKeyMultibase=..., publicKeyJwk={**JWK, "crv": "X25519"})
    ),
    "with its private half": a_document(
        a_method(type="JsonWebKey", publicKeyMultibase=..., publicKeyJwk={**JWK, "d": "x"})
    ),
    "a key that is too short": a_document(
        a_method(type="JsonWebKey", publicKeyMultibase=..., publicKeyJwk={**JWK, "x": "AA"})
    ),
    "a key that is no base64": a_document(
        a_method(type="JsonWebKey", publicKeyMultibase=..., publicKeyJwk={**JWK, "x": "!"})
    ),
    "too many": a_document(a_method(), authentication=["#1"] * (MAX_DOCUMENT_KEYS + 1)),
    "of another DID": a_document(a_method(), id="did:web:agent.example:x"),
    "of the same DID, written otherwise": a_document(a_method(), id="did:web:AGENT.example"),
    "a list": [a_document(a_method())],
    "nothing": None,
}


@pytest.mark.parametrize("case", NO_KEY)
def test_a_document_without_a_key_of_its_subject_is_refused(case: str) -> None:
    with pytest.raises(NoVerificationKey, match="can't be used") as refusal:
        read_document(NO_KEY[case], DID)

    assert len(refusal.value.message) < 500


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.sampled_from([DID, "#1", MULTIBASE]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "type", "controller", "publicKeyMultibase", "publicKeyJwk", "publicKeyBase58", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)


@given(methods=JSON, used=JSON)
@example(methods=[{"controller": DID, "type": []}], used=[])
def test_no_document_breaks_the_reader(methods: object, used: object) -> None:
    with pytest.raises(NoVerificationKey):
        read_document({"id": DID, "verificationMethod": methods, "authentication": used}, DID)
