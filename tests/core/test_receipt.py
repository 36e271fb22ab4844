"""A receipt says at its opening what was done, for how much, and who will judge it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from msgspec import structs

from ainp.core.committee import DrawPolicy, Epoch, draw
from ainp.core.finalization import extend_committee
from ainp.core.negotiation import Claim, Delivery, Negotiation
from ainp.core.quorum import QuorumMode
from ainp.core.receipt import JudgingPolicy, ReceiptStatus, TaskReceipt, latency_ms, open_receipt
from ainp.core.settlement import pay
from support.builders import (
    CLIENT,
    NEGOTIATION_ID,
    NOW,
    POLICY,
    SEED,
    TASK_ID,
    WORKER,
    a_case,
    a_named_epoch,
    a_negotiation,
    a_proposal,
    a_settled_negotiation,
    agents,
    an_accepted_negotiation,
    an_epoch,
)

SETTLED_AT = NOW + timedelta(seconds=90, microseconds=250_000)


def settled(price: float = 100, *, delivery: Delivery | None = None) -> Negotiation:
    """Accepted now, delivered after a minute if at all, settled after a minute and a half."""
    negotiation = an_accepted_negotiation(a_proposal(price, delivery_time=60_000))
    if delivery:
        negotiation = negotiation.deliver(delivery, by=WORKER, now=NOW + timedelta(seconds=60))
    return negotiation.settle(by=CLIENT, now=SETTLED_AT, grace=timedelta(hours=1), task_id=TASK_ID)


def opened(
    negotiation: Negotiation | None = None, epoch: Epoch | None = None, policy: JudgingPolicy = POLICY
) -> TaskReceipt:
    negotiation = negotiation or settled()
    settlement = pay(negotiation, task_id=TASK_ID, broker=None, validator=None)
    return open_receipt(negotiation, settlement, named=a_named_epoch(epoch), policy=policy, now=SETTLED_AT)


def statement(receipt: TaskReceipt) -> Mapping[str, Any]:
    assert receipt.statement is not None
    said: Mapping[str, Any] = json.loads(receipt.statement)
    return said


def test_a_receipt_is_pending_and_its_window_open() -> None:
    receipt = opened()

    assert (receipt.status, receipt.agent, receipt.client) == (ReceiptStatus.PENDING, WORKER, CLIENT)
    assert (receipt.amount, receipt.quorum, receipt.size, receipt.short) == (100_000, 3, 5, False)
    assert (receipt.created_at, receipt.window_ends_at) == (SETTLED_AT, SETTLED_AT + POLICY.window)


def test_the_committee_is_the_draw_of_the_named_epoch_without_the_parties() -> None:
    epoch = an_epoch([*agents(20), CLIENT, WORKER])

    receipt = opened(epoch=epoch)

    assert receipt.committee == draw(epoch, seed=SEED, seats=5, parties=(CLIENT, WORKER))
    assert receipt.epoch_id == 7


@pytest.mark.parametrize(("others", "members"), [(0, 0), (2, 0), (3, 3), (4, 4)])
def test_a_committee_that_is_short_or_missing_is_marked(others: int, members: int) -> None:
    receipt = opened(epoch=an_epoch([*agents(others), CLIENT, WORKER]))

    assert (len(receipt.committee), receipt.short) == (members, True)
    assert (receipt.epoch_id is None) == (members == 0)


def test_the_list_may_be_younger_than_the_settlement_but_its_newcomers_are_not_drawn() -> None:
    known, newcomers = agents(5), agents(40, "newcomer")
    rows = sorted([*((did, NOW) for did in known), *((did, SETTLED_AT) for did in newcomers)])
    epoch = Epoch(tuple(did for did, _ in rows), (1,) * len(rows), tuple(at for _, at in rows))

    receipt = opened(epoch=epoch)
    extended = extend_committee(a_case(receipt), to=receipt, named=a_named_epoch(epoch))

    assert set(receipt.committee) == set(known)
    assert extended.committee[: len(receipt.committee)] == receipt.committee


def test_a_statement_holds_what_anyone_needs_to_check_it() -> None:
    negotiation = settled(delivery=Delivery("ipfs://result", {"words": 3}))
    epoch = an_epoch(9)

    receipt = opened(negotiation, epoch)

    assert receipt.statement_hash == hashlib.sha256(receipt.statement or b"").digest()
    assert statement(receipt) == {
        "statement": "ainp.receipt.v1",
        "task_id": str(TASK_ID),
        "negotiation_id": str(NEGOTIATION_ID),
        "intent_id": "translate",
        "intent_type": "NEGOTIATION",
        "client_did": CLIENT,
        "agent_did": WORKER,
        "amount_atomic": "100000",
        "distribution": {"agent": "70000", "broker": "10000", "validator": "0", "pool": "10000", "reward": "10000"},
        "terms_hash": negotiation.current.terms_hash,
        "terms_signatures": {CLIENT: None, WORKER: None},
        "outputs_ref": "ipfs://result",
        "metrics": {
            "latency_ms": 60_000,
            "delivery_time_ms": 60_000,
            "rounds": 1,
            "convergence": 0,
            "price": 100,
            "reported": {"words": 3},
        },
        "k": 3,
        "m": 5,
        "quorum_mode": "committee_only",
        "draw_policy": "weighted",
        "committee": list(receipt.committee),
        "committee_epoch": {"id": 7, "hash": epoch.hash.hex()},
        "seed": SEED.hex(),
        "seed_commitment": hashlib.sha256(SEED).hexdigest(),
        "accepted_at": "2026-03-01T12:00:00.000000Z",
        "delivered_at": "2026-03-01T12:01:00.000000Z",
        "settled_at": "2026-03-01T12:01:30.250000Z",
    }


def test_a_statement_without_a_committee_names_no_epoch() -> None:
    said = statement(opened(epoch=an_epoch(0)))

    assert (said["committee"], said["committee_epoch"], said["delivered_at"]) == ([], None, None)


def test_a_worker_s_own_metrics_never_pass_for_the_broker_s() -> None:
    receipt = opened(settled(delivery=Delivery(None, {"latency_ms": 1, "price": 9})))

    assert (receipt.metrics["latency_ms"], receipt.metrics["price"]) == (60_000, 100)


def test_metrics_of_two_rounds_without_a_price() -> None:
    countered = a_negotiation(a_proposal(3)).propose(a_proposal(2), by=WORKER, now=NOW)
    countered = countered.propose({"delivery_time": 5, "quality_sla": 0.5}, by=CLIENT, now=NOW)
    countered = countered.propose({"quality_sla": 0.123}, by=WORKER, now=NOW)
    accepted = countered.accept(by=CLIENT, now=NOW, claim=Claim(), seed=SEED)

    metrics = opened(accepted.settle(by=CLIENT, now=NOW, grace=timedelta(0), task_id=TASK_ID)).metrics

    assert (metrics["rounds"], metrics["convergence"], metrics["price"]) == (4, 0.62, 0)


def test_unless_it_is_told_otherwise_a_broker_asks_three_of_five_for_an_hour_and_two_more() -> None:
    policy = JudgingPolicy()

    assert (policy.quorum, policy.committee_size, policy.mode) == (3, 5, QuorumMode.COMMITTEE_ONLY)
    assert (policy.window, policy.max_extensions) == (timedelta(hours=1), 2)
    assert (policy.pass_score, policy.min_reputation_price, policy.alpha) == (0.5, 1000, 0.2)


def test_latency_counts_from_acceptance_to_delivery_else_to_settlement() -> None:
    assert latency_ms(settled(delivery=Delivery(None, None)), SETTLED_AT) == 60_000
    assert latency_ms(settled(), SETTLED_AT) == 90_250


@pytest.mark.parametrize(("price", "counts"), [(0, False), (0.999, False), (1, True), (1000, True)])
def test_a_settlement_under_one_credit_counts_for_no_reputation(price: float, *, counts: bool) -> None:
    assert opened(a_settled_negotiation(a_proposal(price))).counts is counts


def test_the_rules_of_the_day_are_written_into_the_receipt() -> None:
    policy = replace(
        POLICY, quorum=1, committee_size=2, mode=QuorumMode.COMMITTEE_PLUS_CLIENT, draw=DrawPolicy.TOP_TRUST
    )

    receipt = opened(policy=policy)

    assert (receipt.quorum, receipt.size, len(receipt.committee)) == (1, 2, 2)
    assert (receipt.mode, receipt.draw) == (QuorumMode.COMMITTEE_PLUS_CLIENT, DrawPolicy.TOP_TRUST)
    assert statement(receipt)["draw_policy"] == "top_trust"


def test_the_two_who_did_business_are_the_contractors() -> None:
    assert opened().contractors == (WORKER, CLIENT)
    assert structs.replace(opened(), client=None).contractors == (WORKER,)
    assert opened().parties.client == CLIENT
