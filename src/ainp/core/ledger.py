"""
The ledger: entries that move credits from one account to another.

An account is an address. An agent has three (available, reserved, staked), the broker has the mint (the only one
that may be negative), fees and the pool, and each receipt has a reward account that ends at 0. An entry names the
business event it books in its key, which is unique: what happened once is booked once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NewType
from uuid import UUID

from ainp.core.credits import Credits, split
from ainp.core.did import AgentDid
from ainp.core.ids import NegotiationId, TaskId

Account = NewType("Account", str)

MINT = Account("mint")
FEES = Account("fees")
POOL = Account("pool")


def available(did: str) -> Account:
    """What an agent can spend."""
    return Account(f"available:{did}")


def reserved(did: str) -> Account:
    """What an agent has promised in accepted negotiations."""
    return Account(f"reserved:{did}")


def staked(did: str) -> Account:
    """What an agent has locked as a bond."""
    return Account(f"staked:{did}")


def reward(task_id: TaskId) -> Account:
    """What a receipt's committee will be paid."""
    return Account(f"reward:{task_id}")


class Reason(StrEnum):
    """Why credits moved."""

    WELCOME_GRANT = "welcome_grant"
    DEPOSIT = "deposit"
    RESERVE = "reserve"
    RELEASE = "release"
    SETTLEMENT = "settlement"
    AUDIT_REWARD = "audit_reward"
    REWARD_REMAINDER = "reward_remainder"
    STAKE = "stake"
    UNSTAKE = "unstake"
    SLASH = "slash"
    USEFULNESS_REWARD = "usefulness_reward"
    POSTAGE = "postage"
    PAYMENT = "payment"
    COHORT_RETURN = "cohort_return"


@dataclass(frozen=True, slots=True)
class Entry:
    """*amount* atomic units from one account to another; never changed, never deleted."""

    key: str
    source: Account
    target: Account
    amount: Credits
    reason: Reason
    reference: str | None = None


def welcome_key(did: AgentDid) -> str:
    """The key under which a DID's welcome grant is booked, once ever."""
    return f"welcome:{did}"


def welcome_grant(did: AgentDid, amount: int) -> tuple[Entry, ...]:
    """What a DID gets once, ever."""
    return _entries(Entry(welcome_key(did), MINT, available(did), Credits(amount), Reason.WELCOME_GRANT, str(did)))


def deposit(did: AgentDid, amount: int, *, key: str) -> tuple[Entry, ...]:
    """An administrator's top-up."""
    return _entries(Entry(f"deposit:{key}", MINT, available(did), Credits(amount), Reason.DEPOSIT, None))


def reserve(client: AgentDid, amount: int, negotiation: NegotiationId) -> tuple[Entry, ...]:
    """Set the agreed price aside."""
    key, of = f"reserve:{negotiation}", str(negotiation)
    return _entries(Entry(key, available(client), reserved(client), Credits(amount), Reason.RESERVE, of))


def release(client: AgentDid, amount: int, negotiation: NegotiationId) -> tuple[Entry, ...]:
    """Give a reservation back to the one who made it."""
    key, of = f"release:{negotiation}", str(negotiation)
    return _entries(Entry(key, reserved(client), available(client), Credits(amount), Reason.RELEASE, of))


def stake(did: AgentDid, amount: int, *, key: str) -> tuple[Entry, ...]:
    """Lock credits as a bond."""
    return _entries(Entry(f"stake:{key}", available(did), staked(did), Credits(amount), Reason.STAKE))


def unstake(did: AgentDid, amount: int, withdrawal: UUID) -> tuple[Entry, ...]:
    """Give back what was withdrawn, once."""
    key, of = f"unstake:{withdrawal}", str(withdrawal)
    return _entries(Entry(key, staked(did), available(did), Credits(amount), Reason.UNSTAKE, of))


def slash(did: AgentDid, amount: int, slash_id: UUID) -> tuple[Entry, ...]:
    """Take a bond to the pool."""
    key, of = f"slash:{slash_id}", str(slash_id)
    return _entries(Entry(key, staked(did), POOL, Credits(amount), Reason.SLASH, of))


def usefulness_rewards(hour: str, shares: Mapping[str, int], *, pool: int) -> tuple[Entry, ...]:
    """
    Pay an hour's *shares* by DID, from the pool as far as its *pool* units go, then from the mint.

    *hour* names it, so that what is paid for an hour is paid once.
    """
    entries = []
    for did in sorted(shares):
        of_pool = min(shares[did], max(0, pool))
        pool -= of_pool
        for source, amount in ((POOL, of_pool), (MINT, shares[did] - of_pool)):
            key = f"usefulness:{hour}:{did}:{source}"
            target = available(did)
            entries.append(Entry(key, source, target, Credits(amount), Reason.USEFULNESS_REWARD, hour))
    return _entries(*entries)


def postage(sender: AgentDid, amount: int, message: UUID) -> tuple[Entry, ...]:
    """What a first mail to somebody costs, to the pool."""
    key = f"postage:{message}"
    return _entries(Entry(key, available(sender), POOL, Credits(amount), Reason.POSTAGE, str(message)))


def payment(owner: AgentDid, payee: AgentDid | None, amount: int, request: UUID, *, method: str) -> tuple[Entry, ...]:
    """What was bought from a provider, or for a *payee* its owner's own credits; once for a *request*."""
    key, of = f"payment:{method}:{request}", str(request)
    if payee is None:
        return _entries(Entry(key, MINT, available(owner), Credits(amount), Reason.DEPOSIT, of))
    return _entries(Entry(key, available(owner), available(payee), Credits(amount), Reason.PAYMENT, of))


def close_reward(task_id: TaskId, amount: int, members: Sequence[AgentDid]) -> tuple[Entry, ...]:
    """
    Empty a receipt's reward account: equal shares to *members*, what can't be shared equally to the pool.

    Without members all of it goes to the pool.
    """
    source = reward(task_id)
    if not members:
        return _entries(_remainder(task_id, amount))
    each = amount // len(members)
    shares = [
        Entry(
            f"reward:{task_id}:{did}",
            source,
            available(did),
            Credits(each),
            Reason.AUDIT_REWARD,
            str(task_id),
        )
        for did in sorted(members)
    ]
    return _entries(*shares, _remainder(task_id, amount - each * len(members)))


def payout(
    total: int,
    shares: dict[str, int],
    targets: dict[str, Account],
    *,
    client: AgentDid,
    negotiation: NegotiationId,
) -> tuple[Entry, ...]:
    """Move a reservation of *total* to *targets* by *shares*, which name the same things; nothing is lost."""
    key, of, source = f"settle:{negotiation}", str(negotiation), reserved(client)
    return _entries(
        *(
            Entry(f"{key}:{name}", source, targets[name], part, Reason.SETTLEMENT, of)
            for name, part in split(total, shares).items()
        )
    )


def _remainder(task_id: TaskId, amount: int) -> Entry:
    key = f"reward:{task_id}:{POOL}"
    return Entry(key, reward(task_id), POOL, Credits(amount), Reason.REWARD_REMAINDER, str(task_id))


def _entries(*entries: Entry) -> tuple[Entry, ...]:
    """Zero amounts are not written."""
    return tuple(entry for entry in entries if entry.amount)
