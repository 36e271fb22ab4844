"""Bodies of the credit routes; amounts are atomic units as decimal strings."""

from typing import Annotated

from msgspec import Meta, Struct

from ainp.wire.values import Did


class BalanceReply(Struct):
    """An agent's money: `balance` includes what is reserved, `available` does not."""

    balance: str
    earned: str
    spent: str
    reserved: str
    available: str
    staked: str


class DepositBody(Struct):
    """An administrator's top-up."""

    agent_did: Did
    amount: Annotated[int, Meta(description="atomic units, 1000 to a credit")]


class DepositReply(Struct):
    """The balance after a top-up."""

    message: str
    new_balance: str


class MovementReply(Struct):
    """One ledger entry as its agent sees it; negative where credits left; older clients look for `metadata`."""

    id: str
    agent_did: str
    type: str
    amount: str
    source: str
    target: str
    intent_id: str | None
    created_at: str
    metadata: dict[str, object] | None = None


class TransactionsReply(Struct):
    """A page of entries, newest first."""

    transactions: list[MovementReply]
