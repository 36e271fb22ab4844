"""How often who may ask: the limits of each group, and the buckets that remember."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ainp.adapters.rate_limits import LocalBuckets
from ainp.core.did import AgentDid
from ainp.core.rate import Taken
from ainp.core.rate_policy import Group, Limits, RatePolicy

if TYPE_CHECKING:
    from ainp.adapters.redis_buckets import RedisBuckets


class Rates:
    """The limits of one process."""

    def __init__(self, policy: RatePolicy, buckets: "LocalBuckets | RedisBuckets") -> None:
        self._limits: Mapping[Group, Limits] = policy.limits()
        self._buckets = buckets

    @property
    def degraded(self) -> bool:
        """Whether nodes that should count together don't."""
        return self._buckets.degraded

    @property
    def redis(self) -> bool | None:
        """Whether Redis answers; None where none is used."""
        return self._buckets.connected

    async def take_of_address(self, address: str, group: Group) -> Taken:
        """Take one from what this address may do."""
        return await self._buckets.take(f"address:{address}:{group}", self._limits[group].address)

    async def take_of_did(self, did: AgentDid, group: Group) -> Taken:
        """Take one from what this DID may do."""
        return await self._buckets.take(f"did:{did}:{group}", self._limits[group].did)

    async def give_back_to_did(self, did: AgentDid, group: Group) -> None:
        """Give back one that was not this DID's to pay for."""
        await self._buckets.take(f"did:{did}:{group}", self._limits[group].did, cost=-1)

    async def keep_connected(self) -> None:
        """Stay connected to Redis, if there is one, until cancelled."""
        await self._buckets.keep_connected()

    def close(self) -> None:
        """Let go of what is shared with other processes."""
        self._buckets.close()


def make_rates(
    policy: RatePolicy | None, *, redis: str | None = None, ca: Path | None = None, shared: Path | None = None
) -> Rates | None:
    """Limits as *policy* says, in *redis* if it is given, else in the file *shared* by processes, else in this one."""
    if policy is None:
        return None
    local = LocalBuckets(shared)
    if redis is None:
        return Rates(policy, local)
    from ainp.adapters.redis_buckets import RedisBuckets  # noqa: PLC0415 - its driver takes six megabytes

    return Rates(policy, RedisBuckets(redis, local, ca=ca))
