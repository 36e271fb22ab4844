"""Usefulness is added up and hours are rewarded: on the aggregator's times, and once at the start."""

from collections.abc import Sequence
from datetime import datetime
from time import perf_counter

from ainp.broker import Broker
from ainp.core.errors import BrokerError
from ainp.operations import rewards, usefulness
from ainp.operations.rewards import Hour
from ainp.telemetry import Line, log, logger
from ainp.telemetry.metrics import REWARDED

AGGREGATOR = "[UsefulnessAggregator]"
REWARDS = "[UsefulnessRewards]"


async def at_start(broker: Broker) -> None:
    """Bring scores up to date beside everything else; what fails here is done at the next time."""
    try:
        updated = await usefulness.aggregate(broker.database)
    except BrokerError as error:
        logger().error(f"{AGGREGATOR} Aggregation job failed", error=error.message)
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
    policy = broker.settings.reward_policy
    for begins in await rewards.unpaid(broker.database):
        began = perf_counter()
        log([Line(f"{REWARDS} Starting credit distribution", {"hour": _shown(begins), "pool": policy.hourly})])
        hour = await rewards.pay(broker.database, begins, policy)
        log(_lines(hour, took_ms=round((perf_counter() - began) * 1000)))


def _lines(hour: Hour, *, took_ms: int) -> Sequence[Line]:
    paid = [reward for reward in hour.rewards if reward.amount]
    if not hour.rewards:
        return [Line("No agents qualify for usefulness rewards", {"hour": _shown(hour.begins)})]
    total_score = sum(reward.score for reward in hour.rewards)
    facts = {"total_distributed": str(hour.total), "recipients_count": len(paid), "duration_ms": took_ms}
    counts = ((REWARDED.of(), hour.total),)
    return [
        *(
            Line(
                "Usefulness reward distributed",
                {
                    "agent_did": reward.agent,
                    "amount": str(reward.amount),
                    "score": reward.score / 100,
                    "proportion": round(reward.score / total_score, 6),
                },
            )
            for reward in paid
        ),
        Line(f"{REWARDS} Distribution complete", {"hour": _shown(hour.begins), **facts}, counts=counts),
    ]


def _shown(hour: datetime) -> str:
    return hour.isoformat(timespec="hours")
