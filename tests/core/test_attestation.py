"""Who may say what about a receipt, how often, and the bytes of what was said."""

import base64
from typing import Any

import pytest
from nacl.signing import SigningKey

from ainp.core.attestation import (
    ACCEPTED,
    AUDIT_FAIL,
    AUDIT_PASS,
    EFFICIENCY_HIGH,
    REJECTED,
    SAFETY_PASS,
    Attestation,
    Parties,
    Role,
    check_form,
    check_role,
    check_room,
    millionths,
    verdict_of,
    verdicts_of,
)
from ainp.core.did import AgentDid, key_of_did
from ainp.core.errors import (
    AttestationLimit,
    DuplicateAttestation,
    InvalidRequest,
    InvalidSignature,
    SelfAttestation,
    UnauthorizedAttestation,
)
from ainp.core.ids import TaskId, parse_id
from ainp.core.limits import MAX_ATTESTATIONS_PER_AGENT, MAX_ATTESTATIONS_PER_RECEIPT
from ainp.core.signature import verify
from support.builders import CLIENT, STRANGER, WORKER, accepts, agents, an_attestation, fails, passes, rejects, vectors

COMMITTEE = agents(3)
PARTIES = Parties(agent=WORKER, client=CLIENT, committee=COMMITTEE)
SPEAKERS = {Role.CLIENT: CLIENT, Role.COMMITTEE: COMMITTEE[1], Role.AGENT: WORKER, Role.OTHER: STRANGER}
OTHER_TYPES = (SAFETY_PASS, "QUALITY_HIGH", EFFICIENCY_HIGH, "A1")
MAY_SAY = {
    Role.CLIENT: {ACCEPTED, REJECTED, *OTHER_TYPES},
    Role.COMMITTEE: {AUDIT_PASS, AUDIT_FAIL, *OTHER_TYPES},
    Role.AGENT: set[str](),
    Role.OTHER: set(OTHER_TYPES),
}
EVERY_TYPE = (ACCEPTED, REJECTED, AUDIT_PASS, AUDIT_FAIL, *OTHER_TYPES)
KEYS = vectors()["keys"]


def of_payload(payload: dict[str, Any]) -> Attestation:
    return Attestation(
        task_id=TaskId(parse_id(payload["task_id"], what="Receipt")),
        by=AgentDid(payload["by_did"]),
        type=payload["type"],
        score=payload["score"],
        confidence=payload["confidence"],
        evidence_ref=payload["evidence_ref"],
    )


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("kind", EVERY_TYPE)
def test_each_role_may_say_what_is_its_to_say(kind: str, role: Role) -> None:
    attestation = an_attestation(kind, SPEAKERS[role])

    assert PARTIES.role(SPEAKERS[role]) is role
    if kind in MAY_SAY[role]:
        check_role(attestation, PARTIES)
    else:
        with pytest.raises(SelfAttestation if role is Role.AGENT else UnauthorizedAttestation):
            check_role(attestation, PARTIES)


@pytest.mark.parametrize("kind", [AUDIT_PASS, AUDIT_FAIL])
@pytest.mark.parametrize("by", [CLIENT, STRANGER, WORKER])
def test_an_empty_committee_never_means_that_anyone_may_audit(kind: str, by: str) -> None:
    with pytest.raises((UnauthorizedAttestation, SelfAttestation)):
        check_role(an_attestation(kind, by), Parties(WORKER, CLIENT, ()))


@pytest.mark.parametrize("kind", [ACCEPTED, REJECTED])
def test_without_a_client_nobody_accepts(kind: str) -> None:
    with pytest.raises(UnauthorizedAttestation, match=f"{kind} must be by client_did"):
        check_role(an_attestation(kind, STRANGER), Parties(WORKER, None, COMMITTEE))


def test_a_worker_on_its_own_committee_is_still_the_worker() -> None:
    with pytest.raises(SelfAttestation):
        check_role(an_attestation(AUDIT_PASS, WORKER), Parties(WORKER, CLIENT, (WORKER,)))


@pytest.mark.parametrize("kind", ["AB", "A" * 64, "A_1", "SAFETY_PASS"])
def test_a_type_is_a_word_in_capitals(kind: str) -> None:
    check_form(an_attestation(kind), pass_score=0.5)


@pytest.mark.parametrize(
    "kind", ["", "A", "audit_pass", "1A", "_A", "A" * 65, "A B", "A-B", "AB\n", "\u00c4B", "\x00", "AUDIT_PASS "]
)
def test_what_is_no_type_is_refused(kind: str) -> None:
    with pytest.raises(InvalidRequest, match="type: found") as refusal:
        check_form(an_attestation(kind), pass_score=0.5)

    assert refusal.value.facts == {"field": "type"}


@pytest.mark.parametrize("field", ["score", "confidence"])
@pytest.mark.parametrize("value", [-0.000001, 1.000001, float("nan"), float("inf"), float("-inf"), True, False, 1e400])
def test_a_score_and_a_confidence_are_numbers_from_0_to_1(field: str, value: float) -> None:
    score, confidence = (value, None) if field == "score" else (None, value)
    attestation = an_attestation(SAFETY_PASS, score=score, confidence=confidence)

    with pytest.raises(InvalidRequest, match=f"{field}: found .*, expected a number from 0 to 1") as refusal:
        check_form(attestation, pass_score=0.5)
    assert refusal.value.facts == {"field": field}


@pytest.mark.parametrize("kind", [AUDIT_PASS, ACCEPTED])
@pytest.mark.parametrize(("score", "right"), [(0, False), (0.599999, False), (0.6, True), (1, True), (None, True)])
def test_a_pass_scores_at_least_the_threshold(kind: str, score: float | None, *, right: bool) -> None:
    attestation = an_attestation(kind, score=score)

    if right:
        check_form(attestation, pass_score=0.6)
    else:
        with pytest.raises(InvalidRequest, match=r"expected at least 0\.6"):
            check_form(attestation, pass_score=0.6)


@pytest.mark.parametrize("kind", [AUDIT_FAIL, REJECTED])
@pytest.mark.parametrize(("score", "right"), [(0, True), (0.599999, True), (0.6, False), (1, False), (None, True)])
def test_a_fail_scores_less_than_the_threshold(kind: str, score: float | None, *, right: bool) -> None:
    attestation = an_attestation(kind, score=score)

    if right:
        check_form(attestation, pass_score=0.6)
    else:
        with pytest.raises(InvalidRequest, match=r"expected less than 0\.6"):
            check_form(attestation, pass_score=0.6)


def test_a_remark_may_have_any_score() -> None:
    for score in (0.0, 0.2, 1.0):
        check_form(an_attestation(SAFETY_PASS, score=score), pass_score=0.5)


@pytest.mark.parametrize(("length", "right"), [(0, False), (1, True), (2048, True), (2049, False)])
def test_evidence_is_a_reference_and_not_the_evidence(length: int, *, right: bool) -> None:
    attestation = an_attestation(evidence_ref="u" * length)

    if right:
        check_form(attestation, pass_score=0.5)
    else:
        with pytest.raises(InvalidRequest, match=f"evidence_ref: found {length} characters"):
            check_form(attestation, pass_score=0.5)


@pytest.mark.parametrize(
    ("first", "second"), [(a, b) for a in (AUDIT_PASS, AUDIT_FAIL) for b in (AUDIT_PASS, AUDIT_FAIL)]
)
def test_a_member_gives_one_verdict(first: str, second: str) -> None:
    with pytest.raises(DuplicateAttestation):
        check_room(an_attestation(second), said_by_agent={first}, said_in_all=0)


@pytest.mark.parametrize(("first", "second"), [(ACCEPTED, REJECTED), (REJECTED, ACCEPTED), (ACCEPTED, ACCEPTED)])
def test_the_client_gives_one_verdict(first: str, second: str) -> None:
    with pytest.raises(DuplicateAttestation):
        check_room(an_attestation(second), said_by_agent={first, SAFETY_PASS}, said_in_all=1)


def test_a_remark_is_made_once() -> None:
    with pytest.raises(DuplicateAttestation, match="SAFETY_PASS"):
        check_room(an_attestation(SAFETY_PASS), said_by_agent={SAFETY_PASS}, said_in_all=1)


def test_an_agent_makes_eight_remarks_beside_its_verdict() -> None:
    eight = {f"REMARK_{number}" for number in range(MAX_ATTESTATIONS_PER_AGENT)}
    seven = eight - {"REMARK_3"}

    check_room(an_attestation("ONE_MORE"), said_by_agent=seven | {AUDIT_PASS}, said_in_all=7)
    check_room(an_attestation(AUDIT_PASS), said_by_agent=eight, said_in_all=8)
    with pytest.raises(AttestationLimit, match="has 8 attestations"):
        check_room(an_attestation("ONE_MORE"), said_by_agent=eight, said_in_all=8)


def test_a_receipt_carries_a_hundred_remarks_and_still_hears_verdicts() -> None:
    check_room(an_attestation(SAFETY_PASS), said_by_agent=(), said_in_all=MAX_ATTESTATIONS_PER_RECEIPT - 1)
    check_room(an_attestation(AUDIT_FAIL), said_by_agent=(), said_in_all=MAX_ATTESTATIONS_PER_RECEIPT)
    with pytest.raises(AttestationLimit, match="has 100 attestations"):
        check_room(an_attestation(SAFETY_PASS), said_by_agent=(), said_in_all=MAX_ATTESTATIONS_PER_RECEIPT)


@pytest.mark.parametrize(
    ("attestation", "score"),
    [(passes(STRANGER)[0], 800_000), (accepts()[0], 800_000), (fails(STRANGER)[0], 200_000), (rejects()[0], 200_000)],
)
def test_what_a_verdict_leaves_out_is_filled_in(attestation: Attestation, score: int) -> None:
    verdict = verdict_of(attestation)

    assert (verdict.score, verdict.confidence, verdict.passes) == (score, 800_000, score == 800_000)


def test_a_zero_was_not_left_out() -> None:
    verdict = verdict_of(an_attestation(AUDIT_FAIL, score=0.0, confidence=0.0))

    assert (verdict.score, verdict.confidence) == (0, 0)


def test_verdicts_are_read_among_remarks_in_order() -> None:
    said = (*passes(STRANGER, score=0.123457), an_attestation(SAFETY_PASS), *accepts())

    assert [(verdict.by, verdict.score) for verdict in verdicts_of(said)] == [(STRANGER, 123_457), (CLIENT, 800_000)]


@pytest.mark.parametrize(("value", "expected"), [(0, 0), (1, 10**6), (0.95, 950_000), (1e-7, 0), (0.9999999, 10**6)])
def test_millionths_are_the_nearest(value: float, expected: int) -> None:
    assert millionths(value) == expected


@pytest.mark.parametrize("vector", vectors()["attestations"], ids=lambda vector: vector["name"])
def test_a_statement_is_six_members_in_canonical_form_and_signed_as_such(vector: dict[str, Any]) -> None:
    attestation = of_payload(vector["payload"])

    assert attestation.statement == vector["canonical"].encode()
    verify(attestation.statement, signature=vector["sig"], key=key_of_did(attestation.by))


@pytest.mark.parametrize("vector", vectors()["attestation_negative"], ids=lambda vector: vector["name"])
def test_a_signature_over_other_bytes_or_by_another_key_is_refused(vector: dict[str, Any]) -> None:
    attestation = of_payload(vector["payload"])

    with pytest.raises(InvalidSignature, match="Signature verification failed"):
        verify(attestation.statement, signature=vector["sig"], key=key_of_did(attestation.by))


def test_the_example_of_the_contract_is_what_its_signer_signs() -> None:
    vector = vectors()["attestations"][0]
    key = SigningKey(bytes.fromhex(KEYS["bob"]["seed_hex"]))

    signed = key.sign(of_payload(vector["payload"]).statement)

    assert base64.b64encode(signed.signature).decode() == vector["sig"]
    assert vector["sig"].startswith("pQ2/z5xKb7ZGyjnjnblfW0E/jmAU1hDfZdZ1MDEtj1hWCrZ0w6LWMBBmtuYC0F9uN75J")
