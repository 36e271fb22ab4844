"""The settings as the doctor's rules want them: what is set, and no secret."""

import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from cryptography import x509

from ainp import setting_secrets
from ainp.adapters.broker_key import UnusableKey
from ainp.cli.identity import broker_identity
from ainp.cli.names import unread_names
from ainp.cli.tls import certificate_of
from ainp.core.checkup import Configured, Link, Secret
from ainp.setting_problems import is_loopback
from ainp.settings import Settings, SettingsError
from ainp.worker.schedule import next_time

_DAY_S = 86_400.0
_ENCRYPTED = {"require", "verify-ca", "verify-full"}


def configured(settings: Settings) -> Configured:
    """What the settings say."""
    key, key_problem = _key(settings)
    until, certificate_problem = _certificate(settings)
    return Configured(
        production=settings.production,
        strict=settings.strict,
        on_loopback=settings.on_loopback,
        encrypted=settings.encrypted,
        proxy=settings.ainp_proxy_secret is not None,
        given_database=settings.database_url is not None,
        k=settings.pou_k,
        m=settings.pou_m,
        finalizer=settings.pou_finalizer_enabled,
        finalizer_every_s=_interval_s(settings.pou_finalizer_cron),
        aggregator=settings.aggregates,
        aggregator_every_s=_interval_s(settings.aggregator_cron),
        rate_limits=settings.rates is not None,
        admin_token=settings.admin_token is not None,
        metrics_token=settings.metrics_token is not None,
        dev_deposits=settings.credits_dev_deposit_enabled,
        weak_secrets=tuple(setting_secrets.warnings(settings.secrets, production=settings.production)),
        unread_names=tuple(str(one) for one in unread_names()),
        warnings=tuple(settings.warnings),
        key=key,
        key_problem=key_problem,
        certificate_until=until,
        certificate_problem=certificate_problem,
        secrets=tuple(_aged(settings)),
        redis=_redis(settings),
        nats=_nats(settings),
        database=_database(settings),
    )


def _interval_s(cron: str) -> float:
    first = next_time(cron, datetime.now(UTC))
    return (next_time(cron, first) - first).total_seconds()


def _key(settings: Settings) -> tuple[str, str]:
    """Who the broker is, or what is wrong with its key."""
    try:
        identity = broker_identity(settings)
    except (UnusableKey, SettingsError) as error:
        return "", str(error)
    return ("none: it signs nothing" if identity is None else identity.did), ""


def _certificate(settings: Settings) -> tuple[datetime | None, str]:
    try:
        if certificate_of(settings) is None or settings.ainp_tls_cert is None:
            return None, ""
        chain = x509.load_pem_x509_certificates(settings.ainp_tls_cert.read_bytes())
    except SettingsError as error:
        return None, str(error)
    return min(one.not_valid_after_utc for one in chain), ""


def _aged(settings: Settings) -> Iterator[Secret]:
    """Files with secrets in them; the oldest of them was not rotated for as long."""
    own = settings.data_dir / "broker.key" if settings.database_url is None else None
    named = {
        "the broker's key": settings.broker_key_file or own,
        "AINP_TLS_KEY": settings.ainp_tls_key,
        "NATS_CREDENTIALS_FILE": settings.nats_credentials_file,
        "NATS_NKEY_FILE": settings.nats_nkey_file,
        ".env": Path(".env") if settings.secrets else None,
    }
    for name, path in named.items():
        with suppress(OSError):  # of others, who look after it
            if path is not None and path.is_file():
                yield Secret(name, max(0.0, time.time() - path.stat().st_mtime) / _DAY_S)


def _redis(settings: Settings) -> Link | None:
    if settings.redis is None:
        return None
    url = urlsplit(settings.redis)
    covered = url.scheme == "rediss" or is_loopback(url.hostname or "")
    return Link(name="Redis", guarded=bool(url.password), covered=covered)


def _nats(settings: Settings) -> Link | None:
    policy = settings.bus_policy(days=1)
    if policy is None:
        return None
    who = (policy.user, policy.token, policy.credentials_file, policy.nkey_file)
    local = all(is_loopback(urlsplit(server).hostname or "") for server in policy.servers)
    return Link(name="NATS", guarded=any(who), covered=policy.encrypted or local)


def _database(settings: Settings) -> Link | None:
    if settings.postgres is None:
        return None
    url = urlsplit(settings.postgres)
    asked = {name: values[-1] for name, values in parse_qs(url.query).items()}
    host = asked.get("host") or url.hostname or ""
    socket = not host or host.startswith("/")
    guarded = bool(url.password or asked.get("password") or asked.get("sslcert")) or socket
    covered = socket or is_loopback(host) or asked.get("sslmode") in _ENCRYPTED
    return Link(name="PostgreSQL", guarded=guarded, covered=covered)
