"""Settling: the reservation goes to those who earned it, and to nobody who did not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ainp.core.did import AgentDid
from ainp.core.ledger import FEES, POOL, available, reserved, reward
from ainp.core.settlement import Settlement, pay, validator_of
from support.builders import CLIENT, STRANGER, TASK_ID, WORKER, a_proposal, a_settled_negotiation, an_agent

BROKER = an_agent("broker")


def paid(settlement: Settlement) -> dict[str, int]:
    return {entry.target: entry.amount for entry in settlement.entries}


def settled(price: float = 100, *, broker: AgentDid | None = None, validator: AgentDid | None = None) -> Settlement:
    return pay(a_settled_negotiation(a_proposal(price)), task_id=TASK_ID, broker=broker, validator=validator)


def test_without_broker_and_validator_their_shares_go_to_fees_and_to_the_committee() -> None:
    settlement = settled(100)

    assert paid(settlement) == {available(WORKER): 70_000, FEES: 10_000, reward(TASK_ID): 10_000, POOL: 10_000}
    assert {entry.source for entry in settlement.entries} == {reserved(CLIENT)}
    assert settlement.distribution == {
        "agent": "70000",
        "broker": "10000",
        "validator": "0",
        "pool": "10000",
        "reward": "10000",
    }


def test_a_broker_and_a_validator_are_paid_where_there_are_some() -> None:
    settlement = settled(100, broker=BROKER, validator=STRANGER)

    assert paid(settlement)[available(BROKER)] == paid(settlement)[available(STRANGER)] == 10_000
    assert (settlement.distribution["validator"], settlement.distribution["reward"]) == ("10000", "0")


def test_a_split_that_was_agreed_in_the_accepted_proposal_is_the_one_that_pays() -> None:
    negotiation = a_settled_negotiation(a_proposal(1, incentive_split={"agent": 8000, "broker": 2000}))

    settlement = pay(negotiation, task_id=TASK_ID, broker=None, validator=None)

    assert paid(settlement) == {available(WORKER): 800, FEES: 200}


def test_a_price_of_nothing_moves_nothing() -> None:
    settlement = settled(0)

    assert settlement.entries == ()
    assert set(settlement.distribution.values()) == {"0"}


@given(atomic=st.integers(0, 10**15), broker=st.booleans(), validator=st.booleans())
def test_the_parts_are_the_whole_in_the_entries_and_in_the_distribution(
    atomic: int, *, broker: bool, validator: bool
) -> None:
    settlement = settled(atomic / 1000, broker=BROKER if broker else None, validator=STRANGER if validator else None)

    assert sum(paid(settlement).values()) == atomic
    assert sum(map(int, settlement.distribution.values())) == atomic


@pytest.mark.parametrize(
    ("named", "registered", "expected"),
    [
        pytest.param(STRANGER, True, STRANGER, id="named, registered, no party"),
        pytest.param(STRANGER, False, None, id="not registered"),
        pytest.param(CLIENT, True, None, id="the client"),
        pytest.param(WORKER, True, None, id="the worker"),
        pytest.param(None, True, None, id="not named in the terms"),
    ],
)
def test_a_validator_is_paid_only_if_the_terms_name_it_and_it_is_nobody_s_other_pocket(
    named: AgentDid | None, *, registered: bool, expected: AgentDid | None
) -> None:
    negotiation = a_settled_negotiation(a_proposal(validator_did=named))

    assert validator_of(negotiation, registered=registered) == expected
