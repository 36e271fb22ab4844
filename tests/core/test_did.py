"""DIDs: what may be registered, and which key a did:key is."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ainp.core.did import did_of_key, key_of_did, operator_of, parse_did
from ainp.core.errors import InvalidDid
from ainp.core.limits import MAX_DID_LENGTH
from support.builders import vectors

# Legal did:web that the known implementation refused for its port or path.
REGISTRABLE_HERE = {"did:web:agent.example%3A8443", "did:web:agent.example:user:1"}
KEYS = vectors()["keys"]


def test_the_example_of_the_contract() -> None:
    public = bytes.fromhex("03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8")

    assert did_of_key(public) == "did:key:z6MkehRgf7yJbgaGfYsdoAsKdBPE3dj2CYhowQdcjqSJgvVd"


@pytest.mark.parametrize("name", KEYS)
def test_a_did_key_is_its_public_key(name: str) -> None:
    public, did = bytes.fromhex(KEYS[name]["public_key_hex"]), KEYS[name]["did"]

    assert did_of_key(public) == did
    assert key_of_did(did) == public
    assert parse_did(did) == did


@given(public=st.binary(min_size=32, max_size=32))
def test_every_key_has_one_did_and_every_such_did_its_key(public: bytes) -> None:
    did = did_of_key(public)

    assert key_of_did(did) == public
    assert parse_did(did) == did
    assert did.startswith("did:key:z6Mk")


@pytest.mark.parametrize("vector", vectors()["did_negative"], ids=lambda vector: vector["why"])
def test_dids_that_carry_no_key(vector: dict[str, Any]) -> None:
    did = vector["did"]

    with pytest.raises(InvalidDid):
        key_of_did(did)
    if vector["registration_regex"] or did in REGISTRABLE_HERE:
        assert parse_did(did) == did
    else:
        with pytest.raises(InvalidDid, match="Invalid DID format"):
            parse_did(did)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "did:",
        "did:key:",
        "did:web:",
        "did:ainp:broker",
        "DID:key:z6Mk",
        "did:key:z6Mk:x",
        "did:key:z6Mk%41",
        "did:key:z6Mk ",
        "did:key:z6Mk\n",
        "did:web:agent.example/path",
        "did:web:agent.example#key",
        "did:web:\u00e4.example",
        "did:key:\u0661",
        "did:key:z\x00",
        "did:web:\ud800",
        "did:key:" + "z" * (MAX_DID_LENGTH - 7),
    ],
)
def test_what_is_not_a_did_is_refused(text: str) -> None:
    with pytest.raises(InvalidDid, match="Invalid DID format") as refusal:
        parse_did(text)

    assert len(refusal.value.message) < 1000


def test_the_longest_did_has_512_characters() -> None:
    longest = "did:web:" + "a" * 504

    assert len(parse_did(longest)) == MAX_DID_LENGTH == 512


@pytest.mark.parametrize(
    "did",
    [
        "did:key:z",
        "did:key:z6Mk",
        "did:key:z1" + KEYS["bob"]["did"].removeprefix("did:key:z"),
        KEYS["bob"]["did"] + "1",
        KEYS["bob"]["did"][:-1],
        KEYS["bob"]["did"].replace("6Mk", "6Ml", 1),
        "did:key:z\u0661",
        "did:key:" + "z" * 100,
    ],
)
def test_a_did_key_that_is_not_quite_one_is_refused(did: str) -> None:
    with pytest.raises(InvalidDid):
        key_of_did(did)


@pytest.mark.parametrize(
    "did",
    [
        "did:web:agent.example",
        "did:web:agent.example:user:1",
        "did:web:agent.example%3A8443",
        "did:web:agent.example%3a8443:user",
        "did:web:Agent.EXAMPLE",
        "did:web:agent.example.",
        "did:web:%61gent.example",
    ],
)
def test_the_operator_of_a_did_web_is_its_domain_however_it_is_written(did: str) -> None:
    assert operator_of(did) == "did:web:agent.example"


def test_other_domains_are_other_operators() -> None:
    assert operator_of("did:web:one.example") != operator_of("did:web:two.example")


def test_nobody_knows_who_runs_a_did_key() -> None:
    assert operator_of(KEYS["bob"]["did"]) == KEYS["bob"]["did"]
