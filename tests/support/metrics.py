"""Writes docs/metrics.md from the table of metrics, so that it names what there is. Run by `make docs`."""

from collections.abc import Iterator
from pathlib import Path

from ainp.telemetry.counting import Kind, Metric
from ainp.telemetry.metrics import TABLE

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "metrics.md"

_HEAD = """\
<!-- Generated from src/ainp/telemetry/metrics.py by `make docs`; a test keeps it so. -->

# Metrics

`GET /metrics` is for Prometheus, in its text format or as OpenMetrics. Names and labels are API: they change as routes
do. No label is a path, a DID or an id, so their number does not grow with use.

- **Who may ask**: in compat mode whoever may send requests, so on loopback this machine. With `METRICS_TOKEN` that
  token is asked for (`authorization: {credentials: …}` in a `scrape_config`), and nothing else: a scrape need not come
  through the proxy.
- **Several processes**: whichever process of `ainp serve --workers N` answers, it shows the sum over all of them, the
  one for the jobs included. What a process that dies has counted is not lost, and who is started again counts on. What
  processes hold and use is at most five seconds old.
- **`ainp work`** that runs apart shows what it counts on `METRICS_PORT` of `HOST`, with the health routes; unset, it
  does not listen. Scrape it as an instance of its own: finalizations, judgements and runs of jobs are counted where
  they happen.
- **From the database**, so the same whoever is asked, is what is marked *read* below. Take `max` over instances, not
  `sum`. What waits to be published is asked at each scrape. What takes as long as the tables are large is measured by
  the job `measurements`, each minute on one node; `ainp_measured_timestamp_seconds` says when. Without a database these
  are missing, and `ainp_database_up` is 0.
- Counters begin at 0 when a broker starts. Those whose labels are known are there from the start, so that the first
  rise is seen.

"""

_EXAMPLES = """\
## Questions

Requests a second, the part that failed, and the 99th percentile by route:

```promql
sum(rate(ainp_http_requests_total[5m]))
sum(rate(ainp_http_requests_total{status=~"5.."}[5m])) / sum(rate(ainp_http_requests_total[5m]))
histogram_quantile(0.99, sum by (le, route) (rate(ainp_http_request_duration_seconds_bucket[5m])))
```

How long receipts wait for their decision, how many fail, and why:

```promql
histogram_quantile(0.5, sum by (le) (rate(ainp_finalization_latency_seconds_bucket[1h])))
sum by (reason) (increase(ainp_receipts_failed_total[1d]))
max(ainp_receipts_pending)
```

What deserves an alert is in [deploy/prometheus/alerts.yml](../deploy/prometheus/alerts.yml), and on a
[dashboard](../deploy/grafana/ainp.json). Some of it: money that does not add up, a measurement or a finalizer that has
stopped, events that nobody publishes, committees that can't be seated, a pool that is too small, bugs, no database, no
Redis, and who is refused for coming too often:

```promql
max(ainp_ledger_sum_atomic_units) != 0
time() - max(ainp_measured_timestamp_seconds) > 300
time() - max(ainp_job_last_success_timestamp_seconds{name="pou-finalizer"}) > 300
max(ainp_outbox_oldest_age_seconds) > 10
sum(rate(ainp_receipts_created_total{committee="none"}[1h])) > 0
avg_over_time(ainp_database_pool_waiting[5m]) > 1
sum(increase(ainp_refusals_total{code="INTERNAL_ERROR"}[1h])) > 0
min(ainp_database_up) == 0
max(ainp_rate_limits_degraded) > 0
sum by (group, by) (rate(ainp_rate_limited_total[5m])) > 1
```

Cores that the broker's processes use, and how long each has been up:

```promql
sum by (process) (rate(ainp_process_cpu_seconds_total[5m]))
time() - ainp_process_start_time_seconds
```
"""


def document() -> str:
    """Tell which metrics there are, and what they mean."""
    rows = "\n".join(_row(metric) for metric in TABLE)
    heading = "| metric | type | labels | unit | meaning |\n|---|---|---|---|---|\n"
    buckets = "\n".join(_buckets())
    return f"{_HEAD}## Table\n\n{heading}{rows}\n\nBuckets:\n\n{buckets}\n\n{_EXAMPLES}"


def _row(metric: Metric) -> str:
    kind = f"{metric.kind}, read" if metric.read else metric.kind
    labels = "; ".join(_label(name, values) for name, values in metric.labels.items())
    return f"| `{metric.name}` | {kind} | {labels} | {metric.unit} | {metric.meaning} |"


def _label(name: str, values: tuple[str, ...]) -> str:
    return f"`{name}`: {', '.join(values)}" if values else f"`{name}`"


def _buckets() -> Iterator[str]:
    for metric in TABLE:
        if metric.kind is Kind.HISTOGRAM:
            yield f"- `{metric.name}`: {', '.join(f'{bound:g}' for bound in metric.buckets)}"


def main() -> None:
    DOCUMENT.write_text(document(), "utf-8")


if __name__ == "__main__":
    main()
