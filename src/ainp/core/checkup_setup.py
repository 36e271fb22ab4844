"""Before a deployment: settings, migrations, keys, certificates; and what keeps others out."""

from collections.abc import Iterator
from datetime import datetime

from ainp.core.checkup import About, Answered, Configured, Line, Link, Part, Stored
from ainp.core.words import counted

OLD_DAYS = 365.0  # a secret that is older has been seen by too many
RENEW_DAYS = 14.0  # a certificate that ends sooner should have been renewed
SKEW_S = 30.0  # signatures allow 60 s between two clocks
MISSION = (17, 18, 19, 20, 21)  # the migrations that the deployment checklist names
MIN_POSTGRES = 15
PRODUCTION_K, PRODUCTION_M = 5, 9

_B = Part.BEFORE
SETTINGS = About(_B, "settings", "Environment variables configured")
QUORUM = About(_B, "quorum", "Quorum and committee sizes fit the environment")
ADVICE = About(_B, "advice", "Nothing in the settings that an operator is warned of")
DATABASE = About(_B, "database", "The database answers")
READY = About(_B, "migrations-ready", "Migrations ready (017-021 and all others)")
APPLIED = About(_B, "migrations", "Migrations applied, as they are in this release")
CLOCK = About(_B, "clock", "Clocks agree")
KEY = About(_B, "broker-key", "The broker has a key of its own")
CERTIFICATE = About(_B, "certificate", "The TLS certificate is good")
SAMPLES = About(_B, "sample-secrets", "No sample values for secrets")
ROTATED = About(_B, "rotation", "Credentials rotated")

_S = Part.SECURITY
RATES = About(_S, "rate-limits", "Rate limiting enabled for attestation endpoints")
AUTHENTICATED = About(_S, "authentication", "DID authentication required for attestation submission")
REDIS = About(_S, "redis", "Redis AUTH enabled")
NATS = About(_S, "nats", "NATS authentication enabled")
PASSWORD = About(_S, "database-credentials", "The database takes a password, and the way there is covered")
TLS = About(_S, "tls", "HTTPS/TLS enabled for all API endpoints")
SOCKETS = About(_S, "websockets", "WebSocket connections authenticated")
ADMIN = About(_S, "admin", "Admin routes and metrics are for the operator")
MONEY = About(_S, "deposits", "Nobody makes money for himself")

UNSIGNED, UNPROVEN, NO_TOKEN, NO_METRICS, DEPOSIT = (
    "unsigned attestation",
    "unproven socket",
    "audit",
    "metrics",
    "deposit",
)


def before(c: Configured, s: Stored, a: Answered, *, now: datetime) -> Iterator[Line]:
    """Everything that can be seen without the broker, but whose key it is."""
    yield _settings(c)
    yield _quorum(c)
    warned = (*c.warnings, *(one for one in a.warnings if one not in c.warnings))
    yield ADVICE.should(not warned, "; ".join(warned) or "no warnings", "docs/configuration.md has every setting")
    yield from _database(c, s)
    yield KEY.should(not c.key_problem, c.key_problem or c.key, "BROKER_KEY_FILE or BROKER_PRIVATE_KEY: docs/tls.md")
    yield _certificate(c, now)
    weak = "; ".join(c.weak_secrets)
    yield SAMPLES.should(not weak, weak or "none is a sample or too short", "draw others, as docs/tls.md shows")
    yield _rotated(c, s, now)


def security(c: Configured, s: Stored, a: Answered) -> Iterator[Line]:
    """What keeps others out; the rules of committee and client, and signatures, are for the canary to try."""
    open_to_others = not c.on_loopback or c.proxy
    yield _rates(c, open_to_others=open_to_others)
    yield _refused(AUTHENTICATED, a, UNSIGNED, (400, 401, 403))
    yield _link(REDIS, c.redis, "each process counts requests alone", "requirepass, and the password in REDIS_URL")
    yield _link(NATS, c.nats, "brokers hear of events by PostgreSQL", "NATS_CREDENTIALS_FILE or a user in NATS_URL")
    yield _password(c, s)
    yield _tls(c, a, open_to_others=open_to_others)
    yield _sockets(c, a)
    yield _admin(c, a, open_to_others=open_to_others)
    yield _deposits(c, a)


def _settings(c: Configured) -> Line:
    if c.unread_names:
        return SETTINGS.doubtful("; ".join(c.unread_names), "correct the names: docs/configuration.md has them all")
    off = [name for name, on in (("POU_FINALIZER_ENABLED", c.finalizer), ("the aggregator", c.aggregator)) if not on]
    if off:
        return SETTINGS.wrong(
            f"{' and '.join(off)} switched off", "set POU_FINALIZER_ENABLED and USEFULNESS_AGGREGATOR_ENABLED to true"
        )
    lacking = [
        name
        for name, there in (("DATABASE_URL", c.given_database), ("ADMIN_TOKEN", c.admin_token))
        if c.production and not there
    ]
    if lacking:
        return SETTINGS.doubtful(f"production without {' and '.join(lacking)}", f"set {' and '.join(lacking)}")
    return SETTINGS.right(f"all are read and fit together; {'strict' if c.strict else 'compat'} mode")


def _quorum(c: Configured) -> Line:
    found = f"k={c.k} of m={c.m}"
    if c.production and (c.k < PRODUCTION_K or c.m < PRODUCTION_M):
        return QUORUM.doubtful(
            f"{found}; the checklist recommends {PRODUCTION_K} of {PRODUCTION_M} in production",
            "`ainp quorum advise` works out k and m for the network; set POU_K and POU_M",
        )
    return QUORUM.right(found)


def _database(c: Configured, s: Stored) -> Iterator[Line]:
    if s.problem:
        yield DATABASE.wrong(s.problem, "start PostgreSQL (`ainp serve` starts its own), or correct DATABASE_URL")
        for about in (READY, APPLIED, CLOCK):
            yield about.unknown("the database does not answer")
        return
    kind = "configured" if c.given_database else "embedded"
    yield DATABASE.must(
        s.version >= MIN_POSTGRES, f"PostgreSQL {s.version}, {kind}", f"upgrade it to {MIN_POSTGRES} or later"
    )
    numbers = {one.number for one in s.migrations}
    lacking = [f"{number:03d}" for number in MISSION if number not in numbers]
    yield READY.must(
        not lacking,
        f"{len(numbers)} files" if not lacking else f"no files of {', '.join(lacking)}",
        "install the release anew",
    )
    yield _applied(s)
    yield CLOCK.must(
        abs(s.ahead_s) <= SKEW_S,
        f"the database's is {abs(s.ahead_s):.1f} s {'ahead' if s.ahead_s > 0 else 'behind'}",
        "let both machines follow NTP: signatures allow 60 s",
    )


def _applied(s: Stored) -> Line:
    if not s.behind:
        newer = sum(one.state == "unknown" for one in s.migrations)
        foreign = f", {newer} of a later release" if newer else ""
        return APPLIED.right(f"{len(s.migrations)} applied{foreign}, checksums match")
    found = "; ".join(
        f"{one.name} is {one.state}" + (f": {', '.join(one.missing)} missing" if one.missing else "")
        for one in s.behind
    )
    edited = any(one.state == "edited" for one in s.behind)
    return APPLIED.wrong(found, "restore the file that was edited" if edited else "run `ainp migrate up`")


def _certificate(c: Configured, now: datetime) -> Line:
    renew = "renew it, and send the broker SIGHUP"
    if c.certificate_problem:
        return CERTIFICATE.wrong(c.certificate_problem, renew)
    if c.certificate_until is None:
        return CERTIFICATE.unknown("the broker has none of its own (AINP_TLS_CERT)")
    days = (c.certificate_until - now).total_seconds() / 86_400
    return CERTIFICATE.should(days >= RENEW_DAYS, f"good for {counted(round(days), 'day')}", renew)


def _rotated(c: Configured, s: Stored, now: datetime) -> Line:
    if s.valid_until is not None:
        days = (s.valid_until - now).total_seconds() / 86_400
        if days < RENEW_DAYS:
            rule = ROTATED.wrong if days <= 0 else ROTATED.doubtful
            return rule(
                f"the password of the database is good for {counted(round(days), 'day')}", "give its role another"
            )
    old = [f"{one.name} is {counted(round(one.days), 'day')} old" for one in c.secrets if one.days > OLD_DAYS]
    if old:
        return ROTATED.doubtful("; ".join(old), "write new ones, and restart the broker")
    if not c.secrets:
        return ROTATED.unknown("no secret is in a file whose age could be seen")
    oldest = round(max(one.days for one in c.secrets))
    return ROTATED.right(f"the oldest file with one was written {counted(oldest, 'day')} ago")


def _rates(c: Configured, *, open_to_others: bool) -> Line:
    if c.rate_limits:
        return RATES.right("enabled, by DID and by address")
    if c.strict or open_to_others or c.production:
        return RATES.wrong("RATE_LIMIT_ENABLED=false", "set RATE_LIMIT_ENABLED=true")
    return RATES.unknown("nobody but the operator can come: compat mode on loopback")


def _refused(about: About, a: Answered, tried: str, expected: tuple[int, ...]) -> Line:
    found = a.refused.get(tried)
    if found is None:
        return about.unknown(a.problem or f"{tried} was not tried")
    return about.must(found in expected, f"{tried}: {found}", "update the broker, and report it: this is a bug")


def _link(about: About, link: Link | None, otherwise: str, fix: str) -> Line:
    if link is None:
        return about.unknown(f"not used: {otherwise}")
    if not link.guarded:
        return about.should(False, f"{link.name} is open to whoever reaches it", fix)
    return about.should(link.covered, f"{link.name} asks for a secret", "encrypt the way there (rediss://, tls://)")


def _password(c: Configured, s: Stored) -> Line:
    if c.database is None:
        return PASSWORD.right("the embedded PostgreSQL listens on a socket that its owner alone can open")
    if not c.database.guarded:
        return PASSWORD.doubtful("no password in DATABASE_URL", "give the role one, unless the server proves it by TLS")
    fix = "add sslmode=verify-full to DATABASE_URL: docs/tls.md"
    return PASSWORD.should(c.database.covered or s.encrypted, "a password is asked for", fix)


def _tls(c: Configured, a: Answered, *, open_to_others: bool) -> Line:
    if a.url.startswith("https:") or c.encrypted:
        return TLS.right(f"{a.base_url or a.url}")
    if not open_to_others:
        return TLS.unknown("only this machine can connect: HOST is loopback")
    fix = "set AINP_TLS_CERT and AINP_TLS_KEY, or PUBLIC_BASE_URL=https://… with a proxy in front"
    return TLS.wrong(f"agents reach it by {a.base_url or a.url or 'HTTP'}", fix)


def _sockets(c: Configured, a: Answered) -> Line:
    if not c.strict:
        who = "the proxy says who listens" if c.proxy else "on loopback ?did= is believed"
        return SOCKETS.unknown(f"compat mode: {who}; AUTH_MODE=strict asks for a proof")
    return _refused(SOCKETS, a, UNPROVEN, (4401,))


def _admin(c: Configured, a: Answered, *, open_to_others: bool) -> Line:
    found = a.refused.get(NO_TOKEN)
    if found is not None and found not in (401, 403):
        return ADMIN.wrong(f"the audit trail answers {found} without a token", "update the broker, and report it")
    if open_to_others and not c.metrics_token and a.refused.get(NO_METRICS) == 200:  # noqa: PLR2004 - OK
        return ADMIN.doubtful("whoever reaches the broker reads /metrics", "set METRICS_TOKEN")
    return ADMIN.right("asks for ADMIN_TOKEN" if c.admin_token else "refused: ADMIN_TOKEN is not set")


def _deposits(c: Configured, a: Answered) -> Line:
    if c.dev_deposits:
        return MONEY.should(False, "CREDITS_DEV_DEPOSIT_ENABLED=true: anybody deposits", "leave it to development")
    return _refused(MONEY, a, DEPOSIT, (401, 403))
