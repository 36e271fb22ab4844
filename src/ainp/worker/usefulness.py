"""Usefulness is added up and hours are rewarded: on the aggregator's times, and once at the start."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from time import perf_counter

from ainp.broker import Broker
from ainp.core.usefulness import HOUR
from ainp.operations import rewards, usefulness
from ainp.operations.rewards import Hour
from ainp.store.db import Database
from ainp.telemetry import Line, log, logger
from ainp.telemetry.metrics import REWARDED

AGGREGATOR = "[UsefulnessAggregator]"
REWARDS = "[UsefulnessRewards]"
_EARLY = timedelta(seconds=5)  # by which nodes' clocks may differ
_LATE = timedelta(seconds=2)  # from reading the time to a transaction with it
_LOOK_AGAIN_S = 0.1
_LOOKS = 300  # 30 s: no statement of a request runs longer


async def at_start(broker: Broker) -> None:
    """Bring scores up to date beside everything else; what fails here is done at the next time."""
    try:
        updated = await usefulness.aggregate(broker.database)
    except Exception as error:  # noqa: BLE001 - what runs beside it must not end with it
        logger().error(f"{AGGREGATOR} Aggregation job failed", error=str(error) or type(error).__name__)
    else:
        log([Line(f"[Startup] Updated {updated} usefulness scores", {"updated": updated})])


async def run(broker: Broker) -> None:
    """Add proofs up, then reward the hours that have ended."""
    log([Line(f"{AGGREGATOR} Starting aggregation job", {})])
    began = perf_counter()
    updated = await usefulness.aggregate(broker.database)
    took = round((perf_counter() - began) * 1000)
    log([Line(f"{AGGREGATOR} Updated {updated} agents in {took}ms", {"updated": updated, "duration_ms": took})])
    if not broker.settings.usefulness_reward_pool_enabled:
        log([Line(f"{REWARDS} Reward pool disabled (set USEFULNESS_REWARD_POOL_ENABLED=true to enable)", {})])
        return
    try:
        await _reward(broker)
    except Exception as error:
        logger().error(f"{REWARDS} Distribution failed", error=str(error) or type(error).__name__)
        raise


async def _reward(broker: Broker) -> None:
    database, policy = broker.database, broker.settings.reward_policy
    for begins in await _ended(database):
        began = perf_counter()
        log([Line(f"{REWARDS} Starting credit distribution", {"hour": _shown(begins), "pool": policy.hourly})])
        hour = await rewards.pay(database, begins, policy)
        log(_lines(hour, took_ms=round((perf_counter() - began) * 1000)))


async def _ended(database: Database) -> Sequence[datetime]:
    """
    The hours to be paid, once all that belongs to the last of them is written.

    A clock that is a little fast comes before the hour's end; what finalizes a receipt at its very end is still under
    way. Whoever keeps a transaction open for longer than requests take is not waited for.
    """
    now = await database.clock()
    written = rewards.hour_before(now + _EARLY) + HOUR + _LATE
    await asyncio.sleep((written - now).total_seconds())
    hours = await rewards.unpaid(database)
    for _ in range(_LOOKS if hours else 0):
        if not await rewards.under_way(database, before=written):
            break
        await asyncio.sleep(_LOOK_AGAIN_S)
    return hours


def _lines(hour: Hour, *, took_ms: int) -> Sequence[Line]:
    if hour.paid:
        return []  # by another node, whose log has it
    if not hour.rewards:
        return [Line("No agents qualify for usefulness rewards", {"hour": _shown(hour.begins)})]
    total_score = sum(reward.score for reward in hour.rewards)
    if not total_score:
        return [Line("Total usefulness score is zero, skipping distribution", {"hour": _shown(hour.begins)})]
    each = [
        {
            "agent_did": reward.agent,
            "amount": str(reward.amount),
            "score": reward.score / 100,
            "proportion": round(reward.score / total_score, 6),
        }
        for reward in hour.rewards
        if reward.amount
    ]
    facts = {
        "hour": _shown(hour.begins),
        "total_distributed": str(hour.total),
        "recipients_count": hour.recipients,
        "duration_ms": took_ms,
    }
    return [
        *(Line("Usefulness reward distributed", facts) for facts in each),
        Line(f"{REWARDS} Distribution complete", facts, counts=((REWARDED.of(), hour.total),)),
    ]


def _shown(hour: datetime) -> str:
    return hour.isoformat(timespec="hours")
