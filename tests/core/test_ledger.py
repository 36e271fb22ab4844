"""Entries: what leaves one account arrives in another, once, and nothing is written about nothing."""

from collections import Counter
from collections.abc import Iterable
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ainp.core import ledger
from ainp.core.ids import NegotiationId
from ainp.core.ledger import FEES, MINT, POOL, Account, Entry, Reason, available, reserved, reward
from support.builders import CLIENT, NEGOTIATION_ID, TASK_ID, WORKER, agents

SHARES = st.fixed_dictionaries(dict.fromkeys(("agent", "broker", "validator", "pool"), st.integers(0, 10_000))).filter(
    lambda shares: sum(shares.values()) > 0
)
TARGETS = {"agent": available(WORKER), "broker": FEES, "validator": reward(TASK_ID), "pool": POOL}


def moved(entries: Iterable[Entry]) -> Counter[Account]:
    """What *entries* change, by account."""
    balances: Counter[Account] = Counter()
    for entry in entries:
        balances[entry.source] -= entry.amount
        balances[entry.target] += entry.amount
    return balances


def test_a_welcome_grant_is_one_entry_per_did_whatever_its_amount() -> None:
    first, second = ledger.welcome_grant(CLIENT, 5), ledger.welcome_grant(CLIENT, 7)

    assert moved(first) == {MINT: -5, available(CLIENT): 5}
    assert {entry.key for entry in (*first, *second)} == {f"welcome:{CLIENT}"}


def test_a_reservation_and_its_release_cancel_each_other_under_two_keys() -> None:
    there, back = ledger.reserve(CLIENT, 500, NEGOTIATION_ID), ledger.release(CLIENT, 500, NEGOTIATION_ID)

    assert moved(there) == {available(CLIENT): -500, reserved(CLIENT): 500}
    assert not any(moved((*there, *back)).values())
    assert len({entry.key for entry in (*there, *back)}) == 2
    assert {entry.reference for entry in (*there, *back)} == {str(NEGOTIATION_ID)}


@pytest.mark.parametrize(
    "entries",
    [
        pytest.param(ledger.welcome_grant(CLIENT, 0), id="grant"),
        pytest.param(ledger.deposit(CLIENT, 0, key="k"), id="deposit"),
        pytest.param(ledger.reserve(CLIENT, 0, NEGOTIATION_ID), id="reserve"),
        pytest.param(ledger.release(CLIENT, 0, NEGOTIATION_ID), id="release"),
        pytest.param(ledger.close_reward(TASK_ID, 0, agents(3)), id="reward"),
        pytest.param(
            ledger.payout(0, {"agent": 1, "pool": 1}, TARGETS, client=CLIENT, negotiation=NEGOTIATION_ID), id="payout"
        ),
    ],
)
def test_zero_amounts_are_not_written(entries: tuple[Entry, ...]) -> None:
    assert entries == ()


def test_a_deposit_is_the_request_that_asked_for_it() -> None:
    (entry,) = ledger.deposit(CLIENT, 9, key="request 1")

    assert entry == Entry("deposit:request 1", MINT, available(CLIENT), entry.amount, Reason.DEPOSIT)


@given(total=st.integers(0, 10**15), shares=SHARES)
def test_a_payout_empties_the_reservation_and_nothing_else(total: int, shares: dict[str, int]) -> None:
    entries = ledger.payout(total, shares, TARGETS, client=CLIENT, negotiation=NEGOTIATION_ID)
    balances = moved(entries)

    assert balances[reserved(CLIENT)] == -total
    assert sum(balances.values()) == 0
    assert all(entry.amount > 0 for entry in entries)
    assert len({entry.key for entry in entries}) == len(entries)


@given(amount=st.integers(0, 10**15), count=st.integers(0, 12))
def test_closing_a_reward_account_leaves_it_at_zero(amount: int, count: int) -> None:
    members = agents(count)

    entries = ledger.close_reward(TASK_ID, amount, members)
    balances = moved(entries)

    assert balances[reward(TASK_ID)] == -amount
    assert sum(balances.values()) == 0
    assert {balances[available(member)] for member in members} <= {amount // max(1, count)}
    assert balances[POOL] == (amount % count if count else amount)
    assert len({entry.key for entry in entries}) == len(entries)


def test_a_reward_is_shared_equally_and_the_remainder_goes_to_the_pool() -> None:
    members = agents(3)

    entries = ledger.close_reward(TASK_ID, 10_000, members)

    assert moved(entries) == {reward(TASK_ID): -10_000, POOL: 1} | {available(did): 3_333 for did in members}
    assert [entry.reason for entry in entries] == [Reason.AUDIT_REWARD] * 3 + [Reason.REWARD_REMAINDER]


def test_every_event_of_two_negotiations_has_a_key_of_its_own() -> None:
    other = NegotiationId(UUID(int=8))
    entries = [
        entry
        for of in (NEGOTIATION_ID, other)
        for entry in (
            *ledger.reserve(CLIENT, 100, of),
            *ledger.release(CLIENT, 100, of),
            *ledger.payout(100, {"agent": 9, "pool": 1}, TARGETS, client=CLIENT, negotiation=of),
        )
    ]

    assert len({entry.key for entry in entries}) == len(entries) == 8


def test_the_accounts_of_an_agent_are_three() -> None:
    assert len({available(CLIENT), reserved(CLIENT), ledger.staked(CLIENT)}) == 3
