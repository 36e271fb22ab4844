"""The dashboard is what its panels say, asks for metrics that there are, and fits on a screen."""

import json
import re
from itertools import combinations
from pathlib import Path

import pytest

from ainp.telemetry.metrics import TABLE
from support.dashboard import DOCUMENT, document, questions
from support.prometheus import promtool

TABLED = {
    f"{metric.name}{suffix}": metric
    for metric in TABLE
    for suffix in ("", "_bucket", "_sum", "_count")
    if (suffix == "") != bool(metric.buckets)
}
_LEGENDS = {"job", "instance", "le"}  # which Prometheus adds


def test_the_dashboard_is_what_its_panels_say() -> None:
    assert DOCUMENT.read_text() == document(), "run `make docs`"


@pytest.mark.parametrize("question", list(questions()))
def test_a_panel_asks_for_metrics_and_labels_that_there_are(question: str) -> None:
    found = re.findall(r"(ainp_\w+)(?:{([^}]*)})?", question)
    labels = {label for name, _ in found for label in TABLED[name].labels} | _LEGENDS

    assert found or "up{" in question
    for name, conditions in found:
        for label, value in re.findall(r'(\w+)=~?"([^"]*)"', conditions):
            assert value in (TABLED[name].labels[label] or value)
    for grouped in re.findall(r"by \(([^)]*)\)", question):
        assert set(grouped.split(", ")) <= labels


def test_legends_name_labels_that_their_questions_keep() -> None:
    for panel in json.loads(document())["panels"]:
        for target in panel.get("targets", ()):
            for label in re.findall(r"{{(\w+)}}", target["legendFormat"]):
                grouped = re.findall(r"by \(([^)]*)\)", target["expr"])
                [bare] = re.findall(r"ainp_\w+", target["expr"])[:1]
                assert label in grouped[0].split(", ") if grouped else label in {*TABLED[bare].labels, *_LEGENDS}


def test_panels_lie_beside_each_other() -> None:
    placed = json.loads(document())["panels"]
    places = [panel["gridPos"] for panel in placed]

    assert len({panel["id"] for panel in placed}) == len(placed)
    assert all(place["x"] + place["w"] <= 24 for place in places)
    for one, other in combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        assert beside or one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]


def test_prometheus_reads_every_question(tmp_path: Path) -> None:
    rules = [
        {"record": f"dashboard:q{number}", "expr": question.replace("$__rate_interval", "5m")}
        for number, question in enumerate(questions())
    ]
    written = tmp_path / "rules.yml"
    written.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))

    assert f"{len(rules)} rules found" in promtool("check", "rules", written)
