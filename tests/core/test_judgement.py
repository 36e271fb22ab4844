"""What follows from a judged receipt: for the worker, for the reward account, for the auditors."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from ainp.core.attestation import Attestation
from ainp.core.did import AgentDid
from ainp.core.finalization import Judgement, judge
from ainp.core.ledger import POOL, available, reward
from ainp.core.quorum import QuorumMode
from ainp.core.receipt import Failure, ReceiptStatus
from ainp.core.reputation import ONE, Dimension
from support.builders import (
    CLIENT,
    NOW,
    STRANGER,
    TASK_ID,
    a_case,
    a_receipt,
    accepts,
    agents,
    an_attestation,
    fails,
    passes,
    rejects,
)

MEMBERS = agents(5)
D = Dimension


def judged(*said: Attestation, status: ReceiptStatus = ReceiptStatus.FINALIZED, **changes: object) -> Judgement:
    receipt = structs.replace(a_receipt(status=status, judged_at=NOW), **changes)
    return judge(a_case(receipt, *said), receipt)


def observed(judgement: Judgement) -> dict[Dimension, int]:
    return {seen.dimension: seen.observed for seen in judgement.observations}


def test_a_finalized_receipt_speaks_for_the_worker() -> None:
    said = (*passes(*MEMBERS[:3], score=0.9, confidence=0.8), *fails(MEMBERS[3], score=0.1, confidence=0.6))

    found = observed(judged(*said))

    assert found == {D.RELIABILITY: ONE, D.QUALITY: 900_000, D.TRUTHFULNESS: 900_000, D.FINAL_TIMELINESS: ONE}


def test_a_failed_receipt_speaks_against_it() -> None:
    said = fails(*MEMBERS[:3], score=0.2, confidence=0.9)

    found = observed(judged(*said, status=ReceiptStatus.FAILED, failure=Failure.VERDICTS))

    assert found == {D.RELIABILITY: 0, D.QUALITY: 200_000, D.TRUTHFULNESS: 50_000}


def test_no_verdict_says_nothing_about_the_worker_and_pays_those_who_spoke() -> None:
    said = (
        *passes(MEMBERS[0]),
        *fails(MEMBERS[1]),
        *accepts(score=0.9),
        an_attestation("SAFETY_PASS", CLIENT, score=1),
    )

    judgement = judged(*said, status=ReceiptStatus.FAILED, failure=Failure.NO_VERDICT)

    assert judgement.observations == ()
    assert {entry.target for entry in judgement.rewards} == {available(MEMBERS[0]), available(MEMBERS[1])}
    assert (judgement.agreed, judgement.disagreed, judgement.silent) == ((), (), MEMBERS[2:])


def test_a_receipt_over_too_little_moves_no_reputation() -> None:
    judgement = judged(*passes(*MEMBERS), counts=False)

    assert judgement.observations == ()
    assert judgement.agreed == MEMBERS


@pytest.mark.parametrize(
    ("scores", "client", "expected"),
    [
        pytest.param((0.6, 0.7, 1.0), None, 700_000, id="the middle one"),
        pytest.param((0.6, 0.7, 0.8, 1.0), None, 750_000, id="the mean of the middle two"),
        pytest.param((1.0, 1.0, 1.0), 0.0, 800_000, id="a fifth is the client's"),
        pytest.param((0.5, 0.5, 0.5), 1.0, 600_000, id="for better"),
        pytest.param((0.123456, 0.123456, 0.123456), 0.654321, 229_629, id="to the millionth, rounded"),
    ],
)
def test_quality_is_the_committee_s_median_and_a_fifth_the_client_s(
    scores: tuple[float, ...], client: float | None, expected: int
) -> None:
    said = [a for did, score in zip(MEMBERS, scores, strict=False) for a in passes(did, score=score)]
    word = () if client is None else accepts(score=client)

    assert abs(observed(judged(*said, *word))[D.QUALITY] - expected) <= 1


def test_a_client_that_rejects_without_a_score_means_little_quality() -> None:
    assert observed(judged(*passes(*MEMBERS, score=1), *rejects()))[D.QUALITY] == 840_000


def test_a_confident_liar_moves_a_median_no_further_than_anybody() -> None:
    honest = passes(*MEMBERS[:3], score=0.9, confidence=0.5)

    loud = observed(judged(*honest, *fails(*MEMBERS[3:], score=0, confidence=1)))
    soft = observed(judged(*honest, *fails(*MEMBERS[3:], score=0.4, confidence=0.1)))

    assert loud == soft


def test_truthfulness_is_the_median_belief_in_the_work() -> None:
    beliefs = (*passes(MEMBERS[0], confidence=1), *passes(MEMBERS[1], confidence=0), *fails(MEMBERS[2], confidence=1))

    assert observed(judged(*beliefs))[D.TRUTHFULNESS] == 500_000
    assert observed(judged(*passes(*MEMBERS[:3], confidence=0.5)))[D.TRUTHFULNESS] == 750_000


def test_of_remarks_only_two_kinds_by_client_and_committee_count() -> None:
    said = (
        an_attestation("SAFETY_PASS", CLIENT, score=0.4),
        an_attestation("SAFETY_PASS", MEMBERS[0], score=0.6),
        an_attestation("SAFETY_PASS", STRANGER, score=1.0),
        an_attestation("SAFETY_PASS", MEMBERS[1]),
        an_attestation("EFFICIENCY_HIGH", MEMBERS[4], score=0.7),
        an_attestation("QUALITY_HIGH", CLIENT, score=1.0),
    )

    found = observed(judged(*passes(*MEMBERS[:3]), *said))

    assert (found[D.SAFETY], found[D.EFFICIENCY]) == (500_000, 700_000)
    assert D.IMPACT not in found
    assert D.TIMELINESS not in found


@pytest.mark.parametrize(
    ("metrics", "expected"),
    [
        ({"latency_ms": 7500, "delivery_time_ms": 5000}, 500_000),
        ({"latency_ms": 4000, "delivery_time_ms": None}, 200_000),
        ({}, None),
    ],
)
def test_the_timeliness_of_a_finalized_receipt_weighs_committee_seats(
    metrics: dict[str, object], expected: int | None
) -> None:
    assert observed(judged(*passes(*MEMBERS), metrics=metrics)).get(D.FINAL_TIMELINESS) == expected


def test_every_observation_says_why() -> None:
    judgement = judged(*passes(*MEMBERS[:3]), *accepts())

    assert {seen.dimension: seen.reason for seen in judgement.observations} == {
        D.RELIABILITY: "the receipt was finalized by its committee",
        D.QUALITY: "0.8 median of 3 committee verdicts + 0.2 client",
        D.TRUTHFULNESS: "median belief of 3 committee verdicts",
        D.FINAL_TIMELINESS: "timeliness of a finalized receipt",
    }


def test_those_who_gave_a_verdict_share_alike_and_what_is_left_goes_to_the_pool() -> None:
    said = (*passes(*MEMBERS[:2]), *fails(MEMBERS[2]), *passes(STRANGER), *accepts())

    rewards = judged(*said).rewards

    assert {entry.target: entry.amount for entry in rewards} == {
        **{available(member): 3_333 for member in MEMBERS[:3]},
        POOL: 1,
    }


@pytest.mark.parametrize("committee", [MEMBERS, ()])
def test_where_nobody_spoke_the_reward_goes_to_the_pool(committee: tuple[AgentDid, ...]) -> None:
    failed = a_receipt(committee, status=ReceiptStatus.FAILED, failure=Failure.NO_VERDICT)

    (entry,) = judge(a_case(failed), failed).rewards

    assert (entry.source, entry.target, entry.amount) == (reward(TASK_ID), POOL, 10_000)


@given(
    kinds=st.lists(st.sampled_from(("pass", "fail", "silent")), min_size=5, max_size=5),
    amount=st.integers(0, 10**12),
)
def test_the_reward_account_ends_at_zero_whoever_spoke(kinds: list[str], amount: int) -> None:
    said = [
        attestation
        for did, kind in zip(MEMBERS, kinds, strict=True)
        if kind != "silent"
        for attestation in (passes(did) if kind == "pass" else fails(did))
    ]
    failure = Failure.NO_VERDICT if not said else Failure.VERDICTS

    judgement = judged(*said, status=ReceiptStatus.FAILED, failure=failure, distribution={"reward": str(amount)})

    paid = Counter({entry.target: entry.amount for entry in judgement.rewards})
    assert sum(paid.values()) == amount
    assert len({paid[available(attestation.by)] for attestation in said}) <= 1
    assert len(judgement.agreed) + len(judgement.disagreed) + len(judgement.silent) == 5


def test_auditors_agree_or_disagree_with_the_outcome_or_were_silent() -> None:
    said = (*passes(*MEMBERS[:3]), *fails(MEMBERS[3]), *accepts())

    finalized = judged(*said)

    assert (finalized.agreed, finalized.disagreed, finalized.silent) == (MEMBERS[:3], MEMBERS[3:4], MEMBERS[4:])


def test_a_receipt_that_the_client_helped_to_finalize_is_judged_by_its_auditors() -> None:
    said = (*passes(MEMBERS[0], score=0.9), *accepts(score=0.9))

    found = observed(judged(*said, quorum=1, mode=QuorumMode.COMMITTEE_PLUS_CLIENT))

    assert found[D.QUALITY] == 900_000
