"""A statement says what its row says; the same facts are broken in a database in tests/operations."""

import base64
import json
from dataclasses import replace
from uuid import UUID

import pytest
from msgspec import structs
from nacl.signing import SigningKey

from ainp.core.attestation import Attestation
from ainp.core.audit import Check, Origin
from ainp.core.audit_statements import KeptAttestation, check_attestation, check_statement
from ainp.core.canonical import canonical, digest
from ainp.core.did import AgentDid, did_of_key
from ainp.core.receipt import NamedEpoch, TaskReceipt, open_receipt
from ainp.core.settlement import pay
from support.builders import CLIENT, NOW, POLICY, TASK_ID, WORKER, a_named_epoch, a_settled_negotiation, an_epoch

KEY = SigningKey(bytes(32))
NAMED = a_named_epoch(an_epoch(20))
SETTLED = a_settled_negotiation({"price": 100, "note": 1e23})
ORIGIN = Origin(
    intent_id=SETTLED.intent_id,
    initiator=CLIENT,
    responder=WORKER,
    reserved=SETTLED.reserved,
    outputs_ref=None,
    seed=SETTLED.seed,
    terms_hash=SETTLED.current.terms_hash,
    terms_signatures={CLIENT: None, WORKER: None},
    accepted_at=NOW,
    delivered_at=None,
    closed_at=NOW,
)


def an_opened_receipt(named: NamedEpoch = NAMED) -> TaskReceipt:
    settlement = pay(SETTLED, task_id=TASK_ID, broker=None, validator=None)
    return open_receipt(SETTLED, settlement, named=named, policy=POLICY, now=NOW)


def checks(receipt: TaskReceipt, named: NamedEpoch | None = NAMED) -> list[Check]:
    return [finding.check for finding in check_statement(receipt, ORIGIN, named)]


def restated(receipt: TaskReceipt, **changes: object) -> TaskReceipt:
    assert receipt.statement is not None
    statement = canonical(json.loads(receipt.statement) | changes)
    return structs.replace(receipt, statement=statement, statement_hash=digest(statement))


def test_an_opened_receipt_says_what_it_is() -> None:
    nobody = a_named_epoch(an_epoch(0))

    assert checks(an_opened_receipt()) == []
    assert checks(an_opened_receipt(nobody), nobody) == []


@pytest.mark.parametrize(
    "name",
    [
        "statement", "task_id", "negotiation_id", "intent_id", "intent_type", "client_did", "agent_did",
        "amount_atomic", "distribution", "terms_hash", "terms_signatures", "outputs_ref", "metrics", "k", "m",
        "quorum_mode", "draw_policy", "committee_epoch", "seed",
    ],
)  # fmt: skip
def test_each_member_is_compared(name: str) -> None:
    assert checks(restated(an_opened_receipt(), **{name: "other"})) == [Check.STATEMENT]


@pytest.mark.parametrize("name", ["accepted_at", "delivered_at", "settled_at"])
def test_each_time_is_compared(name: str) -> None:
    assert checks(restated(an_opened_receipt(), **{name: "2026-03-01T12:00:00.000001Z"})) == [Check.STATEMENT]


def test_a_seed_a_committee_and_a_hash_are_looked_at_apart() -> None:
    receipt = an_opened_receipt()

    assert checks(restated(receipt, seed_commitment="0" * 64)) == [Check.SEED_COMMITMENT]
    assert checks(restated(receipt, committee=[WORKER])) == [Check.STATEMENT_COMMITTEE]
    assert checks(restated(receipt, committee="all")) == [Check.STATEMENT_COMMITTEE]
    assert checks(restated(receipt, committee=None, committee_epoch=None, seed=None)) == [Check.STATEMENT_COMMITTEE]
    assert checks(structs.replace(receipt, statement_hash=bytes(32))) == [Check.STATEMENT_HASH]


def test_a_statement_is_canonical_json() -> None:
    receipt = an_opened_receipt()
    assert receipt.statement is not None
    spaced = receipt.statement.replace(b":", b": ", 1)

    assert checks(structs.replace(receipt, statement=spaced, statement_hash=digest(spaced))) == [Check.STATEMENT]
    assert checks(structs.replace(receipt, statement=None)) == [Check.STATEMENT]
    with pytest.raises(TypeError, match="expected an object"):
        checks(structs.replace(receipt, statement=b"[]", statement_hash=digest(b"[]")))


def test_a_list_that_is_gone_or_a_seed_is_a_finding() -> None:
    assert checks(an_opened_receipt(), None) == [Check.STATEMENT]
    assert checks(structs.replace(an_opened_receipt(), seed=None)) == [Check.STATEMENT, Check.SEED_COMMITMENT]


def test_an_extended_committee_begins_with_the_stated_one() -> None:
    receipt = an_opened_receipt()
    extended = structs.replace(receipt, committee=(*receipt.committee, WORKER))

    assert checks(extended) == []
    assert checks(structs.replace(receipt, committee=receipt.committee[1:])) == [Check.STATEMENT_COMMITTEE]


@pytest.mark.parametrize(
    ("stored", "stated", "same"),
    [
        (10**23, 1e23, True),
        (1, 1.0, True),
        (1, True, False),
        ([1, {"a": 0.5}], [1, {"a": 0.5}], True),
        ([1], [1, 2], False),
        ({"a": 1}, {"b": 1}, False),
        ({"a": 1}, {"a": 2}, False),
        (True, 1, False),
        ([10**23], [1e23], True),
        ([True], [1], False),
        ("x", 1, False),
        ([1], {"a": 1}, False),
        ({"a": 1}, [1], False),
        (["a"], "a", False),
        ("a", ["a"], False),
    ],
)
def test_numbers_are_compared_as_json(stored: object, stated: object, same: bool) -> None:  # noqa: FBT001
    receipt = an_opened_receipt()
    reported = restated(receipt, metrics={**receipt.metrics, "reported": stated})

    found = checks(structs.replace(reported, metrics={**receipt.metrics, "reported": stored}))

    assert found == ([] if same else [Check.STATEMENT])


def kept(
    said: float | None = None, type_: str = "AUDIT_PASS", *, sure: float | None = None, **changes: object
) -> KeptAttestation:
    """An attestation of KEY as it is stored, with *changes* made by force."""
    by = did_of_key(bytes(KEY.verify_key))
    statement = Attestation(TASK_ID, by, type_, said, sure).statement
    row = KeptAttestation(
        id=UUID(int=1),
        task_id=TASK_ID,
        by=by,
        type=type_,
        score=800_000,
        confidence=800_000,
        evidence_ref=None,
        signature=base64.b64encode(KEY.sign(statement).signature).decode(),
        public_key=bytes(KEY.verify_key),
        statement=statement,
        statement_hash=digest(statement),
    )
    return replace(row, **changes)  # type: ignore[arg-type]  # the tests


def test_the_key_of_a_did_web_is_the_one_that_was_stored_with_its_signature() -> None:
    by = AgentDid("did:web:agent.example")
    statement = Attestation(TASK_ID, by, "AUDIT_PASS").statement
    signature = base64.b64encode(KEY.sign(statement).signature).decode()
    row = kept(by=by, statement=statement, statement_hash=digest(statement), signature=signature)

    assert list(check_attestation(row)) == []
    assert [f.check for f in check_attestation(replace(row, public_key=bytes(32)))] == [Check.SIGNATURE]
    assert [f.check for f in check_attestation(kept(public_key=bytes(32)))] == [Check.SIGNATURE]


def test_a_verdict_counts_with_what_compat_fills_in() -> None:
    assert list(check_attestation(kept())) == []
    assert list(check_attestation(kept(0.1234567, score=123_457))) == []
    assert list(check_attestation(kept(None, "QUALITY_HIGH", score=None, confidence=None))) == []


def test_an_attestation_is_canonical_json() -> None:
    statement = kept().statement
    assert statement is not None
    spaced = statement.replace(b":", b": ", 1)
    row = kept(statement=spaced, statement_hash=digest(spaced), signature=None)

    assert [finding.check for finding in check_attestation(row)] == [Check.ATTESTATION]


def test_a_remark_counts_as_it_was_said() -> None:
    said = kept(0.25, "SAFETY_PASS", score=250_000, confidence=None)

    assert list(check_attestation(said)) == []
    assert [f.check for f in check_attestation(replace(said, score=None))] == [Check.ATTESTATION]
    assert list(check_attestation(kept(0.25, "SAFETY_PASS", score=250_000, confidence=500_000, sure=0.5))) == []


@pytest.mark.parametrize(
    ("changes", "check"),
    [
        ({"task_id": UUID(int=2)}, Check.ATTESTATION),
        ({"type": "AUDIT_FAIL"}, Check.ATTESTATION),
        ({"score": 900_000}, Check.ATTESTATION),
        ({"confidence": None}, Check.ATTESTATION),
        ({"evidence_ref": "x"}, Check.ATTESTATION),
        ({"statement": None}, Check.ATTESTATION),
        ({"statement_hash": None}, Check.ATTESTATION_HASH),
        ({"signature": "AAAA"}, Check.SIGNATURE),
    ],
)
def test_each_fact_of_an_attestation_is_compared(changes: dict[str, object], check: Check) -> None:
    assert [finding.check for finding in check_attestation(kept(None, **changes))] == [check]  # type: ignore[arg-type]
