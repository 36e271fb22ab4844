"""A stake counts until it is asked back, stays locked for a while, and is never worth less or more than it was."""

from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ainp.core.errors import InsufficientStake, InvalidRequest, NoWithdrawal
from ainp.core.limits import MAX_STAKE, MAX_TEXT_LENGTH, MAX_URI_LENGTH
from ainp.core.stake import Stake, check_grounds
from support.builders import NOW

DELAY = timedelta(hours=168)
ID, OTHER = UUID(int=1), UUID(int=2)
STAKED = Stake(locked=100)


def withdraw(stake: Stake, amount: int, *, hours: int = 0, id_: UUID = ID) -> Stake:
    return stake.withdraw(amount, now=NOW + timedelta(hours=hours), delay=DELAY, withdrawal=id_)


def test_what_is_asked_back_counts_no_more_and_stays_locked() -> None:
    asked = withdraw(STAKED, 30)

    assert (asked.active, asked.locked, asked.withdrawing) == (70, 100, 30)
    assert (asked.locked_until, asked.withdrawal) == (NOW + DELAY, ID)


def test_what_is_asked_back_meanwhile_joins_and_all_of_it_waits_anew() -> None:
    asked = withdraw(withdraw(STAKED, 30), 20, hours=5, id_=OTHER)

    assert (asked.active, asked.withdrawing, asked.withdrawal) == (50, 50, ID)
    assert asked.locked_until == NOW + timedelta(hours=5) + DELAY


def test_more_than_counts_cannot_be_asked_back() -> None:
    with pytest.raises(InsufficientStake) as refused:
        withdraw(withdraw(STAKED, 30), 71)

    assert refused.value.facts == {"needed": "71", "have": "70"}


def test_a_cancelled_withdrawal_counts_again() -> None:
    assert withdraw(STAKED, 30).cancel() == STAKED


def test_what_is_not_withdrawn_cannot_be_cancelled() -> None:
    with pytest.raises(NoWithdrawal):
        STAKED.cancel()


def test_a_paid_withdrawal_leaves_what_counted() -> None:
    assert withdraw(STAKED, 30).pay_out() == Stake(locked=70)


@pytest.mark.parametrize(
    ("amount", "locked", "withdrawing", "slashed"),
    [(50, 50, 30, 50), (70, 30, 30, 70), (80, 20, 20, 80), (100, 0, 0, 100), (101, 0, 0, 100)],
    ids=["what counts", "all that counts", "some that is on its way out", "everything", "more than there is"],
)
def test_a_slash_takes_what_counts_first(amount: int, locked: int, withdrawing: int, slashed: int) -> None:
    left = withdraw(STAKED, 30).slash(amount)

    assert (left.locked, left.withdrawing, left.slashed) == (locked, withdrawing, slashed)
    assert (left.locked_until is None, left.withdrawal is None) == (withdrawing == 0, withdrawing == 0)


@pytest.mark.parametrize("amount", [0, -1, MAX_STAKE + 1])
def test_an_amount_that_nobody_can_mean_is_refused(amount: int) -> None:
    for move in (STAKED.add, STAKED.slash, lambda amount: withdraw(STAKED, amount)):
        with pytest.raises(InvalidRequest, match="amount_atomic"):
            move(amount)


@pytest.mark.parametrize(
    ("reason", "evidence"),
    [
        ("", None),
        (" \n", None),
        ("x" * (MAX_TEXT_LENGTH + 1), None),
        ("lied", ""),
        ("lied", "x" * (MAX_URI_LENGTH + 1)),
    ],
)
def test_a_slash_says_why(reason: str, evidence: str | None) -> None:
    check_grounds("lied about the tests", "https://example.org/log")
    with pytest.raises(InvalidRequest):
        check_grounds(reason, evidence)


moves = st.lists(st.tuples(st.sampled_from(["add", "withdraw", "cancel", "pay", "slash"]), st.integers(1, 100)))


@given(moves)
def test_nothing_is_lost_whatever_happens(steps: list[tuple[str, int]]) -> None:
    stake, put_in, paid = Stake(), 0, 0
    for move, amount in steps:
        try:
            if move == "add":
                stake, put_in = stake.add(amount), put_in + amount
            elif move == "withdraw":
                stake = withdraw(stake, amount)
            elif move == "cancel":
                stake = stake.cancel()
            elif move == "slash":
                stake = stake.slash(amount)
            else:
                stake, paid = stake.pay_out(), paid + stake.withdrawing
        except (InsufficientStake, NoWithdrawal):
            continue

        assert stake.locked + stake.slashed + paid == put_in
        assert 0 <= stake.withdrawing <= stake.locked
        assert (stake.withdrawing == 0) == (stake.withdrawal is None) == (stake.locked_until is None)
