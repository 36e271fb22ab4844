"""The rules, applied once more to what is stored; the same facts are broken in a database in tests/operations."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

import pytest
from msgspec import structs

from ainp.core import audit, ledger
from ainp.core.attestation import AUDIT_PASS
from ainp.core.audit import Check, Finding
from ainp.core.committee import draw
from ainp.core.did import AgentDid
from ainp.core.ledger import Entry
from ainp.core.negotiation import Claim
from ainp.core.receipt import Failure, ReceiptStatus, TaskReceipt
from support.builders import (
    CLIENT,
    NOW,
    SEED,
    STRANGER,
    TASK_ID,
    WORKER,
    a_case,
    a_named_epoch,
    a_negotiation,
    a_receipt,
    agents,
    an_attestation,
    an_epoch,
    fails,
    passes,
)

EPOCH = an_epoch(20)
NAMED = a_named_epoch(EPOCH)


def a_drawn_receipt(seats: int = 5, **changes: object) -> TaskReceipt:
    members = draw(EPOCH, seed=SEED, seats=seats, parties=(WORKER, CLIENT))
    return structs.replace(a_receipt(members), short=False, **changes)


def checks(findings: Iterable[Finding]) -> list[Check]:
    return [finding.check for finding in findings]


def test_a_finding_is_one_line_of_plain_text() -> None:
    finding = Finding(Check.DRAW, "receipt\n1", "\x1b[31mré", "x" * 400)

    assert str(finding) == f"draw: receipt\\n1: found \\x1b[31mré, expected {'x' * 300}…"


def test_parties_that_took_turns_are_fine() -> None:
    proposed = a_negotiation().propose({"price": 5}, by=WORKER, now=NOW)
    accepted = proposed.accept(by=CLIENT, now=NOW, claim=Claim(), seed=SEED)

    assert checks(audit.check_negotiation(proposed)) == []
    assert checks(audit.check_negotiation(accepted)) == []


def test_turns_hashes_prices_and_signatures_are_looked_at() -> None:
    opened = a_negotiation()
    accepted = opened.accept(by=WORKER, now=NOW, claim=Claim(), seed=SEED)
    first = opened.current
    signed = replace(first, signature="A" * 86 + "==")

    assert checks(audit.check_negotiation(structs.replace(opened, rounds=()))) == [Check.ROUNDS]
    assert checks(audit.check_negotiation(structs.replace(opened, rounds=(replace(first, number=2),)))) == [
        Check.ROUNDS
    ]
    assert checks(audit.check_negotiation(structs.replace(opened, rounds=(replace(first, proposer=WORKER),)))) == [
        Check.ROUNDS
    ]
    assert checks(audit.check_negotiation(structs.replace(opened, rounds=(replace(first, terms_hash="0"),)))) == [
        Check.TERMS_HASH
    ]
    assert checks(audit.check_negotiation(structs.replace(opened, rounds=(signed,)))) == [Check.SIGNATURE]
    assert checks(audit.check_negotiation(structs.replace(opened, reserved=1))) == [Check.RESERVED_PRICE]
    assert checks(audit.check_negotiation(structs.replace(accepted, reserved=0))) == [Check.RESERVED_PRICE]


ORIGIN = audit.Origin(
    intent_id="translate",
    initiator=CLIENT,
    responder=WORKER,
    reserved=100_000,
    outputs_ref=None,
    seed=SEED,
    terms_hash=None,
    terms_signatures={},
    accepted_at=NOW,
    delivered_at=None,
    closed_at=NOW,
)


@pytest.mark.parametrize(
    ("name", "value", "findings"),
    [
        ("intent_id", "translate", 0),
        ("intent_id", "other", 1),
        ("client", STRANGER, 1),
        ("agent", STRANGER, 1),
        ("amount", 99_999, 1),
        ("outputs_ref", "x", 1),
        ("seed", bytes(32), 1),
        ("seed", None, 1),
        ("created_at", NOW + timedelta(microseconds=1), 1),
        ("distribution", {"agent": "99999"}, 1),
    ],
)
def test_a_receipt_repeats_its_negotiation(name: str, value: object, findings: int) -> None:
    receipt = structs.replace(a_receipt(), **{name: value})

    assert checks(audit.check_origin(receipt, ORIGIN)) == [Check.RECEIPT_ORIGIN] * findings


@pytest.mark.parametrize(
    "changes",
    [
        {"finalized_at": NOW},
        {"failure": Failure.VERDICTS},
        {"judged_at": NOW},
        {"status": ReceiptStatus.FINALIZED},
        {"status": ReceiptStatus.FAILED},
        {"status": ReceiptStatus.FAILED, "failure": Failure.NO_VERDICT},
        {"status": ReceiptStatus.FAILED, "failure": Failure.VERDICTS, "finalized_at": NOW},
    ],
)
def test_a_course_that_does_not_fit_together_is_a_finding(changes: dict[str, object]) -> None:
    receipt = structs.replace(a_receipt(), **changes)

    assert checks(audit.check_course(receipt)) == [Check.COURSE]


def test_a_draw_takes_its_list_and_its_seed() -> None:
    receipt = a_drawn_receipt()

    assert checks(audit.check_draw(receipt, None)) == [Check.DRAW]
    assert checks(audit.check_draw(structs.replace(receipt, epoch_id=None), None)) == [Check.DRAW]
    (unseeded,) = audit.check_draw(structs.replace(receipt, seed=None), NAMED)
    (unlisted,) = audit.check_draw(receipt, None)
    assert (unseeded.found, unlisted.found) == ("no seed", "no committee epoch 7")
    assert checks(audit.check_draw(structs.replace(receipt, committee=()), NAMED)) == [Check.DRAW]


@pytest.mark.parametrize(
    ("seats", "extensions", "fine"),
    [(5, 0, True), (4, 0, False), (6, 0, False), (9, 1, True), (5, 1, True), (4, 1, False)],
)
def test_a_committee_has_m_seats_and_more_only_when_it_was_extended(seats: int, extensions: int, fine: bool) -> None:  # noqa: FBT001
    receipt = a_drawn_receipt(seats, extensions=extensions)

    assert checks(audit.check_draw(receipt, NAMED)) == ([] if fine else [Check.DRAW])


def test_a_candidate_that_came_later_was_not_drawn() -> None:
    late = a_named_epoch(an_epoch(20, registered_at=NOW + timedelta(seconds=1)))

    assert checks(audit.check_draw(a_drawn_receipt(), late)) == [Check.DRAW, Check.COMMITTEE_SHORT]


def test_fewer_candidates_than_k_draw_nobody() -> None:
    two = a_named_epoch(an_epoch(2))
    nobody = a_receipt(0, epoch_id=7, short=True)

    assert checks(audit.check_draw(nobody, two)) == []
    assert checks(audit.check_draw(a_receipt(agents(2), short=True), two)) == [Check.DRAW]
    assert checks(audit.check_draw(a_receipt(0), None)) == []


@pytest.mark.parametrize(
    ("voices", "changes", "fine"),
    [
        (3, {"status": ReceiptStatus.FINALIZED, "finalized_at": NOW}, True),
        (2, {"status": ReceiptStatus.FINALIZED, "finalized_at": NOW}, False),
        (3, {}, False),
        (3, {"decidable": True}, True),
        (2, {}, True),
        (2, {"status": ReceiptStatus.FAILED, "failure": Failure.VERDICTS}, False),
        (-3, {"status": ReceiptStatus.FAILED, "failure": Failure.VERDICTS}, True),
        (2, {"status": ReceiptStatus.FAILED, "failure": Failure.NO_VERDICT, "judged_at": NOW}, True),
        (-3, {"status": ReceiptStatus.FAILED, "failure": Failure.NO_VERDICT, "judged_at": NOW}, False),
    ],
)
def test_a_status_takes_its_voices(voices: int, changes: dict[str, object], fine: bool) -> None:  # noqa: FBT001
    receipt = structs.replace(a_drawn_receipt(), **changes)
    said = passes(*receipt.committee[:voices]) if voices > 0 else fails(*receipt.committee[:-voices])

    assert checks(audit.check_quorum(a_case(receipt, *said))) == ([] if fine else [Check.QUORUM])
    assert checks(audit.check_course(receipt)) == []


def test_the_same_voice_twice_is_one_voice() -> None:
    receipt = a_drawn_receipt(status=ReceiptStatus.FINALIZED, finalized_at=NOW)
    case = a_case(receipt, *passes(*receipt.committee[:2]), *passes(receipt.committee[0]))

    assert checks(audit.check_quorum(case)) == [Check.QUORUM]
    assert checks(audit.check_voices(case)) == [Check.ONE_VERDICT]


@pytest.mark.parametrize("by", [WORKER, STRANGER, CLIENT], ids=["worker", "stranger", "client"])
def test_a_verdict_is_a_members(by: AgentDid) -> None:
    case = a_case(a_drawn_receipt(), an_attestation(AUDIT_PASS, by))

    assert checks(audit.check_voices(case)) == [Check.SPEAKER]


def test_a_disputed_receipt_may_have_been_finalized() -> None:
    assert checks(audit.check_course(a_receipt(status=ReceiptStatus.DISPUTED, finalized_at=NOW))) == []


def test_a_reward_is_paid_once_the_receipt_is_judged_to_those_who_spoke() -> None:
    receipt = a_drawn_receipt(judged_at=NOW)
    spoke = receipt.committee[:3]
    case = a_case(receipt, *passes(*spoke))
    paid = ledger.close_reward(TASK_ID, 10_000, sorted(spoke))
    stolen: tuple[Entry, ...] = ledger.close_reward(TASK_ID, 10_000, [STRANGER])

    assert checks(audit.check_rewards(case, paid)) == []
    assert checks(audit.check_rewards(case, paid[1:])) == [Check.REWARDS]
    assert checks(audit.check_rewards(case, stolen)) == [Check.REWARDS]
    assert checks(audit.check_rewards(a_case(a_drawn_receipt(), *passes(*spoke)), paid)) == [Check.REWARDS]
    assert checks(audit.check_rewards(a_case(a_drawn_receipt(), *passes(*spoke)), ())) == []


def test_a_list_is_the_published_one() -> None:
    assert checks(audit.check_epoch(7, EPOCH, stored_hash=EPOCH.hash)) == []
    assert checks(audit.check_epoch(7, EPOCH, stored_hash=bytes(32))) == [Check.EPOCH_HASH]
    shorter = replace(EPOCH, weights=EPOCH.weights[1:])
    assert checks(audit.check_epoch(7, shorter, stored_hash=EPOCH.hash)) == [Check.EPOCH_HASH]


def test_a_voice_that_is_no_verdict_may_be_one_of_many() -> None:
    receipt = a_drawn_receipt()
    case = a_case(receipt, *passes(receipt.committee[0]), an_attestation("SAFETY_PASS", receipt.committee[0]))

    assert checks(audit.check_voices(case)) == []
