"""
What wakes an operator: one table, of which the Prometheus rules are made, and whose facts `ainp doctor` looks at.

An alert watches a number by an expression over our metrics; it fires when the number has compared so with the threshold
for as long as it says. Where the database knows the number too, `fact` is its name there.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from operator import gt, lt, ne


class Severity(StrEnum):
    """Whom it wakes."""

    CRITICAL = "critical"  # somebody, now
    WARNING = "warning"  # whoever comes to work next


class Comparison(StrEnum):
    """How a number is compared with the threshold, as PromQL writes it."""

    ABOVE = ">"
    BELOW = "<"
    NOT = "!="


_COMPARE: dict[Comparison, Callable[[float, float], bool]] = {
    Comparison.ABOVE: gt,
    Comparison.BELOW: lt,
    Comparison.NOT: ne,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """What is wrong when *watches* compares so with the threshold, and what to do then."""

    name: str
    severity: Severity
    watches: str  # PromQL without the comparison
    comparison: Comparison = Comparison.ABOVE
    threshold: float = 0
    for_s: int
    means: str
    fix: str
    fact: str = ""  # what the doctor calls it; empty if only scrapes over time can tell
    mission: bool = False  # whether the deployment checklist names it

    @property
    def expression(self) -> str:
        """The whole condition in PromQL."""
        return f"{self.watches} {self.comparison} {self.threshold:g}"

    def fires(self, number: float) -> bool:
        """Whether *number* is one to wake somebody for."""
        return _COMPARE[self.comparison](number, self.threshold)


def firing(facts: Mapping[str, float], alerts: Iterable["Alert"] | None = None) -> list[Alert]:
    """The alerts whose facts are known and wrong, in the table's order."""
    known = ALERTS if alerts is None else alerts
    return [alert for alert in known if alert.fact in facts and alert.fires(facts[alert.fact])]


def _silence(job: str) -> str:
    """For how many of its intervals a job has not succeeded."""
    since = f'time() - max by (name) (ainp_job_last_success_timestamp_seconds{{name="{job}"}})'
    return f"({since}) / on (name) max by (name) (ainp_job_interval_seconds)"


ALERTS: tuple[Alert, ...] = (
    Alert(
        name="AinpDown",
        severity=Severity.CRITICAL,
        watches='up{job="ainp"}',
        comparison=Comparison.BELOW,
        threshold=1,
        for_s=60,
        means="a broker does not answer",
        fix="look whether its process runs and what its last log lines say",
        fact="brokers_up",
    ),
    Alert(
        name="AinpDatabaseDown",
        severity=Severity.CRITICAL,
        watches="min(ainp_database_up)",
        comparison=Comparison.BELOW,
        threshold=1,
        for_s=60,
        means="PostgreSQL does not answer the brokers",
        fix="look whether PostgreSQL runs and DATABASE_URL is right; brokers go on by themselves once it answers",
        fact="database_up",
    ),
    Alert(
        name="AinpMigrationsMissing",
        severity=Severity.CRITICAL,
        watches="max(ainp_migrations_missing)",
        for_s=60,
        means='migrations are not applied: relation "task_receipts" does not exist, or another one',
        fix="run `ainp migrate up`; `ainp migrate status` names what is missing",
        fact="migrations_missing",
        mission=True,
    ),
    Alert(
        name="AinpReceiptsStuck",
        severity=Severity.WARNING,
        watches="max(ainp_receipts_stuck)",
        for_s=300,
        means="receipts have been pending for more than an hour: their quorum is not reached",
        fix="run `ainp receipts stuck`: members are silent, or k is too high for the network (`ainp quorum advise`)",
        fact="receipts_stuck",
        mission=True,
    ),
    Alert(
        name="AinpReceiptsOverdue",
        severity=Severity.CRITICAL,
        watches="max(ainp_receipts_overdue)",
        for_s=300,
        means="receipts whose window ended ten minutes ago are neither judged nor extended: the finalizer is away",
        fix="look for `[PoU Finalizer]` in the log; it takes POU_FINALIZER_ENABLED, and JOBS_ENABLED or `ainp work`",
        fact="receipts_overdue",
    ),
    Alert(
        name="AinpCommitteeEmpty",
        severity=Severity.WARNING,
        watches="max(ainp_receipts_without_committee)",
        for_s=300,
        means="pending receipts have no committee: fewer than k agents were eligible when they were settled",
        fix="register more agents (m of them, seen lately) or lower POU_M and POU_K; the finalizer seats them then",
        fact="receipts_without_committee",
        mission=True,
    ),
    Alert(
        name="AinpReputationMissing",
        severity=Severity.CRITICAL,
        watches="max(ainp_receipts_without_reputation)",
        for_s=300,
        means="receipts of the last hour that count moved no reputation when they were settled",
        fix="run `ainp fsck`: settling writes both in one transaction, so this is a bug or a foreign hand",
        fact="receipts_without_reputation",
        mission=True,
    ),
    Alert(
        name="AinpFinalizerSilent",
        severity=Severity.CRITICAL,
        watches=_silence("pou-finalizer"),
        threshold=2,
        for_s=30,
        means="the finalizer has not succeeded for more than two of its intervals",
        fix="look for `[PoU Finalizer]` in the log; it takes POU_FINALIZER_ENABLED, and JOBS_ENABLED or `ainp work`",
        fact="finalizer_intervals",
        mission=True,
    ),
    Alert(
        name="AinpAggregatorSilent",
        severity=Severity.WARNING,
        watches=_silence("usefulness-aggregation"),
        threshold=2,
        for_s=30,
        means="usefulness has not been added up for more than two of its intervals",
        fix="look for `[UsefulnessAggregator]` in the log; it takes USEFULNESS_AGGREGATOR_ENABLED, and JOBS_ENABLED or"
        " `ainp work`",
        fact="aggregator_intervals",
        mission=True,
    ),
    Alert(
        name="AinpJobFailing",
        severity=Severity.WARNING,
        watches='sum by (name) (increase(ainp_job_runs_total{outcome="failed"}[15m]))',
        for_s=60,
        means="runs of a job fail",
        fix="`/health/ready` has the error of its last run, the log all of them",
        fact="jobs_failed",
    ),
    Alert(
        name="AinpFinalizationLow",
        severity=Severity.WARNING,
        watches="sum(increase(ainp_receipts_finalized_total[1h])) / (sum(increase(ainp_receipts_finalized_total[1h]))"
        " + sum(increase(ainp_receipts_failed_total[1h])))",
        comparison=Comparison.BELOW,
        threshold=0.9,
        for_s=900,
        means="less than 90 % of what was decided in the last hour was finalized",
        fix="a failed receipt says why: by verdicts (the work is bad) or no_verdict (members are silent)",
        fact="finalized_share",
    ),
    Alert(
        name="AinpLedgerUnbalanced",
        severity=Severity.CRITICAL,
        watches="max(abs(ainp_ledger_sum_atomic_units))",
        comparison=Comparison.NOT,
        threshold=0,
        for_s=0,
        means="all accounts together are not 0: money was made or lost",
        fix="stop the brokers, run `ainp fsck`, and compare with the last backup before anything else is written",
        fact="ledger_sum",
    ),
    Alert(
        name="AinpMeasurementsOld",
        severity=Severity.WARNING,
        watches="time() - max(ainp_measured_timestamp_seconds)",
        threshold=300,
        for_s=60,
        means="what is measured every minute is old, so alerts on it are blind",
        fix="look for `[measurements]` lines in the log; JOBS_ENABLED=true or `ainp work`",
        fact="measurements_age_s",
    ),
    Alert(
        name="AinpEventsWaiting",
        severity=Severity.CRITICAL,
        watches="max(ainp_outbox_oldest_age_seconds)",
        threshold=30,
        for_s=60,
        means="events are not published: nobody hears of what happens",
        fix="some broker with JOBS_ENABLED=true or `ainp work` has to run; look at its log",
        fact="events_waiting_s",
    ),
    Alert(
        name="AinpBusBehind",
        severity=Severity.WARNING,
        watches="max(ainp_bus_behind_seconds)",
        threshold=60,
        for_s=60,
        means="NATS has not acknowledged events for a minute; sockets hear of them all the same",
        fix="look whether NATS runs and NATS_URL is right; nothing is lost, it gets the rest later",
        fact="bus_behind_s",
    ),
    Alert(
        name="AinpRedisAway",
        severity=Severity.WARNING,
        watches="max(ainp_rate_limits_degraded)",
        for_s=300,
        means="Redis does not answer: each node counts requests alone",
        fix="look whether Redis runs and REDIS_URL is right",
        fact="redis_away",
    ),
    Alert(
        name="AinpPoolExhausted",
        severity=Severity.CRITICAL,
        watches="max(ainp_database_pool_waiting)",
        for_s=120,
        means="requests wait for a connection to PostgreSQL",
        fix="find slow statements in PostgreSQL; raise POOL_SIZE if it has connections left",
        fact="pool_waiting",
    ),
    Alert(
        name="AinpErrors",
        severity=Severity.CRITICAL,
        watches='sum(rate(ainp_http_requests_total{status=~"5.."}[5m])) / sum(rate(ainp_http_requests_total[5m]))',
        threshold=0.05,
        for_s=300,
        means="more than 5 % of the requests are answered by 5xx",
        fix="look at the log; after a deployment: roll back",
    ),
    Alert(
        name="AinpInternalErrors",
        severity=Severity.WARNING,
        watches='sum(increase(ainp_refusals_total{code="INTERNAL_ERROR"}[10m]))',
        for_s=0,
        means="the broker has a bug that somebody has met",
        fix="its log has the trace; report it",
    ),
    Alert(
        name="AinpSlow",
        severity=Severity.WARNING,
        watches="histogram_quantile(0.95, sum by (le) (rate(ainp_http_request_duration_seconds_bucket[5m])))",
        threshold=1,
        for_s=600,
        means="one request in twenty takes longer than a second",
        fix="look at ainp_database_pool_in_use and at PostgreSQL; docs/performance.md has what one process does",
    ),
    Alert(
        name="AinpSearchSlow",
        severity=Severity.CRITICAL,
        watches="histogram_quantile(0.95, sum by (le) (rate(ainp_http_request_duration_seconds_bucket"
        '{route="/api/discovery/search"}[5m])))',
        threshold=0.5,
        for_s=600,
        means="one search for agents in twenty takes longer than half a second",
        fix="look whether EMBEDDINGS_URL answers slowly, and at PostgreSQL; docs/discovery.md has what a search costs",
    ),
    Alert(
        name="AinpRateLimited",
        severity=Severity.WARNING,
        watches="60 * sum(rate(ainp_rate_limited_total[5m]))",
        threshold=10,
        for_s=300,
        means="more than ten requests a minute are over their limits: somebody floods, or a limit is too low",
        fix="`ainp audit` says who was refused; docs/rate-limits.md has the limits and their settings",
    ),
    Alert(
        name="AinpRestarting",
        severity=Severity.WARNING,
        watches="max by (process) (changes(ainp_process_start_time_seconds[1h]))",
        threshold=2,
        for_s=0,
        means="a process was started three times within an hour",
        fix="its last log lines say why it ended",
    ),
)
