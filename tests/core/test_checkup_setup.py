"""What a deployment is made of: each thing that is wrong is told with what to do about it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from ainp.core.checkup import Answered, Configured, Line, Link, Migrated, Result, Secret, Stored
from ainp.core.checkup_setup import DEPOSIT, MISSION, NO_METRICS, NO_TOKEN, UNPROVEN, UNSIGNED, before, security
from support.builders import NOW

C = Configured(key="did:key:z6Mk…")
S = Stored(version=16, migrations=tuple(Migrated(number, f"{number:03d}_x", "applied") for number in MISSION))
A = Answered(url="http://127.0.0.1:8080", refused={UNSIGNED: 401, NO_TOKEN: 401, NO_METRICS: 200, DEPOSIT: 401})
OPEN = Link(name="Redis", guarded=False, covered=True)
PLAIN = Link(name="NATS", guarded=True, covered=False)
GOOD = Link(name="x", guarded=True, covered=True)
STRICT = replace(C, strict=True, production=True, on_loopback=False, encrypted=True, rate_limits=True, k=5, m=9,
                 given_database=True, admin_token=True, metrics_token=True, database=GOOD)  # fmt: skip


def line(name: str, c: Configured = C, s: Stored = S, a: Answered = A) -> Line:
    lines = [*before(c, s, a, now=NOW), *security(c, s, a)]
    [found] = [one for one in lines if one.name == name]
    return found


def test_every_line_has_a_name_of_its_own() -> None:
    names = [one.name for one in (*before(C, S, A, now=NOW), *security(C, S, A))]

    assert len(set(names)) == len(names)


@pytest.mark.parametrize("configured", [C, STRICT], ids=["loopback", "production"])
def test_a_deployment_that_is_as_it_should_be_has_nothing_to_fix(configured: Configured) -> None:
    answered = replace(A, url="https://broker.example", refused={**A.refused, UNPROVEN: 4401})
    lines = [*before(configured, S, answered, now=NOW), *security(configured, S, answered)]

    assert [one for one in lines if one.fix] == []


WRONG = [
    ("settings", {"finalizer": False}, Result.FAIL, "POU_FINALIZER_ENABLED"),
    ("settings", {"aggregator": False}, Result.FAIL, "USEFULNESS_AGGREGATOR_ENABLED"),
    ("settings", {"unread_names": ("POU_KK: did you mean POU_K?",)}, Result.WARN, "correct the names"),
    ("settings", {"production": True}, Result.WARN, "DATABASE_URL and ADMIN_TOKEN"),
    ("quorum", {"production": True}, Result.WARN, "POU_K"),
    ("advice", {"warnings": ("beware",)}, Result.WARN, "configuration"),
    ("broker-key", {"key_problem": "is open to others"}, Result.WARN, "BROKER_KEY_FILE"),
    ("certificate", {"certificate_problem": "has expired"}, Result.FAIL, "SIGHUP"),
    ("certificate", {"certificate_until": NOW + timedelta(days=3)}, Result.WARN, "SIGHUP"),
    ("sample-secrets", {"weak_secrets": ("ADMIN_TOKEN is a sample value",)}, Result.WARN, "docs/tls.md"),
    ("rotation", {"secrets": (Secret("broker.key", 400), Secret(".env", 3))}, Result.WARN, "write new ones"),
    ("rate-limits", {"strict": True}, Result.FAIL, "RATE_LIMIT_ENABLED=true"),
    ("redis", {"redis": OPEN}, Result.WARN, "requirepass"),
    ("nats", {"nats": PLAIN}, Result.WARN, "encrypt"),
    ("database-credentials", {"database": OPEN}, Result.WARN, "role"),
    ("database-credentials", {"database": PLAIN}, Result.WARN, "sslmode"),
    ("tls", {"on_loopback": False}, Result.FAIL, "AINP_TLS_CERT"),
    ("admin", {"on_loopback": False}, Result.WARN, "METRICS_TOKEN"),
    ("deposits", {"dev_deposits": True}, Result.WARN, "development"),
]


@pytest.mark.parametrize(("name", "change", "result", "fix"), WRONG, ids=lambda value: str(value)[:40])
def test_what_is_set_wrongly_is_told_with_its_fix(
    name: str, change: dict[str, object], result: Result, fix: str
) -> None:
    found = line(name, replace(C, **change))  # type: ignore[arg-type]

    assert (found.result, fix in found.fix) == (result, True), found


def test_a_database_that_is_away_is_told_once() -> None:
    away = Stored(problem="Connection refused")

    assert line("database", s=away).result is Result.FAIL
    assert {line(name, s=away).result for name in ("migrations-ready", "migrations", "clock")} == {Result.SKIP}


@pytest.mark.parametrize(
    ("state", "fix"),
    [("pending", "ainp migrate up"), ("rolled_back", "ainp migrate up"), ("edited", "restore the file")],
)
def test_a_migration_that_is_not_as_it_should_be_is_named(state: str, fix: str) -> None:
    behind = replace(S, migrations=(*S.migrations[1:], Migrated(17, "017_receipts", state, ("table task_receipts",))))

    found = line("migrations", s=behind)

    assert found.result is Result.FAIL
    assert "017_receipts" in found.why
    assert "table task_receipts missing" in found.why
    assert fix in found.fix


def test_files_of_the_missions_migrations_have_to_be_there() -> None:
    assert "no files of 017" in line("migrations-ready", s=replace(S, migrations=S.migrations[1:])).why


@pytest.mark.parametrize(("ahead", "result"), [(0.2, Result.PASS), (-31, Result.FAIL), (31, Result.FAIL)])
def test_clocks_that_differ_make_signatures_void(ahead: float, result: Result) -> None:
    assert line("clock", s=replace(S, ahead_s=ahead)).result is result


def test_an_old_postgresql_is_not_enough() -> None:
    assert line("database", s=replace(S, version=14)).result is Result.FAIL


@pytest.mark.parametrize(("days", "result"), [(-1, Result.FAIL), (3, Result.WARN), (60, Result.SKIP)])
def test_a_password_of_the_database_that_ends_is_told(days: int, result: Result) -> None:
    assert line("rotation", s=replace(S, valid_until=NOW + timedelta(days=days))).result is result


@pytest.mark.parametrize(
    ("name", "tried", "status"),
    [("authentication", UNSIGNED, 201), ("deposits", DEPOSIT, 200), ("admin", NO_TOKEN, 200)],
)
def test_what_is_answered_without_a_right_to_it_is_wrong(name: str, tried: str, status: int) -> None:
    assert line(name, a=replace(A, refused={**A.refused, tried: status})).result is Result.FAIL


def test_a_socket_that_opens_without_a_proof_is_wrong_in_strict_mode() -> None:
    opened = replace(A, refused={**A.refused, UNPROVEN: 0})

    assert line("websockets", STRICT, a=opened).result is Result.FAIL
    assert line("websockets", a=opened).result is Result.SKIP
    assert line("websockets", STRICT, a=Answered(problem="no answer")).result is Result.SKIP
