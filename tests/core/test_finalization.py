"""When a receipt is decided, when its window goes on, and when it is judged."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from ainp.core.attestation import Attestation
from ainp.core.committee import DRAWS, DrawPolicy
from ainp.core.finalization import Case, decide, extend_committee, review, seat_late
from ainp.core.quorum import QuorumMode
from ainp.core.receipt import Failure, ReceiptStatus, TaskReceipt
from support.builders import (
    CLIENT,
    NOW,
    POLICY,
    SEED,
    STRANGER,
    WORKER,
    a_case,
    a_named_epoch,
    a_receipt,
    accepts,
    agents,
    an_attestation,
    an_epoch,
    fails,
    passes,
    rejects,
)

MEMBERS = agents(5)
LATER = NOW + timedelta(minutes=5)
WINDOW_ENDS = NOW + POLICY.window
A_MOMENT = timedelta(microseconds=1)
LAST_WINDOW = a_receipt(extensions=POLICY.max_extensions)


@pytest.mark.parametrize(
    ("said", "status"),
    [
        pytest.param((), ReceiptStatus.PENDING, id="silence"),
        pytest.param(passes(*MEMBERS[:2]), ReceiptStatus.PENDING, id="two of three"),
        pytest.param((*passes(*MEMBERS[:2]), *accepts()), ReceiptStatus.PENDING, id="two and the client"),
        pytest.param(passes(*MEMBERS[:2], STRANGER), ReceiptStatus.PENDING, id="two and a stranger"),
        pytest.param(passes(MEMBERS[0]) * 3, ReceiptStatus.PENDING, id="one, three times"),
        pytest.param(passes(*MEMBERS[:3]), ReceiptStatus.FINALIZED, id="three pass"),
        pytest.param((*fails(*MEMBERS[:2]), *passes(*MEMBERS[2:])), ReceiptStatus.FINALIZED, id="three to two"),
        pytest.param(fails(*MEMBERS[:3]), ReceiptStatus.FAILED, id="three fail"),
        pytest.param((*fails(*MEMBERS[:2]), *rejects()), ReceiptStatus.PENDING, id="two fail and the client rejects"),
        pytest.param(tuple(an_attestation("SAFETY_PASS", m) for m in MEMBERS), ReceiptStatus.PENDING, id="remarks"),
    ],
)
def test_the_voices_of_the_committee_decide(said: tuple[Attestation, ...], status: ReceiptStatus) -> None:
    outcome = decide(a_case(None, *said), now=LATER)

    assert outcome.receipt.status is status
    assert outcome.decided == outcome.due == (status is not ReceiptStatus.PENDING)
    assert outcome.receipt.finalized_at == (LATER if status is ReceiptStatus.FINALIZED else None)
    assert outcome.receipt.failure is (Failure.VERDICTS if status is ReceiptStatus.FAILED else None)
    assert outcome.receipt.judged_at is None


def test_a_short_committee_has_failed_when_the_quorum_is_out_of_reach() -> None:
    three = agents(3)

    outcome = decide(a_case(a_receipt(three), *fails(three[0])), now=LATER)

    assert outcome.receipt.status is ReceiptStatus.FAILED


def test_the_client_counts_where_the_broker_says_so() -> None:
    receipt = a_receipt(mode=QuorumMode.COMMITTEE_PLUS_CLIENT)

    outcome = decide(a_case(receipt, *passes(*MEMBERS[:2]), *accepts()), now=LATER)

    assert outcome.receipt.status is ReceiptStatus.FINALIZED


@pytest.mark.parametrize("status", [ReceiptStatus.FINALIZED, ReceiptStatus.FAILED, ReceiptStatus.DISPUTED])
def test_late_verdicts_never_change_the_status(status: ReceiptStatus) -> None:
    decided = a_receipt(status=status, finalized_at=NOW)
    voices = fails(*MEMBERS) if status is ReceiptStatus.FINALIZED else passes(*MEMBERS)

    outcome = review(a_case(decided, *voices), now=WINDOW_ENDS, policy=POLICY)

    assert (outcome.receipt.status, outcome.receipt.finalized_at) == (status, NOW)
    assert not outcome.decided


def test_a_decision_waits_with_the_judgement_for_those_who_have_not_spoken() -> None:
    outcome = review(a_case(None, *passes(*MEMBERS[:3])), now=WINDOW_ENDS - A_MOMENT, policy=POLICY)

    assert (outcome.decided, outcome.judged, outcome.receipt.judged_at) == (True, False, None)


@pytest.mark.parametrize("last_word", [accepts(), rejects()])
def test_the_judgement_closes_when_all_have_spoken(last_word: tuple[Attestation, ...]) -> None:
    committee_spoke = a_case(None, *passes(*MEMBERS))
    all_spoke = a_case(None, *passes(*MEMBERS), *last_word)

    assert not review(committee_spoke, now=LATER, policy=POLICY).judged
    outcome = review(all_spoke, now=LATER, policy=POLICY)
    assert (outcome.decided, outcome.judged, outcome.receipt.judged_at) == (True, True, LATER)


def test_without_a_client_nobody_waits_for_one() -> None:
    outcome = review(a_case(a_receipt(client=None), *passes(*MEMBERS)), now=LATER, policy=POLICY)

    assert outcome.judged


def test_the_judgement_closes_with_the_window() -> None:
    case = a_case(None, *passes(*MEMBERS[:3]))

    assert review(case, now=WINDOW_ENDS, policy=POLICY).receipt.judged_at == WINDOW_ENDS


def test_a_receipt_is_judged_once() -> None:
    judged = review(a_case(None, *passes(*MEMBERS), *accepts()), now=LATER, policy=POLICY).receipt

    again = review(a_case(judged, *passes(*MEMBERS), *accepts()), now=WINDOW_ENDS, policy=POLICY)

    assert not again.due
    assert again.receipt is judged


@pytest.mark.parametrize("said", [(), passes(*MEMBERS[:2]), (*fails(*MEMBERS[:2]), *passes(*MEMBERS[2:4]))])
def test_silence_opens_another_window_twice_and_then_fails_the_receipt(said: tuple[Attestation, ...]) -> None:
    receipt, now, extended = a_receipt(), NOW, []
    for _ in range(10):
        assert not review(a_case(receipt, *said), now=receipt.window_ends_at - A_MOMENT, policy=POLICY).due
        now = receipt.window_ends_at
        outcome = review(a_case(receipt, *said), now=now, policy=POLICY)
        receipt = outcome.receipt
        extended.append(outcome.extended)
        if outcome.judged:
            break

    assert extended == [True, True, False]
    assert (receipt.status, receipt.failure, receipt.judged_at) == (ReceiptStatus.FAILED, Failure.NO_VERDICT, now)
    assert (receipt.extensions, now) == (2, NOW + 3 * POLICY.window)


def test_where_no_extension_is_allowed_the_first_window_is_the_last() -> None:
    outcome = review(a_case(), now=WINDOW_ENDS, policy=replace(POLICY, max_extensions=0))

    assert (outcome.extended, outcome.receipt.failure) == (False, Failure.NO_VERDICT)


def test_a_quorum_that_is_reached_at_the_last_moment_still_counts() -> None:
    outcome = review(a_case(LAST_WINDOW, *passes(*MEMBERS[:3])), now=WINDOW_ENDS, policy=POLICY)

    assert (outcome.receipt.status, outcome.judged) == (ReceiptStatus.FINALIZED, True)


@pytest.mark.parametrize("policy", DrawPolicy)
@given(spoke=st.sets(st.integers(0, 4)), candidates=st.integers(5, 14))
def test_an_extension_seats_the_next_of_the_same_draw_one_for_every_silent_member(
    policy: DrawPolicy, spoke: set[int], candidates: int
) -> None:
    epoch = an_epoch(candidates, range(1, candidates + 1))
    whole_draw = DRAWS[policy](epoch, seed=SEED, seats=100, parties=(CLIENT, WORKER))
    receipt = a_receipt(whole_draw[:5], draw=policy)
    said = passes(*(receipt.committee[place] for place in spoke))

    extended = extend_committee(Case(receipt, said), to=receipt, named=a_named_epoch(epoch))

    assert extended.committee == whole_draw[: 5 + 5 - len(spoke)]


def test_an_extension_never_seats_who_came_after_the_task() -> None:
    known, newcomers = an_epoch(5), an_epoch(agents(50, "newcomer"), registered_at=NOW)
    everyone = replace(
        an_epoch([*known.members, *newcomers.members]),
        registered_at=tuple(
            NOW if did in newcomers.members else NOW - POLICY.window
            for did in sorted([*known.members, *newcomers.members])
        ),
    )
    receipt = a_receipt(known.members)

    extended = extend_committee(a_case(receipt), to=receipt, named=a_named_epoch(everyone))

    assert set(extended.committee) == set(known.members)


def unseated(**changes: object) -> TaskReceipt:
    return structs.replace(a_receipt(()), **changes)


def test_an_empty_committee_is_seated_when_enough_were_there_before_the_receipt() -> None:
    epoch = an_epoch([*agents(5), CLIENT, WORKER])

    seated = seat_late(unseated(), named=a_named_epoch(epoch, number=9), now=LATER, policy=POLICY)

    assert seated is not None
    assert set(seated.committee) == set(agents(5))
    assert (seated.epoch_id, seated.short, seated.window_ends_at) == (9, False, LATER + POLICY.window)


@pytest.mark.parametrize("count", [0, 3, 4])
def test_an_empty_committee_stays_empty_while_fewer_than_m_could_sit(count: int) -> None:
    epoch = an_epoch([*agents(count), CLIENT, WORKER])

    assert seat_late(unseated(), named=a_named_epoch(epoch), now=LATER, policy=POLICY) is None


def test_nobody_registers_for_a_seat_on_a_task_that_is_known() -> None:
    epoch = an_epoch(20, registered_at=NOW)

    assert seat_late(unseated(), named=a_named_epoch(epoch), now=LATER, policy=POLICY) is None


@pytest.mark.parametrize(
    "receipt",
    [
        pytest.param(a_receipt(), id="seated already"),
        pytest.param(unseated(seed=None), id="without a seed"),
        pytest.param(unseated(status=ReceiptStatus.FAILED), id="failed"),
    ],
)
def test_only_a_pending_receipt_without_committee_is_seated_late(receipt: TaskReceipt) -> None:
    assert seat_late(receipt, named=a_named_epoch(an_epoch(20)), now=LATER, policy=POLICY) is None


def test_whatever_is_said_about_an_empty_committee_it_ends_without_a_verdict() -> None:
    said = (*passes(*agents(9)), *fails(*agents(3, "other")), *accepts())
    receipt = unseated(extensions=POLICY.max_extensions)

    assert not decide(a_case(receipt, *said), now=LATER).due
    assert review(a_case(receipt, *said), now=WINDOW_ENDS, policy=POLICY).receipt.failure is Failure.NO_VERDICT
