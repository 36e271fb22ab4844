"""Writes deploy/grafana/ainp.json, the dashboard, from the panels below. Run by `make docs`."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ainp.core.alerts import ALERTS

DOCUMENT = Path(__file__).parent.parent.parent / "deploy" / "grafana" / "ainp.json"
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
_WIDE, _PER_ROW, _HIGH, _LOW = 24, 3, 8, 4


@dataclass(frozen=True)
class Panel:
    """One picture: *questions* are PromQL, each with how its lines are called; *limit* is where it turns red."""

    title: str
    questions: tuple[tuple[str, str], ...]
    unit: str = "short"
    says: str = ""
    limit: float | None = None


_WATCHED = {alert.name: alert.watches for alert in ALERTS}
_SINCE_SUCCESS = re.sub(r'{name="[^"]*"}', "", _WATCHED["AinpFinalizerSilent"])  # of every job


def _quantile(quantile: float, metric: str, by: str = "") -> str:
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({quantile}, sum by ({labels}) (rate({metric}_bucket[$__rate_interval])))"


def _rate(metric: str, by: str = "", of: str = "") -> str:
    grouped = f" by ({by})" if by else ""
    return f"sum{grouped} (rate({metric}{of}[$__rate_interval]))"


NOW = (
    Panel("Brokers that answer", (('sum(up{job="ainp"})', ""),), says="`up` of the job `ainp`, workers among them"),
    Panel("Migrations missing", (("max(ainp_migrations_missing)", ""),), limit=1),
    Panel("Ledger sum", (("max(abs(ainp_ledger_sum_atomic_units))", ""),), limit=1, says="Anything but 0: `ainp fsck`"),
    Panel("Receipts stuck", (("max(ainp_receipts_stuck)", ""),), limit=1, says="`ainp receipts stuck` says why"),
    Panel("Without a committee", (("max(ainp_receipts_without_committee)", ""),), limit=1),
    Panel("Events waiting", (("max(ainp_outbox_oldest_age_seconds)", ""),), "s", limit=30),
)
ROWS: dict[str, tuple[Panel, ...]] = {
    "Receipts": (
        Panel(
            "Settled, created, finalized, failed an hour",
            (
                ('sum(increase(ainp_negotiation_events_total{event="settled"}[1h]))', "settled"),
                ("sum(increase(ainp_receipts_created_total[1h]))", "created"),
                ("sum(increase(ainp_receipts_finalized_total[1h]))", "finalized"),
                ("sum by (reason) (increase(ainp_receipts_failed_total[1h]))", "failed: {{reason}}"),
            ),
            says="Created follows settled; finalized follows created within minutes",
        ),
        Panel(
            "Finalized, of what was decided",
            ((_WATCHED["AinpFinalizationLow"], "share"),),
            "percentunit",
        ),
        Panel(
            "From settling to the decision",
            tuple((_quantile(q, "ainp_finalization_latency_seconds"), f"{q:.0%}") for q in (0.5, 0.9, 0.99)),
            "s",
        ),
        Panel(
            "Attestations an hour",
            (("sum by (type) (increase(ainp_attestations_submitted_total[1h]))", "{{type}}"),),
            says="At least k for each receipt",
        ),
        Panel(
            "Reputation updates an hour",
            (("sum by (dimension) (increase(ainp_reputation_updates_total[1h]))", "{{dimension}}"),),
        ),
        Panel(
            "Receipts that are not decided",
            (
                ("max(ainp_receipts_pending)", "pending"),
                ("max(ainp_receipts_stuck)", "for more than an hour"),
                ("max(ainp_receipts_overdue)", "overdue"),
                ("max(ainp_receipts_without_reputation)", "without a reputation"),
            ),
        ),
        Panel(
            "Committees an hour",
            (("sum by (committee) (increase(ainp_receipts_created_total[1h]))", "{{committee}}"),),
            says="`short` has fewer than m members, `none` fewer than k were eligible",
        ),
        Panel(
            "Extended, seated later, postponed an hour",
            (
                ("sum(increase(ainp_receipts_extended_total[1h]))", "extended"),
                ("sum(increase(ainp_receipts_seated_total[1h]))", "seated later"),
                ("sum(increase(ainp_receipts_postponed_total[1h]))", "postponed"),
            ),
        ),
        Panel(
            "Money",
            (
                ("sum(increase(ainp_settled_atomic_units_total[1h])) / 1000", "settled, credits an hour"),
                ("max(ainp_staked_atomic_units) / 1000", "staked, credits"),
                ("sum(increase(ainp_usefulness_rewards_total[1h])) / 1000", "rewards, credits an hour"),
            ),
        ),
    ),
    "Jobs": (
        Panel(
            "Since the last success, in intervals",
            ((_SINCE_SUCCESS, "{{name}}"),),
            limit=2,
        ),
        Panel(
            "Failed runs an hour",
            (('sum by (name) (increase(ainp_job_runs_total{outcome="failed"}[1h]))', "{{name}}"),),
        ),
        Panel("How long runs take", ((_quantile(0.9, "ainp_job_duration_seconds", "name"), "{{name}}"),), "s"),
    ),
    "Requests": (
        Panel("Requests a second", ((_rate("ainp_http_requests_total", "status"), "{{status}}"),), "reqps"),
        Panel(
            "Failed by us",
            (
                (
                    _rate("ainp_http_requests_total", of='{status=~"5.."}') + " / " + _rate("ainp_http_requests_total"),
                    "5xx",
                ),
            ),
            "percentunit",
            limit=0.05,
        ),
        Panel(
            "How long answers take",
            tuple((_quantile(q, "ainp_http_request_duration_seconds"), f"{q:.0%}") for q in (0.5, 0.95, 0.99)),
            "s",
            limit=1,
        ),
        Panel("Refusals a second", ((_rate("ainp_refusals_total", "code"), "{{code}}"),)),
        Panel("Over a rate limit a second", ((_rate("ainp_rate_limited_total", "group, by"), "{{group}}, {{by}}"),)),
        Panel("WebSockets", (("sum by (instance) (ainp_websocket_connections)", "{{instance}}"),)),
    ),
    "Below": (
        Panel(
            "PostgreSQL connections",
            (
                ("sum by (instance) (ainp_database_pool_in_use)", "{{instance}}: lent"),
                ("sum by (instance) (ainp_database_pool_waiting)", "{{instance}}: who waits"),
            ),
        ),
        Panel(
            "Events",
            (
                (_rate("ainp_events_published_total"), "published a second"),
                (_rate("ainp_bus_handed_on_total"), "handed on to NATS a second"),
                ("max(ainp_outbox_rows)", "waiting"),
            ),
        ),
        Panel(
            "Away or behind",
            (
                ("1 - min(ainp_database_up)", "PostgreSQL"),
                ("max(ainp_rate_limits_degraded)", "Redis"),
                ("max(ainp_bus_degraded)", "NATS"),
                ("max(ainp_bus_behind_seconds)", "NATS, seconds behind"),
            ),
        ),
        Panel(
            "Memory",
            (("ainp_process_resident_memory_bytes", "{{instance}} {{process}}"),),
            "bytes",
        ),
        Panel("Cores", ((_rate("ainp_process_cpu_seconds_total", "instance, process"), "{{instance}} {{process}}"),)),
        Panel("Uptime", (("time() - ainp_process_start_time_seconds", "{{instance}} {{process}}"),), "s"),
    ),
}


def questions() -> Iterator[str]:
    """Every PromQL expression on the dashboard."""
    for panel in (*NOW, *(panel for row in ROWS.values() for panel in row)):
        yield from (expression for expression, _ in panel.questions)


def document() -> str:
    """The whole file, as Grafana exports one."""
    return json.dumps(_dashboard(), indent=2) + "\n"


def _dashboard() -> dict[str, Any]:
    return {
        "uid": "ainp-broker",
        "title": "AINP broker",
        "description": "Generated from tests/support/dashboard.py by `make docs`.",
        "tags": ["ainp"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "utc",
        "templating": {
            "list": [{"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Source"}]
        },
        "panels": list(_placed()),
    }


def _placed() -> Iterator[dict[str, Any]]:
    number, top, width = 1, _LOW, _WIDE // len(NOW)
    for at, panel in enumerate(NOW):
        yield _drawn(panel, number, "stat", {"x": at * width, "y": 0, "w": width, "h": _LOW})
        number += 1
    width = _WIDE // _PER_ROW
    for title, panels in ROWS.items():
        place = {"x": 0, "y": top, "w": _WIDE, "h": 1}
        yield {"id": number, "type": "row", "title": title, "collapsed": False, "gridPos": place, "panels": []}
        number, top = number + 1, top + 1
        for at, panel in enumerate(panels):
            place = {"x": at % _PER_ROW * width, "y": top + at // _PER_ROW * _HIGH, "w": width, "h": _HIGH}
            yield _drawn(panel, number, "timeseries", place)
            number += 1
        top += -(-len(panels) // _PER_ROW) * _HIGH


def _drawn(panel: Panel, number: int, kind: str, place: dict[str, int]) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    if panel.limit is not None:
        steps.append({"color": "red", "value": panel.limit})
    return {
        "id": number,
        "type": kind,
        "title": panel.title,
        "description": panel.says,
        "datasource": _SOURCE,
        "gridPos": place,
        "fieldConfig": {
            "defaults": {"unit": panel.unit, "min": 0, "thresholds": {"mode": "absolute", "steps": steps}},
            "overrides": [],
        },
        "targets": [
            {"refId": chr(ord("A") + at), "datasource": _SOURCE, "expr": expression, "legendFormat": legend}
            for at, (expression, legend) in enumerate(panel.questions)
        ],
    }


if __name__ == "__main__":
    DOCUMENT.write_text(document())
