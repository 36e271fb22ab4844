"""What the doctor reads out of the settings: whether servers are guarded and covered, how old secrets are."""

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ainp.cli.doctor.asked import address_of
from ainp.cli.doctor.configured import configured
from ainp.core.checkup import Configured, Link
from support.api import a_configuration
from support.certificates import a_certificate

GUARDED = (True, True)


def read(folder: Path, **settings: object) -> Configured:
    return configured(a_configuration(data_dir=folder / "data", **settings))


def how(link: Link | None) -> tuple[bool, bool] | None:
    return None if link is None else (link.guarded, link.covered)


@pytest.fixture(autouse=True)
def a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("redis://127.0.0.1:6379/0", (False, True)),
        ("redis://:5a105e8b9d40e132@127.0.0.1:6379/0", GUARDED),
        ("redis://:5a105e8b9d40e132@cache.example:6379/0", (True, False)),
        ("rediss://:5a105e8b9d40e132@cache.example:6379/0", GUARDED),
    ],
)
def test_redis(tmp_path: Path, url: str, found: tuple[bool, bool]) -> None:
    assert how(read(tmp_path, redis_url=url).redis) == found


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("nats://127.0.0.1:4222", (False, True)),
        ("nats://broker:9d5ed678fe57bcca@bus.example:4222", (True, False)),
        ("tls://9d5ed678fe57bcca@bus.example:4222", GUARDED),
    ],
)
def test_nats(tmp_path: Path, url: str, found: tuple[bool, bool]) -> None:
    assert how(read(tmp_path, nats_url=url).nats) == found


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("postgresql://ainp@db.example/ainp", (False, False)),
        ("postgresql://ainp:0a6edbbc29ed5f3e@db.example/ainp", (True, False)),
        ("postgresql://ainp:0a6edbbc29ed5f3e@db.example/ainp?sslmode=verify-full", GUARDED),
        ("postgresql://ainp@/ainp?host=/run/postgresql", GUARDED),
        (None, None),
    ],
)
def test_the_database(tmp_path: Path, url: str | None, found: tuple[bool, bool] | None) -> None:
    assert how(read(tmp_path, database_url=url).database) == found


def test_intervals_are_those_of_the_crons(tmp_path: Path) -> None:
    found = read(tmp_path, pou_finalizer_cron="*/5 * * * *", usefulness_aggregator_cron="0 */2 * * *")

    assert (found.finalizer_every_s, found.aggregator_every_s) == (300, 7200)


def test_a_key_that_others_can_read_is_a_problem_and_its_age_is_known(tmp_path: Path) -> None:
    key = tmp_path / "broker.key"
    key.write_text("{}")
    key.chmod(0o644)
    old = time.time() - 400 * 86_400
    os.utime(key, (old, old))

    found = read(tmp_path, broker_key_file=str(key))

    assert "is open to others" in found.key_problem
    assert [(secret.name, round(secret.days)) for secret in found.secrets] == [("the broker's key", 400)]


def test_a_certificate_says_until_when_it_is_good(tmp_path: Path) -> None:
    _, certificate, key = a_certificate(tmp_path)
    found = read(tmp_path, ainp_tls_cert=str(certificate), ainp_tls_key=str(key))
    certificate.write_text("no certificate")
    broken = read(tmp_path, ainp_tls_cert=str(certificate), ainp_tls_key=str(key))

    assert found.certificate_until is not None
    assert found.certificate_until > datetime.now(UTC) + timedelta(days=1)
    assert "has no certificate in PEM" in broken.certificate_problem


@pytest.mark.parametrize(
    ("settings", "address"),
    [
        ({"port": 99}, "http://127.0.0.1:99"),
        ({"host": "0.0.0.0", "public_base_url": "https://broker.example"}, "https://broker.example"),
        (
            {"host": "0.0.0.0", "port": 99, "auth_mode": "compat", "ainp_proxy_secret": "8f14e45fceea167a5a36de"},
            "http://127.0.0.1:99",
        ),
        (
            {"host": "::", "port": 99, "auth_mode": "compat", "ainp_proxy_secret": "8f14e45fceea167a"},
            "http://127.0.0.1:99",
        ),
    ],
)
def test_the_broker_is_where_the_settings_have_it(settings: dict[str, object], address: str) -> None:
    assert address_of(a_configuration(**settings)) == address
