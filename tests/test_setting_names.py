"""Names that look like settings are answered with the nearest that there is."""

import pytest

from ainp import setting_names
from ainp.setting_names import strangers
from ainp.settings import Settings, variable_of

KNOWN = {variable_of(name) for name in Settings.model_fields}
# Section by section as operators of other brokers know them.
MISSION = (
    *("POU_FINALIZER_ENABLED", "POU_K", "POU_M", "POU_FINALIZER_CRON", "USEFULNESS_AGGREGATOR_ENABLED"),
    *("USEFULNESS_AGGREGATOR_CRON", "USEFULNESS_REWARD_POOL_ENABLED", "USEFULNESS_REWARD_POOL_HOURLY"),
    *("DATABASE_URL", "REDIS_URL", "NATS_URL"),
)
OLDER = (
    *("PORT", "NODE_ENV", "OPENAI_API_KEY", "BROKER_DID", "ADMIN_TOKEN", "PUBLIC_BASE_URL", "INITIAL_CREDITS"),
    *("MESSAGING_ENABLED", "EMAIL_CONTENT_DEDUPE_ENABLED", "EMAIL_DEDUPE_TTL_SECONDS", "EMAIL_GREYLIST_ENABLED"),
    *("EMAIL_GREYLIST_DELAY_SECONDS", "EMAIL_POSTAGE_ENABLED", "EMAIL_POSTAGE_AMOUNT_ATOMIC", "MAX_PROOFS_PER_HOUR"),
    *("USEFULNESS_AGGREGATION_ENABLED", "USEFULNESS_AGGREGATION_INTERVAL_HOURS", "USEFULNESS_REWARD_POOL_ATOMIC"),
    *("USEFULNESS_MIN_SCORE_FOR_REWARDS", "DISCOVERY_SIMILARITY_WEIGHT", "DISCOVERY_TRUST_WEIGHT"),
    *("DISCOVERY_USEFULNESS_WEIGHT", "PAYMENTS_ENABLED", "COINBASE_COMMERCE_ENABLED", "LIGHTNING_ENABLED"),
    *("USDC_ONCHAIN_ENABLED", "COINBASE_COMMERCE_API_KEY", "COINBASE_COMMERCE_WEBHOOK_SECRET", "LIGHTNING_NODE_URL"),
    *("LIGHTNING_MACAROON", "ATOMIC_PER_UNIT", "RATE_LIMIT_MAX", "RATE_LIMIT_WINDOW_MS", "RATE_LIMIT_BURST"),
    *("RATE_LIMIT_INTENTS_PER_MIN", "LOG_LEVEL", "HOST", "REPUTATION_ALPHA", "POOL_SIZE", "VECTOR_SEARCH_LIMIT"),
)


@pytest.mark.parametrize("name", [*MISSION, *OLDER])
def test_the_name_that_operators_know_is_read(name: str) -> None:
    assert name in KNOWN


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("POU_FINALISER_ENABLED", "did you mean POU_FINALIZER_ENABLED?"),
        ("POU_QUORUM", "did you mean POU_QUORUM_MODE?"),
        ("pou_kk", "did you mean POU_K?"),
        ("USEFULNESS_AGGREGATOR", "did you mean USEFULNESS_AGGREGATOR_CRON?"),
        ("USEFULNESS_REQUIRE_RECEIPT", "did you mean USEFULNESS_REWARDS_REQUIRE_RECEIPT?"),
        ("AINP_DATADIR", "did you mean AINP_DATA_DIR?"),
        ("AINP_XYZZY_PLUGH", "docs/configuration.md names what is"),
        ("CREDIT_LEDGER_ENABLED", "the ledger is always on"),
    ],
)
def test_a_name_that_nothing_reads_is_answered(name: str, hint: str) -> None:
    (found,) = strangers(KNOWN, environment=[name])

    assert str(found) == f"{name.upper()} is not read: {hint}"


@pytest.mark.parametrize(
    "name",
    [
        *("PATH", "HOME", "POSTGRES_PASSWORD", "NATS_SERVICE_HOST", "REDIS_PORT_6379_TCP", "pou_k", "DATA_DIR"),
        *("AINP_BROKER_SERVICE_HOST", "AINP_BROKER_PORT_8080_TCP_ADDR", "AINP_TEST_DATABASE_URL", "AINP_DID"),
    ],
)
def test_what_is_a_setting_or_somebody_else_s_is_left_alone(name: str) -> None:
    assert strangers(KNOWN, environment=[name]) == []


def test_no_setting_is_told_to_be_none() -> None:
    assert setting_names._ELSEWHERE.keys().isdisjoint(KNOWN)


def test_in_the_broker_s_own_file_what_is_nearly_a_setting_is_taken_for_one() -> None:
    assert [one.name for one in strangers(KNOWN, environment=["DATABASEURL"], file=["HOSTT", "SOMETHING"])] == ["HOSTT"]
    assert [one.name for one in strangers(KNOWN, environment=[], file=["database_ur"])] == ["DATABASE_UR"]
