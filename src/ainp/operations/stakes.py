"""Agents stake credits and take them back; administrators slash. A stake is held first, then decided, then written."""

import secrets
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from ainp.core import ledger
from ainp.core.did import AgentDid
from ainp.core.errors import AgentNotFound, InsufficientCredits, NotFound
from ainp.core.events import stake_event
from ainp.core.ids import TaskId, uuid7
from ainp.core.stake import Stake, check_amount, check_grounds
from ainp.core.trail import Record, Trace, printable
from ainp.operations.committees import Epochs
from ainp.store import audit, reputation, stakes
from ainp.store.db import Session
from ainp.store.reputation import JudgementRows
from ainp.store.stakes import Staked

PAYOUT_BATCH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Slash:
    """What an administrator takes, from whom, and why; *by* says how it was ordered, *address* from where."""

    did: AgentDid
    amount: int
    reason: str
    evidence_ref: str | None = None
    by: str
    address: str | None = None


@dataclass(frozen=True, slots=True)
class Slashed:
    """What came of it."""

    id: UUID
    did: AgentDid
    taken: int
    stake: Stake


async def get(db: Session, did: AgentDid) -> Staked:
    """What an agent has staked."""
    found = await stakes.get(db, did)
    if found is None:
        raise NotFound(f"Agent not found: {did}")
    return found


async def page(db: Session, *, above: str, limit: int) -> list[Staked]:
    """Those who have staked or were slashed, by DID."""
    return await stakes.page(db, above=above, limit=limit)


async def stake(db: Session, did: AgentDid, amount: int, *, epochs: Epochs) -> Staked:
    """Lock *amount* of what an agent can spend."""
    check_amount(amount)
    async with db.transaction() as tx:
        held = await _hold(tx, did)
        have = await stakes.available(tx, did)
        if have < amount:
            raise InsufficientCredits(needed=amount, have=have, of=did)
        after = held.stake.add(amount)
        await stakes.save(
            tx,
            [(held.agent_id, after)],
            entries=ledger.stake(did, amount, key=secrets.token_hex(16)),
            events=[stake_event(did, after, "staked", now=held.now, amount=str(amount))],
        )
    return await _done(db, held, after, epochs)


async def unstake(db: Session, did: AgentDid, amount: int, *, delay: timedelta, epochs: Epochs) -> Staked:
    """Ask for *amount* back: it counts no more from now on, and is paid after *delay*."""
    async with db.transaction() as tx:
        held = await _hold(tx, did)
        id_ = uuid7(held.now, secrets.token_bytes(10))
        after = held.stake.withdraw(amount, now=held.now, delay=delay, withdrawal=id_)
        event = stake_event(did, after, "unstaking", now=held.now, amount=str(amount), locked_until=after.locked_until)
        await stakes.save(tx, [(held.agent_id, after)], events=[event])
    return await _done(db, held, after, epochs)


async def cancel_unstake(db: Session, did: AgentDid, *, epochs: Epochs) -> Staked:
    """Leave staked what was to be withdrawn."""
    async with db.transaction() as tx:
        held = await _hold(tx, did)
        after = held.stake.cancel()
        kept = str(held.stake.withdrawing)
        event = stake_event(did, after, "unstake_cancelled", now=held.now, amount=kept)
        await stakes.save(tx, [(held.agent_id, after)], events=[event])
    return await _done(db, held, after, epochs)


async def pay_out_due(db: Session) -> int:
    """Pay a batch of withdrawals whose time has come; how many."""
    async with db.transaction() as tx:
        due = await stakes.due(tx, limit=PAYOUT_BATCH)
        if not due:
            return 0
        paid = [(one, one.stake.pay_out()) for one in due]
        await stakes.save(
            tx,
            [(one.agent_id, after) for one, after in paid],
            entries=[entry for one in due for entry in _withdrawn(one)],
            events=[
                stake_event(one.did, after, "unstaked", now=one.now, amount=str(one.stake.withdrawing))
                for one, after in paid
            ],
        )
    return len(due)


async def slash(db: Session, order: Slash, *, epochs: Epochs) -> Slashed:
    """Take a bond to the pool, and a tenth of every reputation value; written with why and by whom."""
    check_amount(order.amount)
    check_grounds(order.reason, order.evidence_ref)
    async with db.transaction() as tx:
        held = await _hold(tx, order.did)
        after = held.stake.slash(order.amount)
        done = Slashed(uuid7(held.now, secrets.token_bytes(10)), order.did, held.stake.locked - after.locked, after)
        facts = _grounds(order, done)
        await stakes.save(
            tx,
            [(held.agent_id, after)],
            entries=ledger.slash(order.did, done.taken, done.id),
            events=[stake_event(order.did, after, "slashed", now=held.now, **facts)],
        )
        await _lower_reputation(tx, order.did, done.id)
        await audit.insert(tx, [Record(Trace.SLASH, order.did, order.address, {**facts, "by": order.by})])
    await _done(db, held, after, epochs)
    return done


def _grounds(order: Slash, done: Slashed) -> dict[str, object]:
    return {
        "slash_id": str(done.id),
        "amount": str(order.amount),
        "taken": str(done.taken),
        "reason": printable(order.reason.strip(), len(order.reason)),
        "evidence_ref": None if order.evidence_ref is None else printable(order.evidence_ref, len(order.evidence_ref)),
    }


async def _lower_reputation(tx: Session, did: AgentDid, slash_id: UUID) -> None:
    """Every value in one write; the slash's id stands where a task's does."""
    (agent_id, before), now = (await reputation.lock(tx, [did]))[did], await tx.clock()
    after, changes = before.slashed(now)
    await reputation.judge(
        tx,
        JudgementRows(
            reputations=[(agent_id, after)],
            changes=[(agent_id, TaskId(slash_id), change) for change in changes],
            clients=[],
            auditors=[],
            entries=[],
        ),
    )


async def _hold(tx: Session, did: AgentDid) -> Staked:
    held = await stakes.lock(tx, did)
    if held is None:
        raise AgentNotFound(f"Agent not found: {did}", did=did)
    return held


async def _done(db: Session, held: Staked, after: Stake, epochs: Epochs) -> Staked:
    await epochs.follow_stake(db, before=held.stake.active, after=after.active)
    return Staked(held.did, held.agent_id, after, held.now)


def _withdrawn(paid: Staked) -> tuple[ledger.Entry, ...]:
    assert paid.stake.withdrawal is not None
    return ledger.unstake(paid.did, paid.stake.withdrawing, paid.stake.withdrawal)
