"""The alert rules are the table, and each fires when it should and not when it should not, as Prometheus has it."""

import json
import re
from pathlib import Path
from typing import NamedTuple

import pytest

from ainp.core.alerts import ALERTS, Alert
from ainp.telemetry.metrics import TABLE
from support.alerts import DOCUMENT, annotations, document
from support.prometheus import promtool

AT = "2h30m"  # later than every `for` and every range
MINUTES = "0+60x180"  # a clock that goes
TABLED = {
    f"{metric.name}{suffix}": metric
    for metric in TABLE
    for suffix in ("", "_bucket", "_sum", "_count")
    if (suffix == "") != bool(metric.buckets)
}


class Case(NamedTuple):
    """Series that fire an alert, series that don't, and the labels it fires with."""

    wrong: dict[str, str]
    right: dict[str, str]
    labels: dict[str, str]


def gauge(name: str, wrong: str, right: str) -> Case:
    return Case({f"{name}{{instance='a'}}": f"{wrong}x180"}, {f"{name}{{instance='a'}}": f"{right}x180"}, {})


def silent(job: str) -> Case:
    success = f"ainp_job_last_success_timestamp_seconds{{instance='a',name='{job}'}}"
    interval = {f"ainp_job_interval_seconds{{instance='b',name='{job}'}}": "300x180"}
    return Case({success: "60x180", **interval}, {success: MINUTES, **interval}, {"name": job})


def requests(failed: str) -> dict[str, str]:
    answered = "ainp_http_requests_total{{method='GET',route='/health',status='{}'}}"
    return {answered.format("200"): "0+100x180", answered.format("503"): f"0+{failed}x180"}


def decided(failed: str) -> dict[str, str]:
    lost = "ainp_receipts_failed_total{reason='no_verdict'}"
    return {"ainp_receipts_finalized_total": "0+10x180", lost: f"0+{failed}x180"}


def answers_within_a_second(share: str) -> dict[str, str]:
    bucket = "ainp_http_request_duration_seconds_bucket{{route='/health',le='{}'}}"
    return {
        bucket.format("1"): f"0+{share}x180",
        bucket.format("10"): "0+100x180",
        bucket.format("+Inf"): "0+100x180",
    }


def searched_within_half_a_second(share: str) -> dict[str, str]:
    bucket = "ainp_http_request_duration_seconds_bucket{{route='/api/discovery/search',le='{}'}}"
    within = {"0.5": share, "1": share, "10": "100", "+Inf": "100"}
    return {bucket.format(le): f"0+{count}x180" for le, count in within.items()}


_RUNS = "ainp_job_runs_total{name='measurements',outcome='failed'}"
_BUGS = "ainp_refusals_total{code='INTERNAL_ERROR'}"
_STARTED = "ainp_process_start_time_seconds{process='serve-1'}"
CASES: dict[str, Case] = {
    "AinpDown": Case(
        {"up{job='ainp',instance='a'}": "0x180"},
        {"up{job='ainp',instance='a'}": "1x180", "up{job='other',instance='b'}": "0x180"},
        {"job": "ainp", "instance": "a"},
    ),
    "AinpDatabaseDown": gauge("ainp_database_up", "0", "1"),
    "AinpMigrationsMissing": gauge("ainp_migrations_missing", "5", "0"),
    "AinpReceiptsStuck": gauge("ainp_receipts_stuck", "3", "0"),
    "AinpReceiptsOverdue": gauge("ainp_receipts_overdue", "1", "0"),
    "AinpCommitteeEmpty": gauge("ainp_receipts_without_committee", "1", "0"),
    "AinpReputationMissing": gauge("ainp_receipts_without_reputation", "1", "0"),
    "AinpFinalizerSilent": silent("pou-finalizer"),
    "AinpAggregatorSilent": silent("usefulness-aggregation"),
    "AinpJobFailing": Case({_RUNS: "0+1x180"}, {_RUNS: "7x180"}, {"name": "measurements"}),
    "AinpFinalizationLow": Case(decided("2"), decided("1"), {}),
    "AinpLedgerUnbalanced": gauge("ainp_ledger_sum_atomic_units", "-5", "0"),
    "AinpMeasurementsOld": Case(
        {"ainp_measured_timestamp_seconds": "60x180"}, {"ainp_measured_timestamp_seconds": MINUTES}, {}
    ),
    "AinpEventsWaiting": gauge("ainp_outbox_oldest_age_seconds", "31", "29"),
    "AinpBusBehind": gauge("ainp_bus_behind_seconds", "61", "2"),
    "AinpRedisAway": gauge("ainp_rate_limits_degraded", "1", "0"),
    "AinpPoolExhausted": gauge("ainp_database_pool_waiting", "4", "0"),
    "AinpErrors": Case(requests("6"), requests("5"), {}),
    "AinpInternalErrors": Case({_BUGS: "0+1x180"}, {_BUGS: "3x180"}, {}),
    "AinpSlow": Case(answers_within_a_second("94"), answers_within_a_second("96"), {}),
    "AinpSearchSlow": Case(searched_within_half_a_second("94"), searched_within_half_a_second("96"), {}),
    "AinpRateLimited": gauge("ainp_rate_limited_total", "0+11", "0+9"),
    "AinpRestarting": Case({_STARTED: "0+60x180"}, {_STARTED: "60x180"}, {"process": "serve-1"}),
}


def test_the_rules_are_what_the_table_says() -> None:
    assert DOCUMENT.read_text() == document(), "run `make docs`"


def test_every_alert_has_a_case() -> None:
    assert list(CASES) == [alert.name for alert in ALERTS]


@pytest.mark.parametrize("alert", [pytest.param(alert, id=alert.name) for alert in ALERTS])
def test_an_alert_watches_metrics_and_labels_that_there_are(alert: Alert) -> None:
    found = re.findall(r"(ainp_\w+)(?:{([^}]*)})?", alert.watches)

    assert found or "up{" in alert.watches
    for name, conditions in found:
        for label, value in re.findall(r'(\w+)=~?"([^"]*)"', conditions):
            assert value in (TABLED[name].labels[label] or value)
        assert name in TABLED


def test_prometheus_takes_the_rules_and_the_configuration() -> None:
    folder = DOCUMENT.parent

    assert f"{len(ALERTS)} rules found" in promtool("check", "rules", folder / "alerts.yml")
    assert "SUCCESS" in promtool("check", "config", "--syntax-only", folder / "prometheus.yml")


def test_each_fires_when_it_should_and_not_when_it_should_not(tmp_path: Path) -> None:
    tests = [a_test(wrong=wrong) for wrong in (True, False)]
    written = tmp_path / "test.yml"
    written.write_text(json.dumps({"rule_files": [str(DOCUMENT)], "evaluation_interval": "1m", "tests": tests}))

    promtool("test", "rules", written)


def a_test(*, wrong: bool) -> dict[str, object]:
    """All at once, as each watches metrics of its own and a world for each takes a while."""
    series = {name: values for case in CASES.values() for name, values in (case.wrong if wrong else case.right).items()}
    return {
        "name": "wrong" if wrong else "right",
        "interval": "1m",
        "input_series": [{"series": name.replace("'", '"'), "values": values} for name, values in series.items()],
        "alert_rule_test": [expected(alert, wrong=wrong) for alert in ALERTS],
    }


def expected(alert: Alert, *, wrong: bool) -> dict[str, object]:
    labels = {"severity": alert.severity, **CASES[alert.name].labels}
    fired = {"exp_labels": labels, "exp_annotations": annotations(alert)}
    return {"eval_time": AT, "alertname": alert.name, "exp_alerts": [fired] if wrong else []}
