"""Rewards: what agents get for an hour's usefulness, paid once."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from ainp.core import ledger
from ainp.core.did import AgentDid
from ainp.core.rewards import Candidate, most_of_fees, share
from ainp.core.usefulness import HOUR
from ainp.store import ledger as accounts
from ainp.store import rewards
from ainp.store.db import Session
from ainp.store.rewards import Useful

CATCH_UP = 24  # hours that are paid later, where nobody paid them in time


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardPolicy:
    """What an hour has to give, in atomic units, and to whom: from which score (hundredths) on, for receipts alone."""

    hourly: int = 10_000_000
    least_score: int = 1_000
    by_receipts: bool = True
    fee_share_bp: int = 5_000


@dataclass(frozen=True, slots=True)
class Reward:
    """What an agent gets, and why."""

    agent: AgentDid
    score: int
    fees: int | None
    amount: int


@dataclass(frozen=True, slots=True)
class Hour:
    """What an hour costs, how much of that is the pool's, and whose reward it is; *paid*: it was paid before."""

    begins: datetime
    total: int
    from_pool: int
    recipients: int
    rewards: Sequence[Reward] = ()  # an hour that was paid before has its entries instead
    paid: bool = False


def hour_before(now: datetime) -> datetime:
    """The beginning of the last hour that has ended."""
    return now.replace(minute=0, second=0, microsecond=0) - HOUR


async def unpaid(db: Session) -> list[datetime]:
    """The hours that have ended since the last that was paid, at most a day of them; at first the last one."""
    last_paid = await rewards.last_paid(db)
    ended = hour_before(await db.clock())
    first = ended if last_paid is None else max(last_paid + HOUR, ended - (CATCH_UP - 1) * HOUR)
    return [first + n * HOUR for n in range((ended - first) // HOUR + 1)] if first <= ended else []


async def next_hour(db: Session) -> datetime:
    """The hour that is paid next: the first that has ended and was not paid, or the one that is running."""
    hours = await unpaid(db)
    return hours[0] if hours else hour_before(await db.clock()) + HOUR


async def under_way(db: Session, *, before: datetime) -> bool:
    """Whether something that began before a moment is still being written."""
    return await rewards.under_way(db, before)


async def preview(db: Session, hour: datetime, policy: RewardPolicy) -> Hour:
    """What adding up all proofs and paying an hour would give to whom; nothing is written, nothing locked."""
    async with db.transaction() as tx:
        before = await rewards.paid(tx, hour)
        if before is not None:
            return Hour(hour, before.total, before.from_pool, before.recipients, paid=True)
        means = await rewards.means(tx)
        if policy.by_receipts:
            proven = await rewards.useful(tx, hour, least_score=0, by_receipts=True)
            found = [replace(one, score=means.get(one.agent, 0)) for one in proven]
        else:
            found = [Useful(did, means[did], None) for did in sorted(means)]
        shared = _shared(found, policy)
        total = sum(reward.amount for reward in shared)
        from_pool = min(total, max(0, await rewards.pool(tx)))
    return Hour(hour, total, from_pool, sum(1 for reward in shared if reward.amount), shared)


async def pay(db: Session, hour: datetime, policy: RewardPolicy) -> Hour:
    """Pay an hour, in one transaction; one that was paid before stays as it was."""
    async with db.transaction() as tx:
        await rewards.one_at_a_time(tx)
        if not await rewards.claim(tx, hour):
            before = await rewards.paid(tx, hour)
            assert before is not None
            return Hour(hour, before.total, before.from_pool, before.recipients, paid=True)
        found = await rewards.useful(tx, hour, least_score=policy.least_score, by_receipts=policy.by_receipts)
        shared = _shared(found, policy)
        amounts: dict[str, int] = {reward.agent: reward.amount for reward in shared if reward.amount}
        entries = ledger.usefulness_rewards(_name(hour), amounts, pool=await rewards.pool(tx))
        if entries:
            await accounts.post(tx, entries)
        from_pool = sum(entry.amount for entry in entries if entry.source == ledger.POOL)
        total = sum(amounts.values())
        await rewards.close(tx, hour, total=total, from_pool=from_pool, recipients=len(amounts))
    return Hour(hour, total, from_pool, len(amounts), shared)


def _shared(found: Sequence[Useful], policy: RewardPolicy) -> list[Reward]:
    candidates = [Candidate(one.agent, one.score, _most(one, policy)) for one in found]
    shares = share(policy.hourly, candidates, least_score=policy.least_score)
    return [Reward(AgentDid(one.agent), one.score, one.fees, shares.get(one.agent, 0)) for one in found]


def _most(one: Useful, policy: RewardPolicy) -> int | None:
    return None if one.fees is None else most_of_fees(one.fees, share_bp=policy.fee_share_bp)


def _name(hour: datetime) -> str:
    return hour.isoformat(timespec="hours")
