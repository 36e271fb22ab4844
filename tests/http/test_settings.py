"""What keeps the broker from starting, and how `.env` is read."""

from base64 import b64encode
from datetime import timedelta
from pathlib import Path

import pytest

from ainp import setting_secrets
from ainp.client import Identity
from ainp.settings import SettingsError, load_settings
from support.api import a_configuration

# As the mission's document writes it.
MISSION = """\
# PoU Finalizer Configuration
POU_FINALIZER_ENABLED=true          # Enable automatic finalization
POU_K=3                              # Quorum threshold (k-of-m attestations required)
POU_M=5                              # Committee size (m members)
POU_FINALIZER_CRON=*/1 * * * *      # Run every minute (adjust for production)

# Usefulness Aggregation (already configured)
USEFULNESS_AGGREGATOR_ENABLED=true
USEFULNESS_AGGREGATOR_CRON=0 * * * * # Run hourly

# Credit Distribution (already configured)
USEFULNESS_REWARD_POOL_ENABLED=false # Enable when ready to distribute credits
USEFULNESS_REWARD_POOL_HOURLY=1000000000n # 1000 satoshis per hour
"""
SECRET = "between proxy and broker"
REFUSED = {
    "a secret that can be guessed": ({"ainp_proxy_secret": "0123456789abcde"}, "AINP_PROXY_SECRET has fewer than 16"),
    "strict on any address": ({"auth_mode": "strict", "host": "::"}, "AUTH_MODE=strict needs PUBLIC_BASE_URL"),
    "strict with envelopes that are believed": (
        {"auth_mode": "strict", "signature_verification_enabled": False},
        "SIGNATURE_VERIFICATION_ENABLED=false is for AUTH_MODE=compat",
    ),
    "production with envelopes that are believed": (
        {"auth_mode": "compat", "ainp_env": "production", "signature_verification_enabled": False},
        "SIGNATURE_VERIFICATION_ENABLED=false is for AUTH_MODE=compat",
    ),
    "strict with free money": ({"auth_mode": "strict", "credits_dev_deposit_enabled": True}, "lets anyone make money"),
    "strict with unsigned attestations": (
        {"auth_mode": "strict", "pou_require_attestation_signature": False},
        "POU_REQUIRE_ATTESTATION_SIGNATURE=false is for AUTH_MODE=compat",
    ),
    "an address without a scheme": ({"public_base_url": "broker.example"}, "PUBLIC_BASE_URL: expected a URL"),
    "an address with a password": ({"public_base_url": "https://a:b@c.example"}, "PUBLIC_BASE_URL: expected a URL"),
    "an address with a query": ({"public_base_url": "https://c.example/?a"}, "PUBLIC_BASE_URL: expected a URL"),
    "an address with no port": ({"public_base_url": "https://c.example:x"}, "PUBLIC_BASE_URL: expected a URL"),
    "an unknown mode": ({"auth_mode": "open"}, "AUTH_MODE"),
    "any address": ({"host": "0.0.0.0"}, "PUBLIC_BASE_URL where HOST=0.0.0.0"),
    "any address, compat": ({"host": "0.0.0.0", "auth_mode": "compat"}, "HOST=0.0.0.0 needs AINP_PROXY_SECRET"),
    "any IPv6 address": ({"host": "::", "auth_mode": "compat"}, "AINP_PROXY_SECRET"),
    "an empty host": ({"host": "", "auth_mode": "compat"}, "AINP_PROXY_SECRET"),
    "a name": ({"host": "localhost.example.com", "auth_mode": "compat"}, "AINP_PROXY_SECRET"),
    "a scheme that nobody signs with": ({"signature_schemes": "A,E"}, "SIGNATURE_SCHEMES: expected some of A, B, C, D"),
    "a scheme twice": ({"signature_schemes": "A,a"}, "SIGNATURE_SCHEMES: "),
    "no scheme": ({"signature_schemes": ","}, "SIGNATURE_SCHEMES: "),
    "a URL as a domain": ({"did_web_allowlist": "https://a.example"}, "DID_WEB_ALLOWLIST: expected domain names"),
    "anybody's private addresses": ({"did_web_allow_private": True}, "it needs DID_WEB_ALLOWLIST"),
    **{
        f"payments {name}": ({"payments_enabled": True, **settings}, message)
        for name, settings, message in (
            ("by Coinbase without a key", {"coinbase_commerce_enabled": True}, "needs COINBASE_COMMERCE_API_KEY"),
            (
                "by Coinbase without a secret",
                {"coinbase_commerce_enabled": True},
                "needs COINBASE_COMMERCE_WEBHOOK_SECRET",
            ),
            (
                "by Coinbase with a secret that can be guessed",
                {"coinbase_commerce_enabled": True, "coinbase_commerce_webhook_secret": "0123456789abcde"},
                "COINBASE_COMMERCE_WEBHOOK_SECRET has fewer than 16",
            ),
            (
                "by Coinbase in the clear",
                {"coinbase_commerce_url": "http://c.example"},
                "COINBASE_COMMERCE_URL is plain",
            ),
            ("by Lightning without a node", {"lightning_enabled": True}, "needs LIGHTNING_NODE_URL"),
            (
                "by Lightning with no macaroon",
                {"lightning_enabled": True, "lightning_node_url": "https://n.example", "lightning_macaroon": "abc"},
                "LIGHTNING_MACAROON: expected a macaroon in hex",
            ),
            ("in no currency", {"coinbase_commerce_currency": "$"}, "COINBASE_COMMERCE_CURRENCY"),
        )
    },
    "k above m": ({"pou_k": 6, "pou_m": 5}, "POU_K=6 is more than POU_M=5"),
    "k of nobody": ({"pou_k": 0}, "POU_K: "),
    "k in words": ({"pou_k": "three"}, "POU_K: "),
    "a cron of seven fields": ({"pou_finalizer_cron": "* * * * * * *"}, "POU_FINALIZER_CRON: expected five cron"),
    "a cron out of range": ({"pou_finalizer_cron": "61 * * * *"}, "POU_FINALIZER_CRON: "),
    "a cron in words": ({"pou_finalizer_cron": "@hourly"}, "POU_FINALIZER_CRON: "),
    "a boolean in words": ({"pou_finalizer_enabled": "maybe"}, "POU_FINALIZER_ENABLED: expected true or false"),
    "a boolean that is a number": ({"pou_finalizer_enabled": "2"}, "POU_FINALIZER_ENABLED: expected true or false"),
    "a broker without a DID": ({"broker_did": "broker"}, "BROKER_DID: Invalid DID format"),
    "a port": ({"port": 65536}, "PORT: "),
    "time without end": ({"settle_grace_minutes": "inf"}, "SETTLE_GRACE_MINUTES: "),
    "a window that no date holds": ({"pou_attest_window_minutes": "1e300"}, "POU_ATTEST_WINDOW_MINUTES: "),
    "a time that is no number": ({"pou_committee_max_idle_hours": "nan"}, "POU_COMMITTEE_MAX_IDLE_HOURS: "),
    "more credits than a column holds": ({"initial_credits": 10**19}, "INITIAL_CREDITS: "),
    "a pass score above one": ({"pou_pass_score": 1.5}, "POU_PASS_SCORE: "),
    "an unknown quorum mode": ({"pou_quorum_mode": "everybody"}, "POU_QUORUM_MODE: "),
    "a database that is no PostgreSQL": ({"database_url": "mysql://localhost/x"}, "DATABASE_URL: "),
}


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("POU_K", "POU_M", "HOST", "PORT", "AUTH_MODE", "AINP_ENV", "NODE_ENV", "POU_FINALIZER_ENABLED"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(("given", "reason"), REFUSED.values(), ids=REFUSED)
def test_the_broker_does_not_start(given: dict[str, object], reason: str) -> None:
    with pytest.raises(SettingsError, match=reason.replace("(", r"\(")) as refused:
        a_configuration(**given)

    assert "\n" not in str(refused.value)
    assert "errors.pydantic.dev" not in str(refused.value)


def test_all_problems_are_said_in_one_line() -> None:
    with pytest.raises(SettingsError) as refused:
        a_configuration(pou_k=9, pou_m=5, auth_mode="strict", host="", jobs_enabled="maybe", port=-1, log_level="LOUD")

    said = str(refused.value)
    assert "\n" not in said
    for problem in ("POU_K=9", "AUTH_MODE=strict", "JOBS_ENABLED", "PORT", "LOG_LEVEL"):
        assert problem in said


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "localhost", "LOCALHOST", "::1", "[::1]"])
def test_compat_is_the_default_on_loopback(host: str) -> None:
    assert a_configuration(host=host).mode == "compat"


@pytest.mark.parametrize(
    "given",
    [{"ainp_env": "production"}, {"node_env": "production"}, {"node_env": " Production "}, {"host": "10.0.0.1"}],
)
def test_strict_is_the_default_in_production_and_on_any_other_address(given: dict[str, object]) -> None:
    settings = a_configuration(**given)

    assert settings.strict
    assert settings.welcome_credits == 0
    assert settings.eligibility.min_age == timedelta(days=1)
    assert (settings.judging.signed, settings.judging.scored) == (True, True)


def test_compat_gives_credits_and_seats_at_once() -> None:
    settings = a_configuration()

    assert settings.welcome_credits == 1_000_000
    assert settings.eligibility.min_age == timedelta()
    assert (settings.judging.signed, settings.judging.scored) == (False, False)


@pytest.mark.parametrize(
    ("given", "base"),
    [
        ("https://Broker.Example/", "https://broker.example"),
        ("https://broker.example:443", "https://broker.example"),
        ("http://[::1]:8080/ainp/", "http://[::1]:8080/ainp"),
    ],
)
def test_the_public_address_is_written_one_way(given: str, base: str) -> None:
    assert a_configuration(public_base_url=given).public_base_url == base


def test_compat_starts_on_any_address_behind_a_proxy_with_a_secret() -> None:
    assert a_configuration(host="0.0.0.0", auth_mode="compat", ainp_proxy_secret=SECRET).mode == "compat"


IN_PRODUCTION = {"ainp_env": "production", "public_base_url": "https://broker.example"}
WEAK: dict[str, tuple[dict[str, object], str]] = {
    "a sample token": ({"admin_token": "change-me-change-me"}, "ADMIN_TOKEN is a sample value"),
    "a short token": ({"admin_token": "x7Gq0"}, "ADMIN_TOKEN has fewer than 16 characters"),
    "a sample for metrics": ({"metrics_token": "s3cret"}, "METRICS_TOKEN is a sample value"),
    "a sample behind the proxy": ({"ainp_proxy_secret": "secretsecretsecret"}, "AINP_PROXY_SECRET is a sample value"),
    "a sample in a URL": (
        {"database_url": "postgresql://ainp:p%40ssword@db.example/ainp"},
        "the password in DATABASE_URL is a sample value",
    ),
    "a sample in its query": (
        {"database_url": "postgresql://db.example/ainp?user=ainp&password=postgres"},
        "the password in DATABASE_URL is a sample value",
    ),
    "Redis": ({"redis_url": "rediss://:changeme@redis.example"}, "the password in REDIS_URL is a sample value"),
    "NATS": ({"nats_url": "nats://secret@bus.example"}, "the password in NATS_URL is a sample value"),
    "a key of zeros": ({"broker_private_key": b64encode(bytes(32)).decode()}, "BROKER_PRIVATE_KEY is a published"),
    "a key that counts": (
        {"broker_private_key": b64encode(bytes(range(32))).decode()},
        "BROKER_PRIVATE_KEY is a published test key",
    ),
}


@pytest.mark.parametrize(("given", "reason"), WEAK.values(), ids=WEAK)
def test_what_everybody_knows_is_refused_in_production_and_warned_of_elsewhere(
    given: dict[str, object], reason: str
) -> None:
    mode = {"auth_mode": "compat"} if "ainp_proxy_secret" in given else {}

    settings = a_configuration(**given, **mode)
    said = setting_secrets.warnings(settings.secrets, production=settings.production)
    assert [each.startswith(reason) for each in said] == [True]
    assert reason not in " ".join(settings.warnings)  # readiness tells these to anybody
    with pytest.raises(SettingsError, match=reason) as refused:
        a_configuration(**IN_PRODUCTION, **given, **mode)

    for secret in given.values():
        assert str(secret) not in str(refused.value)


def test_good_secrets_start_in_production_without_a_word() -> None:
    settings = a_configuration(
        **IN_PRODUCTION,
        admin_token="kZ1-q9Vw_LrT5xBn",
        metrics_token="mN3.vC8_yHs6+dRp",
        database_url="postgresql://ainp:Wq7vTz2m@db.example:5432,[::1]/ainp?sslmode=verify-full",
        redis_url="rediss://ainp:Jd8s_Xc1@redis.example:6380/1",
        broker_private_key=Identity.new().private_key,
        pou_committee_min_stake=1,
    )

    assert settings.warnings == []
    assert setting_secrets.warnings(settings.secrets, production=False) == []


MISREAD = [
    *("postgresql://ainp:dis/tinctive@db.example/ainp", "postgresql://ainp:9/tinctive@db.example/ainp"),
    *("postgresql://ainp:dis#tinctive@db.example/ainp", "postgresql://ainp:1?tinctive@db.example/ainp"),
    *("postgresql://ainp:dis tinctive@db.example/ainp", "postgresql://[tinctive@db.example/ainp"),
]


@pytest.mark.parametrize("url", MISREAD)
def test_a_url_whose_password_would_be_read_as_something_else_is_refused_and_not_repeated(url: str) -> None:
    for given in ({"database_url": url}, {"redis_url": url.replace("postgresql", "redis")}):
        with pytest.raises(SettingsError, match=r"_URL: expected ://user:password@host:port/name") as refused:
            a_configuration(**given)

        assert "tinctive" not in str(refused.value)


@pytest.mark.parametrize(
    "given", [{"broker_private_key": "distinctive"}, {"public_base_url": "https://a:tinctive@b:x"}]
)
def test_a_bad_value_with_a_secret_in_it_is_not_repeated(given: dict[str, object]) -> None:
    with pytest.raises(SettingsError) as refused:
        a_configuration(**given)

    assert "tinctive" not in str(refused.value)
    assert "tinctive" not in str(refused.value.__cause__)


def test_the_broker_s_did_and_its_key_fit_together() -> None:
    identity = Identity.new()
    key = {"broker_private_key": identity.private_key}

    assert a_configuration(**key, broker_did=identity.did).broker_did == identity.did
    assert a_configuration(**key, broker_did="did:web:broker.example").broker_did == "did:web:broker.example"
    with pytest.raises(SettingsError, match=f"is that of {identity.did}, not of BROKER_DID="):
        a_configuration(**key, broker_did=Identity.new().did)
    with pytest.raises(SettingsError, match="BROKER_KEY_FILE are both set"):
        a_configuration(**key, broker_key_file="broker.key")


@pytest.mark.parametrize("other", ["KEY", "CERT"])
def test_a_certificate_needs_its_key(tmp_path: Path, other: str) -> None:
    file = tmp_path / "file.pem"
    file.write_text("")
    name = "ainp_tls_cert" if other == "KEY" else "ainp_tls_key"

    with pytest.raises(SettingsError, match=f"is set without AINP_TLS_{other}"):
        a_configuration(**{name: file})


def test_plain_http_for_others_to_read_is_warned_of() -> None:
    plain = a_configuration(host="10.0.0.1")
    proxied = a_configuration(host="10.0.0.1", public_base_url="https://broker.example")

    assert "requests come over plain HTTP" in " ".join(plain.warnings)
    assert "plain HTTP" not in " ".join(proxied.warnings)


NO_BUS: dict[str, tuple[dict[str, object], str]] = {
    "another scheme": ({"nats_url": "redis://bus"}, "expected URLs that start with nats:// or tls://"),
    "one of two": ({"nats_url": "nats://one,two"}, "expected URLs that start with nats:// or tls://"),
    "a password in two parts": ({"nats_url": "nats://u:distinctive/word@bus"}, "expected ://user:password@host"),
    "a path": ({"nats_url": "nats://bus:4222/ainp"}, "nothing behind the port"),
    "two users": ({"nats_url": "nats://a:distinctive-1@one,nats://b:distinctive-2@two"}, "expected one user"),
}


@pytest.mark.parametrize(("given", "problem"), NO_BUS.values(), ids=NO_BUS.keys())
def test_where_the_bus_is_can_be_read_in_one_way(given: dict[str, object], problem: str) -> None:
    with pytest.raises(SettingsError, match="NATS_URL") as refused:
        a_configuration(**given)

    assert problem in str(refused.value)
    assert "distinctive" not in str(refused.value)


def test_the_broker_is_one_user_of_the_bus(tmp_path: Path) -> None:
    (tmp_path / "seed").write_text("SU…")

    with pytest.raises(SettingsError, match="NATS_NKEY_FILE and a user or token in NATS_URL say who the broker is"):
        a_configuration(nats_url="nats://token@bus", nats_nkey_file=tmp_path / "seed")


def test_several_servers_of_the_bus_share_who_the_broker_is() -> None:
    policy = a_configuration(nats_url="tls://b:p%40ss@one:4222, tls://b:p%40ss@two").bus_policy(days=7)

    assert policy is not None
    assert (policy.servers, policy.user, policy.password) == (["tls://one:4222", "tls://two"], "b", "p@ss")
    assert (policy.token, policy.encrypted) == (None, True)


def test_a_secret_does_not_print() -> None:
    settings = a_configuration(ainp_proxy_secret=SECRET, admin_token=SECRET)

    assert SECRET not in repr(settings) + str(settings)


def test_the_missions_env_file_is_read_with_its_comments(tmp_path: Path) -> None:
    settings = load_settings(_env_file=_written(tmp_path, MISSION))

    assert settings.pou_finalizer_enabled is True
    assert (settings.pou_k, settings.pou_m) == (3, 5)
    assert settings.pou_finalizer_cron == "*/1 * * * *"


def test_a_cron_may_have_seconds_in_front() -> None:
    assert a_configuration(pou_finalizer_cron=" */10 * * * * * ").pou_finalizer_cron == "*/10 * * * * *"


@pytest.mark.parametrize("spelling", ["true", "1", "TRUE", "Yes", "on", " true "])
def test_true_has_several_spellings(spelling: str) -> None:
    assert a_configuration(credits_dev_deposit_enabled=spelling).credits_dev_deposit_enabled is True


@pytest.mark.parametrize("spelling", ["false", "0", "FALSE", "no", "Off"])
def test_false_has_several_spellings(spelling: str) -> None:
    assert a_configuration(pou_finalizer_enabled=spelling).pou_finalizer_enabled is False


def test_an_empty_value_is_as_good_as_none(tmp_path: Path) -> None:
    settings = load_settings(_env_file=_written(tmp_path, "AINP_PROXY_SECRET=\nBROKER_DID=\nPOU_K=\n"))

    assert settings.ainp_proxy_secret is None
    assert settings.broker_did is None
    assert settings.pou_k == 3


def test_the_environment_overrules_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POU_K", "2")

    assert load_settings(_env_file=_written(tmp_path, "POU_K=4\n")).pou_k == 2


def test_a_file_that_is_not_utf_8_is_said_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_bytes(b"BROKER_DID=\xff\n")

    with pytest.raises(SettingsError, match=r"\.env is not UTF-8"):
        load_settings(_env_file=file)


def _written(folder: Path, text: str) -> Path:
    file = folder / ".env"
    file.write_text(text)
    return file
