"""The table of limits: complete, and never closed."""

from ainp.core.rate import SECOND_US, Limit
from ainp.core.rate_policy import TABLE, Group, RatePolicy


def test_every_group_has_limits_and_an_address_ten_times_a_did_s() -> None:
    limits = RatePolicy().limits()

    assert set(limits) == set(TABLE) == set(Group)
    assert limits[Group.NEGOTIATIONS].did == Limit(100, 60 * SECOND_US, 100)
    assert limits[Group.MESSAGES].did == Limit(100, 60 * SECOND_US, 200)
    assert {limits[group].did.amount for group in (Group.REGISTRATION, Group.DISCOVERY, Group.ATTESTATIONS)} < set(
        range(100)
    )
    assert all(found.address.amount == 10 * found.did.amount for found in limits.values())


def test_the_smallest_settings_still_let_something_through() -> None:
    assert all(found.did.amount == 1 for found in RatePolicy(1, 1000, 1, 1, 1).limits().values())
