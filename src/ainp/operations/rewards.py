"""Rewards: what agents get for an hour's usefulness, paid once."""

from collections.abc import Sequence
from dataclasses import dataclass
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
    """The rewards of one hour; *paid* if they were paid before."""

    begins: datetime
    rewards: Sequence[Reward]
    from_pool: int
    paid: bool = False

    @property
    def total(self) -> int:
        """What it costs."""
        return sum(reward.amount for reward in self.rewards)


def hour_before(now: datetime) -> datetime:
    """The beginning of the last hour that has ended."""
    return now.replace(minute=0, second=0, microsecond=0) - HOUR


async def unpaid(db: Session) -> list[datetime]:
    """The hours that have ended since the last that was paid, at most a day of them; at first the last one."""
    last_paid = await rewards.last_paid(db)
    ended = hour_before(await db.clock())
    first = ended if last_paid is None else max(last_paid + HOUR, ended - (CATCH_UP - 1) * HOUR)
    return [first + n * HOUR for n in range((ended - first) // HOUR + 1)] if first <= ended else []


async def preview(db: Session, hour: datetime, policy: RewardPolicy) -> Hour:
    """What paying an hour would give to whom; nothing is written."""
    async with db.transaction() as tx:
        pool = await rewards.pool(tx)
        shared = await _shared(tx, hour, policy)
        from_pool = min(pool, sum(reward.amount for reward in shared))
        return Hour(hour, shared, max(0, from_pool), await rewards.paid(tx, hour))


async def pay(db: Session, hour: datetime, policy: RewardPolicy) -> Hour:
    """Pay an hour, in one transaction; one that was paid before stays as it was."""
    async with db.transaction() as tx:
        if not await rewards.claim(tx, hour):
            return Hour(hour, (), 0, paid=True)
        shared = await _shared(tx, hour, policy)
        pool = await rewards.pool(tx)
        amounts: dict[str, int] = {reward.agent: reward.amount for reward in shared if reward.amount}
        entries = ledger.usefulness_rewards(_name(hour), amounts, pool=pool)
        if entries:
            await accounts.post(tx, entries)
        from_pool = sum(entry.amount for entry in entries if entry.source == ledger.POOL)
        total = sum(amounts.values())
        await rewards.close(tx, hour, total=total, from_pool=from_pool, recipients=len(amounts))
    return Hour(hour, shared, from_pool)


async def _shared(db: Session, hour: datetime, policy: RewardPolicy) -> list[Reward]:
    found = await rewards.useful(db, hour, least_score=policy.least_score, by_receipts=policy.by_receipts)
    candidates = [Candidate(one.agent, one.score, _most(one, policy)) for one in found]
    shares = share(policy.hourly, candidates, least_score=policy.least_score)
    return [Reward(AgentDid(one.agent), one.score, one.fees, shares.get(one.agent, 0)) for one in found]


def _most(one: Useful, policy: RewardPolicy) -> int | None:
    return None if one.fees is None else most_of_fees(one.fees, share_bp=policy.fee_share_bp)


def _name(hour: datetime) -> str:
    return hour.isoformat(timespec="hours")
