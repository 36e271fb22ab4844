"""Accounts and entries."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ainp.core import ledger as rules
from ainp.core.did import AgentDid
from ainp.store.db import Session
from ainp.store.posting import entry_rows
from ainp.store.queries import load

_SQL = load("ledger")


@dataclass(frozen=True, slots=True)
class Balance:
    """An agent's money in atomic units."""

    available: int
    reserved: int
    staked: int
    earned: int
    spent: int


@dataclass(frozen=True, slots=True)
class Movement:
    """One entry as an agent's statement of account shows it; *amount* is negative where credits left."""

    id: int
    reason: str
    amount: int
    source: str
    target: str
    reference: str | None
    at: datetime


async def post(db: Session, entries: Sequence[rules.Entry]) -> None:
    """Book *entries* and nothing else."""
    await db.execute(_SQL["post"], entry_rows(entries))


async def balance(db: Session, did: AgentDid) -> Balance | None:
    """An agent's money, or None if nothing ever moved on its accounts."""
    rows = {row["kind"]: row for row in await db.fetch(_SQL["balances"], did)}
    if not rows:
        return None
    held = {kind: rows[kind]["balance"] if kind in rows else 0 for kind in ("available", "reserved", "staked")}
    return Balance(
        **held,
        earned=sum(row["earned"] for row in rows.values()),
        spent=sum(row["spent"] for row in rows.values()),
    )


async def transactions(db: Session, did: AgentDid, *, limit: int, offset: int) -> list[Movement]:
    """An agent's entries, newest first."""
    own = {rules.available(did), rules.reserved(did), rules.staked(did)}
    rows = await db.fetch(_SQL["transactions"], sorted(own), limit, offset)
    return [
        Movement(
            id=row["id"],
            reason=row["reason"],
            amount=row["amount"] if row["to_account"] in own else -row["amount"],
            source=row["from_account"],
            target=row["to_account"],
            reference=row["reference"],
            at=row["created_at"],
        )
        for row in rows
    ]


async def mark_hot(db: Session, account: rules.Account) -> None:
    """Let *account* take income without a lock on its row; for the one that every settlement pays."""
    await db.execute(_SQL["mark_hot"], account)


async def roll_up(db: Session) -> int:
    """Fold pending movements into the balances of hot accounts; how many there were."""
    return int(await db.fetchval(_SQL["roll_up"]))
