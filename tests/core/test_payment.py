"""Payments: what may become of a request, and what it moves."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ainp.core import ledger
from ainp.core.errors import Forbidden, InvalidRequest, InvalidState
from ainp.core.ledger import MINT, Reason
from ainp.core.limits import MAX_DEPOSIT
from ainp.core.payment import (
    InvalidMethod,
    Invoice,
    Method,
    Notice,
    PaymentRefused,
    PaymentRequest,
    PaymentState,
    check_amount,
    check_description,
    check_payee,
    check_time,
    method_of,
)
from support.builders import agents

OWNER, PAYEE = agents(2)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
CREATED = PaymentRequest(
    id=UUID(int=7), owner=OWNER, amount=1000, method=Method.COINBASE, expires_at=NOW + HOUR, description="tea"
)
INVOICE = Invoice("charge", "https://pay.example/charge")
PENDING = CREATED.opened(INVOICE)
PAID = Notice(method=Method.COINBASE, reference="charge", tx_ref="tx", paid=True, amount=1000, seen_at=NOW)
OVER = replace(PAID, paid=False, amount=0)


def test_a_request_waits_for_its_provider_and_then_for_its_money() -> None:
    assert (CREATED.state, CREATED.open) == (PaymentState.CREATED, True)
    assert (PENDING.state, PENDING.open, PENDING.expires_at) == (PaymentState.PENDING, True, NOW + HOUR)
    assert CREATED.opened(replace(INVOICE, expires_at=NOW)).expires_at == NOW
    assert PENDING.settled_by(PAID) == replace(PENDING, state=PaymentState.PAID, paid_by="tx")


def test_what_is_paid_stays_as_it_is() -> None:
    paid = PENDING.settled_by(PAID)

    for again in (
        PAID,
        OVER,
        replace(PAID, amount=1),
        replace(PAID, tx_ref="other"),
        replace(PAID, seen_at=NOW + 9 * HOUR),
    ):
        assert paid.settled_by(again) is paid
    with pytest.raises(InvalidState):
        paid.cancelled(OWNER)
    with pytest.raises(InvalidState):
        paid.failed()
    with pytest.raises(InvalidState):
        paid.expired(NOW + 9 * HOUR)


def test_money_that_was_seen_in_time_counts_whatever_the_request_became() -> None:
    for request in (
        PENDING.expired(NOW + HOUR),
        PENDING.cancelled(OWNER),
        PENDING.failed(),
        PENDING.settled_by(OVER),
    ):
        assert not request.open
        assert request.settled_by(PAID).state is PaymentState.PAID
        assert request.settled_by(OVER) is request


@pytest.mark.parametrize(
    ("notice", "why"),
    [
        pytest.param(replace(PAID, amount=999), "found 999 atomic units, expected 1000", id="too little"),
        pytest.param(replace(PAID, seen_at=NOW + 2 * HOUR), "ended at", id="too late"),
        pytest.param(replace(PAID, reference="other"), "of 'other'", id="another's"),
        pytest.param(replace(PAID, method=Method.LIGHTNING), "of 'charge'", id="of another provider"),
    ],
)
def test_other_money_is_never_credited_by_itself(notice: Notice, why: str) -> None:
    for request in (PENDING, PENDING.expired(NOW + HOUR), PENDING.cancelled(OWNER)):
        with pytest.raises(PaymentRefused, match=why):
            request.settled_by(notice)


def test_nothing_pays_what_has_no_invoice() -> None:
    with pytest.raises(PaymentRefused):
        CREATED.settled_by(PAID)
    with pytest.raises(PaymentRefused):
        CREATED.failed().settled_by(PAID)


def test_only_its_owner_cancels_and_only_what_is_open() -> None:
    assert CREATED.cancelled(OWNER).state is PaymentState.CANCELLED
    with pytest.raises(Forbidden):
        PENDING.cancelled(PAYEE)
    with pytest.raises(InvalidState, match="is cancelled, expected created or pending"):
        PENDING.cancelled(OWNER).cancelled(OWNER)


def test_it_expires_when_its_time_is_over_and_not_before() -> None:
    assert PENDING.expired(NOW + HOUR).state is PaymentState.EXPIRED
    with pytest.raises(InvalidState):
        PENDING.expired(NOW)
    with pytest.raises(InvalidState):
        PENDING.opened(INVOICE)


def test_what_was_bought_comes_from_the_mint_and_what_is_given_from_its_owner() -> None:
    given_to = replace(CREATED, method=Method.CREDITS, payee=PAYEE)
    (bought,), (moved,) = PENDING.entries, given_to.entries

    assert (bought.source, bought.target, bought.reason) == (MINT, ledger.available(OWNER), Reason.DEPOSIT)
    assert (moved.source, moved.target) == (ledger.available(OWNER), ledger.available(PAYEE))
    assert (moved.reason, moved.amount) == (Reason.PAYMENT, 1000)
    assert (bought.key, moved.key) == (f"payment:coinbase:{CREATED.id}", f"payment:credits:{CREATED.id}")
    assert given_to.transferred().state is PaymentState.PAID
    assert given_to.event(NOW).recipients == (OWNER, PAYEE)
    assert PENDING.event(NOW).recipients == (OWNER,)
    assert PENDING.event(NOW).name == "payment.pending"


STEPS = st.lists(
    st.sampled_from(["opened", "failed", "expired", "cancelled", "paid", "late", "little", "over", "again"]),
    max_size=12,
)


@given(STEPS)
def test_in_whatever_order_things_happen_it_is_credited_at_most_once_and_only_for_its_money(steps: list[str]) -> None:
    request, credited = CREATED, 0
    for step in steps:
        before = request
        try:
            request = _after(request, step)
        except (InvalidState, PaymentRefused):
            continue
        credited += request.state is PaymentState.PAID and before.state is not PaymentState.PAID
        assert before.state is not PaymentState.PAID or request is before
        assert request.state is not PaymentState.PAID or before is request or step in ("paid", "again")

    assert credited == (request.state is PaymentState.PAID)
    assert request.state is not PaymentState.PAID or request.invoice is not None


def _after(request: PaymentRequest, step: str) -> PaymentRequest:
    notices = {
        "paid": PAID,
        "again": replace(PAID, tx_ref="again", amount=5000),
        "late": replace(PAID, seen_at=NOW + 2 * HOUR),
        "little": replace(PAID, amount=1),
        "over": OVER,
    }
    if step in notices:
        return request.settled_by(notices[step])
    moves: dict[str, Callable[[], PaymentRequest]] = {
        "opened": lambda: request.opened(INVOICE),
        "failed": request.failed,
        "expired": lambda: request.expired(NOW + HOUR),
        "cancelled": lambda: request.cancelled(OWNER),
    }
    return moves[step]()


@pytest.mark.parametrize("amount", [0, -1, MAX_DEPOSIT + 1])
def test_an_amount_has_bounds(amount: int) -> None:
    with pytest.raises(InvalidRequest, match="amount_atomic"):
        check_amount(amount)


@pytest.mark.parametrize("seconds", [59, 0, -1, 86_401, 10**30, -(10**30)])
def test_a_time_to_pay_has_bounds(seconds: int) -> None:
    with pytest.raises(InvalidRequest, match="expires_in_seconds"):
        check_time(seconds)


def test_what_is_right_is_taken() -> None:
    assert (check_amount(1), check_time(86_400), check_description("x" * 200)) == (1, timedelta(days=1), "x" * 200)
    assert (check_description(None), method_of("usdc")) == (None, Method.USDC)
    check_payee(OWNER, Method.CREDITS, PAYEE)
    check_payee(OWNER, Method.COINBASE, None)


def test_credits_buy_no_credits() -> None:
    with pytest.raises(InvalidMethod, match="name it in to_did"):
        check_payee(OWNER, Method.CREDITS, None)
    with pytest.raises(InvalidMethod, match="for your own account"):
        check_payee(OWNER, Method.COINBASE, PAYEE)
    with pytest.raises(InvalidRequest, match="your own DID"):
        check_payee(OWNER, Method.CREDITS, OWNER)
    with pytest.raises(InvalidMethod, match="found 'gold'"):
        method_of("gold")
    with pytest.raises(InvalidRequest, match="201 characters"):
        check_description("x" * 201)
