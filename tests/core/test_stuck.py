"""Every reason a receipt can be open for is named, and with it what ends it."""

from datetime import timedelta

import pytest

from ainp.core.did import AgentDid
from ainp.core.receipt import ReceiptStatus
from ainp.core.stuck import Around, Why, reasons, silent_members
from support.builders import a_case, a_receipt, agents, fails, passes

MEMBERS = agents(5, "member")
NOW = a_receipt().created_at + timedelta(hours=3)
CALM = {
    "now": NOW,
    "candidates": 8,
    "finalizer_enabled": True,
    "finalized_last_at": NOW - timedelta(seconds=30),
    "finalizer_every": timedelta(minutes=1),
    "max_extensions": 2,
}


def why(case: object, **around: object) -> list[Why]:
    return [reason.why for reason in reasons(case, Around(**{**CALM, **around}))]  # type: ignore[arg-type]


def test_silent_members_are_named_in_the_order_of_their_seats() -> None:
    case = a_case(a_receipt(MEMBERS), *passes(MEMBERS[3]))
    (reason,) = reasons(case, Around(**CALM))  # type: ignore[arg-type]

    assert silent_members(case) == [AgentDid(MEMBERS[n]) for n in (0, 1, 2, 4)]
    assert reason.why is Why.SILENT_MEMBERS
    assert reason.found.startswith(f"1 of 3 have passed, 0 failed; 4 of 5 members are silent: {MEMBERS[0]}, ")
    assert reason.fix.endswith("the finalizer seats more members")


def test_after_the_last_extension_it_will_fail() -> None:
    (reason,) = reasons(a_case(a_receipt(MEMBERS, extensions=2)), Around(**CALM))  # type: ignore[arg-type]

    assert reason.fix.endswith("the finalizer fails it as no_verdict")


@pytest.mark.parametrize(("candidates", "expected"), [(4, Why.TOO_FEW_CANDIDATES), (5, Why.NOT_SEATED_YET)])
def test_without_a_committee_it_says_how_many_could_be_drawn(candidates: int, expected: Why) -> None:
    case = a_case(a_receipt(()))
    (reason,) = reasons(case, Around(**{**CALM, "candidates": candidates}))  # type: ignore[arg-type]

    assert reason.why is expected
    assert f"{candidates} agents could be drawn" in reason.found
    assert "5 are needed" in reason.found


@pytest.mark.parametrize(
    ("around", "expected"),
    [
        ({"finalizer_enabled": False}, Why.FINALIZER_OFF),
        ({"finalized_last_at": None}, Why.FINALIZER_SILENT),
        ({"finalized_last_at": NOW - timedelta(minutes=2, seconds=1)}, Why.FINALIZER_SILENT),
    ],
)
def test_a_finalizer_that_does_nothing_comes_first(around: dict[str, object], expected: Why) -> None:
    assert why(a_case(a_receipt(MEMBERS)), **around) == [expected, Why.SILENT_MEMBERS]
    assert why(a_case(a_receipt(MEMBERS), *passes(*MEMBERS[:3])), **around) == [expected]


def test_two_missed_times_are_no_silence() -> None:
    late = {"finalized_last_at": NOW - timedelta(minutes=2)}

    assert why(a_case(a_receipt(MEMBERS), *passes(*MEMBERS[:3])), **late) == []


def test_a_quorum_out_of_reach_is_said() -> None:
    short = a_receipt(MEMBERS[:2], short=True)

    assert why(a_case(short, *passes(MEMBERS[0]))) == [Why.OUT_OF_REACH, Why.SILENT_MEMBERS]
    assert why(a_case(a_receipt(MEMBERS), *fails(*MEMBERS[:3]))) == []  # that is decided


def test_a_decided_receipt_is_not_stuck() -> None:
    assert why(a_case(a_receipt(MEMBERS, status=ReceiptStatus.FINALIZED)), finalizer_enabled=False) == []
