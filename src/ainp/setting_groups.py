"""Settings of a part of the broker that has many."""

from collections.abc import Iterator

from pydantic import Field
from pydantic_settings import BaseSettings

from ainp.operations.rewards import RewardPolicy
from ainp.setting_bus import BusSettings
from ainp.setting_discovery import DiscoverySettings
from ainp.setting_kinds import Boolean, Cron, Units
from ainp.setting_messages import MessageSettings
from ainp.setting_payments import PaymentSettings

_REWARDED_HOURLY = 10_000_000
_SAME = (  # settings with two names
    ("usefulness_aggregator_enabled", "usefulness_aggregation_enabled"),
    ("usefulness_reward_pool_hourly", "usefulness_reward_pool_atomic"),
)


class UsefulnessSettings(BaseSettings):
    """Proofs of usefulness, what they add up to, and what they earn; older names are read beside the newer."""

    usefulness_aggregator_enabled: Boolean | None = Field(
        None, description="take proofs and add them up; default: true"
    )
    usefulness_aggregation_enabled: Boolean | None = Field(None, description="the same, by its older name")
    usefulness_aggregator_cron: Cron | None = Field(
        None, description="when proofs are added up and hours are rewarded; default: every hour"
    )
    usefulness_aggregation_interval_hours: int = Field(
        1, ge=1, le=24, description="the same in hours, where no cron is set"
    )
    max_proofs_per_hour: int = Field(100, ge=1, le=10_000, description="proofs that one agent may submit")
    usefulness_reward_pool_enabled: Boolean = Field(False, description="reward agents for each hour's usefulness")
    usefulness_reward_pool_hourly: Units | None = Field(
        None, description=f"atomic units for each hour; default: {_REWARDED_HOURLY}"
    )
    usefulness_reward_pool_atomic: Units | None = Field(None, description="the same, by its older name")
    usefulness_min_score_for_rewards: float = Field(
        10, ge=0, le=100, description="the score from which one is rewarded"
    )
    usefulness_rewards_require_receipt: Boolean = Field(
        True, description="reward work with a finalized receipt alone, and no more than a part of its fees"
    )
    usefulness_reward_fee_share_bps: int = Field(
        5000, ge=0, le=10_000, description="that part: what an agent gets back of its receipts' fees at most"
    )

    @property
    def aggregates(self) -> bool:
        """Whether proofs are taken and added up."""
        given = (self.usefulness_aggregator_enabled, self.usefulness_aggregation_enabled)
        return next((value for value in given if value is not None), True)

    @property
    def aggregator_cron(self) -> str:
        """When they are added up."""
        hours = self.usefulness_aggregation_interval_hours
        return self.usefulness_aggregator_cron or ("0 * * * *" if hours == 1 else f"0 */{hours} * * *")

    @property
    def reward_policy(self) -> RewardPolicy:
        """What an hour gives to whom."""
        given = (self.usefulness_reward_pool_hourly, self.usefulness_reward_pool_atomic)
        return RewardPolicy(
            hourly=next((value for value in given if value is not None), _REWARDED_HOURLY),
            least_score=round(self.usefulness_min_score_for_rewards * 100),
            by_receipts=self.usefulness_rewards_require_receipt,
            fee_share_bp=self.usefulness_reward_fee_share_bps,
        )

    def usefulness_problems(self) -> Iterator[str]:
        """Two names of one thing that say different things."""
        for newer, older in _SAME:
            found = getattr(self, newer), getattr(self, older)
            if None not in found and found[0] != found[1]:
                both = " and ".join(str(value).lower() for value in found)
                yield f"{newer.upper()} and {older.upper()} are one setting: found {both}"


class GroupSettings(DiscoverySettings, UsefulnessSettings, MessageSettings, BusSettings, PaymentSettings):
    """All of them."""

    def group_problems(self) -> Iterator[str]:
        """What does not fit together within one of them."""
        yield from self.usefulness_problems()
        yield from self.discovery_problems()
        yield from self.bus_problems()
        yield from self.payment_problems()
