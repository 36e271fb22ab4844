"""
How often somebody may do something: the generic cell rate algorithm, a bucket that leaks evenly, kept as one number.

The number is the theoretical arrival time: when the bucket would be full again if nothing more was taken. Times are
whole microseconds on any clock that only goes forward; the Redis script repeats this arithmetic.
"""

from dataclasses import dataclass

SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True)
class Limit:
    """As many as *amount* in each *window_us*, of them *burst* at once."""

    amount: int
    window_us: int
    burst: int

    def __post_init__(self) -> None:
        assert min(self.amount, self.window_us, self.burst) > 0, "a limit lets something through"

    @property
    def interval_us(self) -> int:
        """How long one takes to come back; rounded up, so never more than *amount* do in a window."""
        return -(-self.window_us // self.amount)

    @property
    def full_us(self) -> int:
        """How long an empty bucket takes to be full."""
        return self.interval_us * self.burst


@dataclass(frozen=True, slots=True)
class Taken:
    """A bucket's answer: *wait_us* until the same would be let through, 0 if it was; *reset_us* until all is back."""

    limit: Limit
    wait_us: int
    reset_us: int

    @property
    def allowed(self) -> bool:
        """Whether it was let through."""
        return self.wait_us == 0

    @property
    def remaining(self) -> int:
        """How many more would be let through at once."""
        return max(0, (self.limit.full_us - self.reset_us) // self.limit.interval_us)


def take(limit: Limit, *, arrival_us: int, now_us: int, cost: int = 1) -> tuple[Taken, int]:
    """
    Take *cost* from a bucket, or nothing; what it answers, and its arrival time afterwards. A *cost* below 0 is given
    back.

    A bucket that nobody knows has the arrival time 0. One that is further ahead than an empty bucket is taken for an
    empty one: the limit was another, or the clock began anew.
    """
    assert cost <= limit.burst, "more than the burst is never let through"
    interval_us, full_us = limit.interval_us, limit.full_us
    before_us = min(max(arrival_us, now_us), now_us + full_us)
    after_us = max(now_us, before_us + cost * interval_us)
    wait_us = after_us - full_us - now_us
    if wait_us > 0:
        return Taken(limit, wait_us, before_us - now_us), before_us
    return Taken(limit, 0, after_us - now_us), after_us
