"""What runs: silence, failures and numbers that do not fit are told with what to do about them."""

from dataclasses import replace

import pytest

from ainp.core.alerts import ALERTS
from ainp.core.checkup import Answered, Configured, Line, Migrated, Ran, Result, Stored, Traffic
from ainp.core.checkup_running import AGGREGATOR, FINALIZER, after, alerts, monitoring

C = Configured()
OTHER = "ledger-roll-up"
RAN = (Ran(FINALIZER, 20), Ran(AGGREGATOR, 1200), Ran(OTHER, 3))
BUSY = Traffic(
    settled=4, with_receipt=4, opened=4, counting=3, observed=3, attested=20, finalized=4, needed=12, passed=16,
    due=10, in_time=9, agents=2,
)  # fmt: skip
QUIET = {"receipts_stuck": 0.0, "ledger_sum": 0.0, "events_waiting_s": 0.1, "jobs_failed": 0.0}
S = Stored(version=16, jobs=RAN, traffic=BUSY, standing=QUIET)
A = Answered(url="http://127.0.0.1:8080", status=200, version="1", uptime_s=9000, ready=True)
AWAY = Answered(problem="Connection refused")


def lines(c: Configured = C, s: Stored = S, a: Answered = A) -> dict[str, Line]:
    found = [*after(c, s, a, version="1"), *monitoring(c, s, a), *alerts(c, s, a)]
    assert len({one.name for one in found}) == len(found)
    return {one.name: one for one in found}


def test_a_broker_that_works_has_nothing_to_fix() -> None:
    assert [one for one in lines().values() if one.fix] == []


def test_a_broker_that_does_not_answer_is_told_and_woken_for() -> None:
    found = lines(a=AWAY)

    assert found["health"].result is Result.FAIL
    assert "ainp serve" in found["health"].fix
    assert found["ready"].result is Result.SKIP
    assert found["AinpDown"].result is Result.FAIL


def test_an_unwell_broker_is_told() -> None:
    found = lines(a=replace(A, status=503, unwell="the database is away", ready=False, missing=("017 (pending)",)))

    assert "503 the database is away" in found["health"].why
    assert "017 (pending)" in found["ready"].why


def test_tables_that_can_t_be_read_are_told_once() -> None:
    found = lines(s=replace(S, unreadable="permission denied for table job_runs", jobs=(), traffic=None, standing={}))

    assert {name for name, one in found.items() if one.result is Result.FAIL} == {"receipts"}
    assert found["receipts"].why == "permission denied for table job_runs"
    assert "DATABASE_URL" in found["receipts"].fix


def test_a_redis_that_is_away_is_a_warning_as_nothing_stops() -> None:
    found = lines(a=replace(A, checks={"redis": "away: limits are counted on this node alone"}))["ready"]

    assert (found.result, "redis: away" in found.why) == (Result.WARN, True)


@pytest.mark.parametrize(("job", "name"), [(FINALIZER, "finalizer"), (AGGREGATOR, "aggregator")])
@pytest.mark.parametrize(
    ("run", "why"),
    [
        (None, "last run never"),
        (Ran("", 9000), "last run 9000 s ago"),
        (Ran("", 5, "boom"), "its last run failed: boom"),
    ],
    ids=["never", "silent", "failing"],
)
def test_a_job_that_does_not_run_is_told(job: str, name: str, run: Ran | None, why: str) -> None:
    others = [replace(one, age_s=20) for one in RAN if one.job != job]
    ran = others if run is None else [*others, replace(run, job=job)]

    found = lines(s=replace(S, jobs=tuple(ran)))

    assert found[name].result is Result.FAIL
    assert why in found[name].why
    assert "ainp work" in found[name].fix
    if run is None or run.error is None:
        assert f"Ainp{name.capitalize()}Silent" in {one.name for one in found.values() if one.fix}
    assert found["cron"].result is Result.FAIL


def test_before_its_first_time_a_job_is_scheduled_if_others_run() -> None:
    fresh = replace(A, uptime_s=30)

    assert lines(s=replace(S, jobs=(Ran(OTHER, 3),)), a=fresh)["aggregator"].result is Result.PASS
    assert lines(s=replace(S, jobs=()), a=fresh)["aggregator"].result is Result.FAIL
    assert lines(s=replace(S, jobs=()), a=replace(A, uptime_s=3))["aggregator"].result is Result.WARN


def test_after_a_night_without_a_broker_nobody_is_woken_at_once() -> None:
    yesterday = tuple(replace(run, age_s=50_000) for run in RAN)
    found = lines(s=replace(S, jobs=yesterday), a=replace(A, uptime_s=5))

    assert found["finalizer"].result is Result.WARN
    assert [one.name for one in found.values() if one.result is Result.FAIL] == []


def test_a_job_that_is_switched_off_is_told_and_wakes_nobody() -> None:
    found = lines(replace(C, finalizer=False))

    assert found["finalizer"].result is Result.FAIL
    assert found["AinpFinalizerSilent"].result is Result.SKIP


@pytest.mark.parametrize(
    ("name", "change", "result"),
    [
        ("receipts", {"with_receipt": 3}, Result.FAIL),
        ("attestations", {"passed": 11}, Result.FAIL),
        ("finalization", {"in_time": 8}, Result.WARN),
        ("finalization", {"due": 0}, Result.SKIP),
        ("reputation", {"observed": 2}, Result.FAIL),
    ],
)
def test_numbers_that_do_not_fit_are_told(name: str, change: dict[str, int], result: Result) -> None:
    assert lines(s=replace(S, traffic=replace(BUSY, **change)))[name].result is result


def test_reputation_is_counted_by_observations_and_not_by_agents() -> None:
    one_agent = replace(BUSY, agents=1)

    assert lines(s=replace(S, traffic=one_agent))["reputation"].result is Result.PASS


def test_while_migrations_are_missing_numbers_are_not_known() -> None:
    behind = Stored(version=16, migrations=(Migrated(17, "017_x", "rolled_back"),))

    found = lines(s=behind)

    assert {found[name].result for name in ("receipts", "cron", "finalizer", "events")} == {Result.SKIP}
    assert found["AinpMigrationsMissing"].result is Result.FAIL


@pytest.mark.parametrize(
    ("fact", "number", "alert", "result"),
    [
        ("ledger_sum", -1.0, "AinpLedgerUnbalanced", Result.FAIL),
        ("receipts_stuck", 2.0, "AinpReceiptsStuck", Result.WARN),
        ("receipts_without_committee", 1.0, "AinpCommitteeEmpty", Result.WARN),
        ("receipts_without_reputation", 1.0, "AinpReputationMissing", Result.FAIL),
        ("finalized_share", 0.5, "AinpFinalizationLow", Result.WARN),
        ("events_waiting_s", 31.0, "AinpEventsWaiting", Result.FAIL),
    ],
)
def test_an_alert_that_would_fire_is_told_by_its_severity(fact: str, number: float, alert: str, result: Result) -> None:
    found = lines(s=replace(S, standing={**QUIET, fact: number}))

    assert found[alert].result is result
    assert found[alert].fix == next(one.fix for one in ALERTS if one.name == alert)


def test_what_nobody_has_measured_is_not_known() -> None:
    found = lines()

    assert "Prometheus" in found["AinpErrors"].why
    assert "nothing to measure" in found["AinpFinalizationLow"].why
    assert lines(a=replace(A, metrics={"pool_waiting": 3.0}))["AinpPoolExhausted"].result is Result.FAIL
