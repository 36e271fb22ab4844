"""The alerts: one table, by which rules are made and the doctor looks."""

import re

import pytest

from ainp.core.alerts import ALERTS, Alert, Comparison, Severity, firing


def test_each_has_a_name_of_its_own_and_says_what_to_do() -> None:
    names = [alert.name for alert in ALERTS]

    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"Ainp[A-Z][A-Za-z]+", name) for name in names)
    assert all(alert.means and alert.fix and alert.for_s >= 0 for alert in ALERTS)


def test_each_fact_is_watched_once() -> None:
    facts = [alert.fact for alert in ALERTS if alert.fact]

    assert len(set(facts)) == len(facts)


@pytest.mark.parametrize(
    "named",
    [
        "AinpMigrationsMissing",
        "AinpReceiptsStuck",
        "AinpCommitteeEmpty",
        "AinpReputationMissing",
        "AinpFinalizerSilent",
        "AinpAggregatorSilent",
    ],
)
def test_what_the_checklist_names_is_there_and_the_database_can_tell(named: str) -> None:
    [alert] = [one for one in ALERTS if one.name == named]

    assert alert.mission
    assert alert.fact


@pytest.mark.parametrize(
    ("comparison", "fires"),
    [
        (Comparison.ABOVE, [False, False, True]),
        (Comparison.BELOW, [True, False, False]),
        (Comparison.NOT, [True, False, True]),
    ],
)
def test_a_number_fires_as_the_expression_says(comparison: Comparison, fires: list[bool]) -> None:
    alert = Alert(
        name="A",
        severity=Severity.WARNING,
        watches="some_metric",
        comparison=comparison,
        threshold=2.5,
        for_s=60,
        means="m",
        fix="f",
    )

    assert [alert.fires(number) for number in (2, 2.5, 3)] == fires
    assert alert.expression == f"some_metric {comparison} 2.5"


def test_what_is_not_known_fires_nothing() -> None:
    assert firing({}) == []
    assert firing({"ledger_sum": 0, "receipts_stuck": 0, "finalized_share": 1}) == []


def test_what_is_wrong_fires_in_the_tables_order() -> None:
    found = firing({"ledger_sum": -1, "finalizer_intervals": 2.1, "receipts_stuck": 1, "finalized_share": 0.5})

    assert [alert.name for alert in found] == [
        "AinpReceiptsStuck",
        "AinpFinalizerSilent",
        "AinpFinalizationLow",
        "AinpLedgerUnbalanced",
    ]
