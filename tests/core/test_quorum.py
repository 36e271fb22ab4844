"""Counting voices: each member once, whoever else speaks not at all."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ainp.core.attestation import ACCEPTED, AUDIT_FAIL, AUDIT_PASS, REJECTED, Verdict
from ainp.core.did import AgentDid
from ainp.core.errors import QuorumNotMet
from ainp.core.quorum import QuorumMode, Tally, tally
from support.builders import CLIENT, STRANGER, WORKER, agents

MEMBERS = agents(5)
PLUS = QuorumMode.COMMITTEE_PLUS_CLIENT
ONLY = QuorumMode.COMMITTEE_ONLY
KINDS = (AUDIT_PASS, AUDIT_FAIL, None)


def said(kind: str, *dids: AgentDid) -> list[Verdict]:
    return [Verdict(by=did, type=kind, score=500_000, confidence=500_000) for did in dids]


def of(
    verdicts: Sequence[Verdict], *, committee: Sequence[AgentDid] = MEMBERS, needed: int = 3, mode: QuorumMode = ONLY
) -> Tally:
    return tally(verdicts, committee=committee, client=CLIENT, needed=needed, mode=mode)


@pytest.mark.parametrize("mode", QuorumMode)
@pytest.mark.parametrize(
    ("passed", "failed", "outcome"),
    [
        (0, 0, "open"),
        (2, 0, "open"),
        (2, 2, "open"),
        (0, 2, "open"),
        (3, 0, "reached"),
        (3, 2, "reached"),
        (5, 0, "reached"),
        (0, 3, "lost"),
        (2, 3, "lost"),
    ],
)
def test_three_of_five_decide(passed: int, failed: int, outcome: str, mode: QuorumMode) -> None:
    found = of([*said(AUDIT_PASS, *MEMBERS[:passed]), *said(AUDIT_FAIL, *MEMBERS[passed : passed + failed])], mode=mode)

    assert (found.have, found.reached, found.decided) == (passed, outcome == "reached", outcome != "open")


@given(spoke=st.lists(st.sampled_from(KINDS), min_size=1, max_size=9), needed=st.integers(1, 9))
def test_a_tally_is_lost_when_enough_failed_or_the_rest_is_too_few(spoke: list[str | None], needed: int) -> None:
    members = agents(len(spoke))
    needed = min(needed, len(members))
    verdicts = [verdict for did, kind in zip(members, spoke, strict=True) if kind for verdict in said(kind, did)]

    found = of(verdicts, committee=members, needed=needed)

    passes, fails, silent = (spoke.count(kind) for kind in KINDS)
    assert found.reached == (passes >= needed)
    assert found.lost == (fails >= needed or passes + silent < needed)
    assert (len(found.passed), len(found.failed), len(found.silent)) == (passes, fails, silent)


def test_a_member_who_passes_twice_counts_once() -> None:
    assert of(said(AUDIT_PASS, MEMBERS[0], MEMBERS[0], MEMBERS[0])).have == 1


def test_three_outsiders_finalize_nothing() -> None:
    found = of(said(AUDIT_PASS, STRANGER, WORKER, CLIENT))

    assert (found.have, found.decided, found.silent) == (0, False, frozenset(MEMBERS))


def test_the_client_s_acceptance_is_no_committee_voice() -> None:
    found = of([*said(AUDIT_PASS, *MEMBERS[:2]), *said(ACCEPTED, CLIENT)])

    assert (found.have, found.reached) == (2, False)


def test_where_it_counts_the_client_s_acceptance_counts_once() -> None:
    two = said(AUDIT_PASS, *MEMBERS[:2])

    assert of([*two, *said(ACCEPTED, CLIENT)], mode=PLUS).reached
    assert not of([*two[:1], *said(ACCEPTED, CLIENT, CLIENT)], mode=PLUS).reached
    assert not of([*two, *said(ACCEPTED, STRANGER)], mode=PLUS).reached


def test_a_client_that_may_still_accept_keeps_the_quorum_within_reach() -> None:
    short = agents(3)
    one_failed = [*said(AUDIT_FAIL, short[0]), *said(AUDIT_PASS, *short[1:])]

    assert not of(one_failed, committee=short, mode=PLUS).decided
    assert of(one_failed, committee=short, mode=ONLY).lost
    assert of([*one_failed, *said(REJECTED, CLIENT)], committee=short, mode=PLUS).lost
    assert of([*one_failed, *said(ACCEPTED, CLIENT)], committee=short, mode=PLUS).reached


def test_a_rejecting_client_is_no_failing_voice_of_the_committee() -> None:
    found = of(said(REJECTED, CLIENT), mode=PLUS)

    assert (found.failed, found.decided) == (frozenset(), False)


@pytest.mark.parametrize("committee", [(), MEMBERS[:1]])
def test_the_client_alone_is_no_audit_even_where_one_voice_is_enough(committee: Sequence[AgentDid]) -> None:
    found = of(said(ACCEPTED, CLIENT), committee=committee, needed=1, mode=PLUS)

    assert not found.decided


@pytest.mark.parametrize("mode", QuorumMode)
def test_an_empty_committee_decides_nothing(mode: QuorumMode) -> None:
    everyone = [*said(AUDIT_PASS, STRANGER, WORKER), *said(AUDIT_FAIL, *MEMBERS), *said(ACCEPTED, CLIENT)]

    assert not of(everyone, committee=(), mode=mode).decided


def test_a_quorum_that_is_not_met_says_both_numbers() -> None:
    refusal = QuorumNotMet(needed=3, have=1)

    assert refusal.message == "QUORUM_NOT_MET: needed 3, have 1"
    assert (refusal.code, refusal.facts) == ("QUORUM_NOT_MET", {"needed": 3, "have": 1})
