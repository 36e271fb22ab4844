"""Settings of usefulness and rewards: two names of one thing, and numbers as the mission's document writes them."""

import pytest

from ainp.settings import SettingsError, load_settings
from support.api import a_configuration

HOURLY, ATOMIC = "USEFULNESS_REWARD_POOL_HOURLY", "USEFULNESS_REWARD_POOL_ATOMIC"


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (HOURLY, ATOMIC, "USEFULNESS_AGGREGATOR_ENABLED", "USEFULNESS_AGGREGATION_ENABLED"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("name", [HOURLY, ATOMIC])
@pytest.mark.parametrize(("text", "value"), [("1000000000n", 10**9), ("10000000", 10**7), ("0", 0), (" 5 ", 5)])
def test_an_hours_total_is_whole_atomic_units(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str, value: int
) -> None:
    monkeypatch.setenv(name, text)

    assert load_settings(_env_file=None).reward_policy.hourly == value


@pytest.mark.parametrize("text", ["1_000_000", "-5", "+5", "1.5", "1e9", "n", "5nn", "5N", "1" * 17])
def test_other_spellings_keep_the_broker_from_starting(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(HOURLY, text)

    with pytest.raises(SettingsError, match=f"{HOURLY}: expected a whole number of atomic units, found"):
        load_settings(_env_file=None)


def test_without_a_name_it_is_ten_thousand_credits() -> None:
    assert a_configuration().reward_policy.hourly == 10_000_000


@pytest.mark.parametrize(
    ("newer", "older", "value", "other"),
    [
        (HOURLY, ATOMIC, "1000n", "1001"),
        ("USEFULNESS_AGGREGATOR_ENABLED", "USEFULNESS_AGGREGATION_ENABLED", "true", "false"),
    ],
    ids=["total", "switch"],
)
def test_two_names_of_one_setting_say_the_same(
    monkeypatch: pytest.MonkeyPatch, newer: str, older: str, value: str, other: str
) -> None:
    monkeypatch.setenv(newer, value)
    monkeypatch.setenv(older, value.removesuffix("n"))
    load_settings(_env_file=None)
    monkeypatch.setenv(older, other)

    with pytest.raises(SettingsError, match=f"{newer} and {older} are one setting: found {value[:4]} and {other}"):
        load_settings(_env_file=None)


@pytest.mark.parametrize(
    ("given", "cron"),
    [
        ({}, "0 * * * *"),
        ({"usefulness_aggregation_interval_hours": 6}, "0 */6 * * *"),
        ({"usefulness_aggregation_interval_hours": 24}, "0 */24 * * *"),
        ({"usefulness_aggregation_interval_hours": 6, "usefulness_aggregator_cron": "*/5 * * * *"}, "*/5 * * * *"),
    ],
    ids=["neither", "an interval", "a day", "both"],
)
def test_a_cron_wins_over_an_interval(given: dict[str, object], cron: str) -> None:
    assert a_configuration(**given).aggregator_cron == cron


def test_what_a_reward_depends_on_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USEFULNESS_MIN_SCORE_FOR_REWARDS", "12.5")
    monkeypatch.setenv("USEFULNESS_REWARDS_REQUIRE_RECEIPT", "false")
    monkeypatch.setenv("USEFULNESS_REWARD_FEE_SHARE_BPS", "2500")

    policy = load_settings(_env_file=None).reward_policy

    assert (policy.least_score, policy.by_receipts, policy.fee_share_bp) == (1250, False, 2500)
