"""The page of metrics is the table, and its questions are about metrics and labels that there are."""

import re

import pytest

from ainp.core.attestation import VERDICTS
from ainp.core.negotiation import NegotiationState
from ainp.core.receipt import Failure
from ainp.core.reputation import SHOWN
from ainp.telemetry.counting import Kind, Metric
from ainp.telemetry.metrics import ATTESTATIONS, NEGOTIATIONS, RECEIPTS_FAILED, REPUTATION, TABLE
from support.metrics import DOCUMENT, document

NAMES = {metric.name: metric for metric in TABLE}
QUERIES = [
    line for block in re.findall(r"```promql\n(.*?)```", document(), re.DOTALL) for line in block.splitlines() if line
]
_PART = re.compile(r"(ainp_\w+)(?:{([^}]*)})?")


def test_the_page_is_what_the_table_says() -> None:
    assert DOCUMENT.read_text() == document(), "run `make docs`"


@pytest.mark.parametrize("query", QUERIES)
def test_a_question_names_metrics_and_labels_that_there_are(query: str) -> None:
    asked = _PART.findall(query)
    metrics = [NAMES[re.sub(r"_(bucket|sum|count)$", "", name)] for name, _ in asked]

    assert metrics
    for metric, (name, conditions) in zip(metrics, asked, strict=True):
        assert (name == metric.name) != (metric.kind is Kind.HISTOGRAM)
        for label, value in re.findall(r'(\w+)=~?"([^"]*)"', conditions):
            assert value in (metric.labels[label] or value)
        for grouped in re.findall(r"by \(([^)]*)\)", query):
            assert set(grouped.split(", ")) - {"le"} <= set(metric.labels)


@pytest.mark.parametrize("metric", [pytest.param(metric, id=metric.name) for metric in TABLE])
def test_a_metric_is_named_as_prometheus_names_them(metric: Metric) -> None:
    assert re.fullmatch(r"ainp(_[a-z]+)+", metric.name)
    assert metric.name.endswith("_total") == (metric.kind is Kind.COUNTER)
    assert bool(metric.buckets) == (metric.kind is Kind.HISTOGRAM)
    assert list(metric.buckets) == sorted(set(metric.buckets))
    assert not {"le", "job", "instance"} & set(metric.labels)
    if metric.unit in ("seconds", "bytes", "rows"):
        assert metric.name.removesuffix("_total").endswith(metric.unit)


def test_labels_are_the_protocol_s_words() -> None:
    assert set(NEGOTIATIONS.labels["event"]) >= {*NegotiationState} - {"counter_proposed"}
    assert set(REPUTATION.labels["dimension"]) == {dimension.name.lower() for dimension in SHOWN}
    assert set(ATTESTATIONS.labels["type"]) == {*map(str.lower, VERDICTS), "remark"}
    assert set(RECEIPTS_FAILED.labels["reason"]) == set(Failure)


def test_names_stand_once() -> None:
    assert len(NAMES) == len(TABLE)
