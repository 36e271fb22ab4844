"""What an agent signs at a socket is worth something there, and nowhere else."""

import pytest
from nacl.signing import SigningKey

from ainp.client.identity import Identity
from ainp.core.errors import InvalidSignature
from ainp.core.signature import key_that_verifies
from ainp.core.socket_proof import check, statement

ALICE = Identity(SigningKey(bytes(32)))
ASKED = {"challenge": "c", "audience": "https://broker.example"}


def proven(signed_as: str = ALICE.did, **signed: str) -> None:
    signature = ALICE.sign(statement(signed_as, **{**ASKED, **signed}))
    check(ALICE.did, **ASKED, signature=signature, key=key_that_verifies(ALICE.did))


def test_what_is_signed_says_what_it_is_for() -> None:
    assert statement("did:key:a", **ASKED) == (
        b'{"audience":"https://broker.example","challenge":"c","did":"did:key:a","purpose":"ainp-websocket"}'
    )
    proven()


@pytest.mark.parametrize(
    "other", [{"challenge": "d"}, {"audience": "https://other.example"}, {"signed_as": "did:key:another"}]
)
def test_a_proof_is_for_this_socket_of_this_agent_at_this_broker(other: dict[str, str]) -> None:
    with pytest.raises(InvalidSignature, match=r"expected it over the challenge for https://broker\.example"):
        proven(**other)
