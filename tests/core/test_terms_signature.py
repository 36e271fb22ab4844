"""Both parties may sign the terms; what they signed is kept with the round and stands in the receipt's statement."""

import base64

import pytest
from nacl.signing import SigningKey

from ainp.core.did import did_of_key
from ainp.core.errors import InvalidSignature
from ainp.core.negotiation import Claim, Opening, initiate
from support.builders import NEGOTIATION_ID, NOW, SEED, a_proposal

CLIENT_KEY, WORKER_KEY = SigningKey(bytes(32)), SigningKey(bytes([1]) * 32)
CLIENT, WORKER = (did_of_key(bytes(key.verify_key)) for key in (CLIENT_KEY, WORKER_KEY))


def signed(key: SigningKey, data: bytes) -> str:
    return base64.b64encode(key.sign(data).signature).decode()


def test_signatures_of_both_parties_are_kept_with_the_accepted_round() -> None:
    unsigned = initiate(
        Opening(intent_id="i", initiator=CLIENT, responder=WORKER, proposal=a_proposal()), id=NEGOTIATION_ID, now=NOW
    )
    terms_hash = unsigned.terms.hash
    by_client, by_worker = signed(CLIENT_KEY, terms_hash), signed(WORKER_KEY, terms_hash)
    opening = Opening(intent_id="i", initiator=CLIENT, responder=WORKER, proposal=a_proposal(), signature=by_client)

    accepted = initiate(opening, id=NEGOTIATION_ID, now=NOW).accept(
        by=WORKER, now=NOW, claim=Claim(signature=by_worker), seed=SEED
    )

    assert (accepted.current.signature, accepted.current.countersignature) == (by_client, by_worker)


def test_a_signature_over_other_terms_is_refused() -> None:
    opening = Opening(
        intent_id="i",
        initiator=CLIENT,
        responder=WORKER,
        proposal=a_proposal(),
        signature=signed(CLIENT_KEY, bytes(32)),
    )

    with pytest.raises(InvalidSignature):
        initiate(opening, id=NEGOTIATION_ID, now=NOW)


def test_one_party_does_not_sign_for_the_other() -> None:
    opened = initiate(
        Opening(intent_id="i", initiator=CLIENT, responder=WORKER, proposal=a_proposal()), id=NEGOTIATION_ID, now=NOW
    )
    forged = Claim(signature=signed(CLIENT_KEY, opened.terms.hash))

    with pytest.raises(InvalidSignature):
        opened.accept(by=WORKER, now=NOW, claim=forged, seed=SEED)
