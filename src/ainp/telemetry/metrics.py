"""
Every metric there is, with its labels and what it means; docs/metrics.md is written from this table.

They are API: dashboards and alerts depend on names and labels. Labels have few values: never a path, a DID or an id.
"""

from collections.abc import Iterator

from ainp.telemetry.counting import Kind, Metric

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_RUN_SECONDS = (0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0)
_DECISION_SECONDS = (0.1, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 7200.0, 14400.0, 86400.0)
_ITEMS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
_METHODS = ("GET", "HEAD", "POST", "PUT", "other")
UNMATCHED = "unmatched"


def _measured(name: str, meaning: str, unit: str) -> Metric:
    """What the job `measurements` finds out."""
    return Metric(name=name, kind=Kind.GAUGE, meaning=f"{meaning}, as measured every minute", unit=unit, read=True)


HTTP_REQUESTS = Metric(
    name="ainp_http_requests_total",
    kind=Kind.COUNTER,
    meaning="Requests answered, by route as in /docs (`unmatched`: no route has this path and method) and status"
    " (499: the client went away first)",
    labels={"method": (), "route": (), "status": ()},
)
HTTP_DURATION = Metric(
    name="ainp_http_request_duration_seconds",
    kind=Kind.HISTOGRAM,
    meaning="Time from a request's head to the end of its answer",
    unit="seconds",
    labels={"route": ()},
    buckets=_SECONDS,
)
HTTP_IN_FLIGHT = Metric(
    name="ainp_http_requests_in_flight", kind=Kind.GAUGE, meaning="Requests that are being answered", unit="requests"
)
REFUSALS = Metric(
    name="ainp_refusals_total",
    kind=Kind.COUNTER,
    meaning="Requests and sockets that were refused, by the `error` of the answer; INTERNAL_ERROR is a bug",
    labels={"code": ()},
)
REPLAYS = Metric(
    name="ainp_idempotent_replays_total",
    kind=Kind.COUNTER,
    meaning="Requests whose Idempotency-Key was used before, and that got the first answer again",
)
RATE_LIMITED = Metric(
    name="ainp_rate_limited_total",
    kind=Kind.COUNTER,
    meaning="Requests and messages over a limit of docs/rate-limits.md, by group and by whose limit it was",
    labels={"group": (), "by": ("did", "address")},
)
RATE_LIMITS_DEGRADED = Metric(
    name="ainp_rate_limits_degraded",
    kind=Kind.GAUGE,
    meaning="Processes whose Redis does not answer, so that limits are counted on this node alone",
    unit="processes",
)
AUDIT_LEFT_OUT = Metric(
    name="ainp_audit_left_out_total",
    kind=Kind.COUNTER,
    meaning="Refusals that the audit trail has only as a number, as there were too many or the database was away",
)
ENVELOPES = Metric(
    name="ainp_envelopes_verified_total",
    kind=Kind.COUNTER,
    meaning="Envelopes whose signature was found to be right, by the scheme of SIGNATURE_SCHEMES that it is of",
    labels={"scheme": ("A", "B", "C", "D")},
)
DID_DOCUMENTS = Metric(
    name="ainp_did_documents_total",
    kind=Kind.COUNTER,
    meaning="Documents of did:web that were asked for anew, and whether there are keys in them",
    labels={"outcome": ("fetched", "failed")},
)
MESSAGES = Metric(
    name="ainp_messages_total",
    kind=Kind.COUNTER,
    meaning="Messages taken in, by kind, and whether somebody was connected (`told`), they wait (`queued`), or are mail"
    " and wait in the mailbox alone",
    labels={"msg_type": (), "outcome": ("told", "queued", "mailbox")},
)
SOCKETS = Metric(
    name="ainp_websocket_connections", kind=Kind.GAUGE, meaning="WebSockets that are open", unit="connections"
)
FRAMES = Metric(
    name="ainp_websocket_frames_sent_total", kind=Kind.COUNTER, meaning="Events told on WebSockets, once for each"
)

REGISTRATIONS = Metric(
    name="ainp_registrations_total", kind=Kind.COUNTER, meaning="Registrations of agents, renewals among them"
)
SEARCHES = Metric(name="ainp_searches_total", kind=Kind.COUNTER, meaning="Searches for agents that were answered")
PROOFS = Metric(
    name="ainp_usefulness_proofs_total",
    kind=Kind.COUNTER,
    meaning="Proofs of usefulness that were kept, by kind of work",
    labels={"work_type": ("compute", "memory", "routing", "validation", "learning")},
)
REWARDED = Metric(name="ainp_usefulness_rewards_total", kind=Kind.COUNTER, meaning="Atomic units paid for usefulness")
NEGOTIATIONS = Metric(
    name="ainp_negotiation_events_total",
    kind=Kind.COUNTER,
    meaning="What happened to negotiations",
    labels={
        "event": (*("initiated", "proposed", "accepted", "rejected", "cancelled", "delivered", "settled", "expired"),)
    },
)
GROUPS = Metric(
    name="ainp_group_events_total",
    kind=Kind.COUNTER,
    meaning="What happened to groups that negotiate; `proposed` is a round after the first",
    labels={"event": ("opened", "voted", "proposed", "agreed", "failed", "aborted")},
)
SETTLED = Metric(
    name="ainp_settled_atomic_units_total",
    kind=Kind.COUNTER,
    meaning="Credits paid out by settlements; 1000 atomic units are a credit",
    unit="atomic units",
)

RECEIPTS_CREATED = Metric(
    name="ainp_receipts_created_total",
    kind=Kind.COUNTER,
    meaning="Task receipts opened, by committee: `full`, `short` (fewer than m) or `none` (fewer than k eligible)",
    labels={"committee": ("full", "short", "none")},
)
RECEIPTS_FINALIZED = Metric(
    name="ainp_receipts_finalized_total", kind=Kind.COUNTER, meaning="Task receipts whose quorum was reached"
)
RECEIPTS_FAILED = Metric(
    name="ainp_receipts_failed_total",
    kind=Kind.COUNTER,
    meaning="Task receipts that failed, and why",
    labels={"reason": ("verdicts", "no_verdict")},
)
RECEIPTS_JUDGED = Metric(
    name="ainp_receipts_judged_total",
    kind=Kind.COUNTER,
    meaning="Task receipts whose judgement was closed: reputation moved, rewards paid",
    labels={"status": ("finalized", "failed")},
)
RECEIPTS_EXTENDED = Metric(
    name="ainp_receipts_extended_total", kind=Kind.COUNTER, meaning="Windows that were extended after silence"
)
RECEIPTS_SEATED = Metric(
    name="ainp_receipts_seated_total", kind=Kind.COUNTER, meaning="Receipts without a committee that got one later"
)
RECEIPTS_POSTPONED = Metric(
    name="ainp_receipts_postponed_total", kind=Kind.COUNTER, meaning="Receipts that the finalizer failed on"
)
FINALIZATION = Metric(
    name="ainp_finalization_latency_seconds",
    kind=Kind.HISTOGRAM,
    meaning="Time from settling to the decision, whichever it is",
    unit="seconds",
    buckets=_DECISION_SECONDS,
)
ATTESTATIONS = Metric(
    name="ainp_attestations_submitted_total",
    kind=Kind.COUNTER,
    meaning="Attestations stored; `remark` is every type that is no verdict",
    labels={"type": ("audit_pass", "audit_fail", "accepted", "rejected", "remark")},
)
REPUTATION = Metric(
    name="ainp_reputation_updates_total",
    kind=Kind.COUNTER,
    meaning="Observations that moved a reputation, by dimension",
    labels={
        "dimension": (*("quality", "timeliness", "reliability", "safety", "truthfulness", "impact", "efficiency"),)
    },
)
RECEIPTS_PENDING = _measured("ainp_receipts_pending", "Receipts that are not decided", "receipts")
RECEIPTS_STUCK = _measured("ainp_receipts_stuck", "Receipts that have been pending for more than an hour", "receipts")
RECEIPTS_OVERDUE = _measured(
    "ainp_receipts_overdue",
    "Receipts whose window ended ten minutes ago and that are neither judged nor extended",
    "receipts",
)
RECEIPTS_UNSEATED = _measured("ainp_receipts_without_committee", "Pending receipts that have no committee", "receipts")
RECEIPTS_UNOBSERVED = _measured(
    "ainp_receipts_without_reputation",
    "Receipts of the last hour that count, and moved no reputation; anything but 0 is a bug",
    "receipts",
)

STAKE_EVENTS = Metric(
    name="ainp_stake_events_total",
    kind=Kind.COUNTER,
    meaning="What agents did with their stakes; `unstaked` is paid out by the job",
    labels={"event": ("staked", "unstaking", "unstake_cancelled", "unstaked")},
)
SLASHES = Metric(name="ainp_slashes_total", kind=Kind.COUNTER, meaning="Slashes by the admin route")
SLASHED = Metric(
    name="ainp_slashed_atomic_units_total",
    kind=Kind.COUNTER,
    meaning="What they took to the pool",
    unit="atomic units",
)
STAKED = _measured(
    "ainp_staked_atomic_units", "What all agents have staked, withdrawals that are not paid among it", "atomic units"
)

PAYMENTS = Metric(
    name="ainp_payment_events_total",
    kind=Kind.COUNTER,
    meaning="What happened to payment requests, by method; `refused` is money that came and was not credited",
    labels={
        "payment_method": ("credits", "coinbase", "lightning", "usdc"),
        "event": ("pending", "paid", "expired", "failed", "cancelled", "refused"),
    },
)
BOUGHT = Metric(
    name="ainp_payments_atomic_units_total",
    kind=Kind.COUNTER,
    meaning="Credits that were bought from providers",
    unit="atomic units",
)
PROVIDER_CALLS = Metric(
    name="ainp_payment_provider_calls_total",
    kind=Kind.COUNTER,
    meaning="Calls to payment providers, and whether they were answered as documented",
    labels={"provider": ("coinbase", "lightning"), "outcome": ("answered", "failed")},
)

LEDGER_SUM = Metric(
    name="ainp_ledger_sum_atomic_units",
    kind=Kind.GAUGE,
    meaning="All accounts together, as measured every minute; anything but 0 is a bug: run `ainp fsck`",
    unit="atomic units",
    read=True,
)
LEDGER_PENDING = _measured("ainp_ledger_pending_rows", "Income of hot accounts that is not rolled up yet", "rows")
MEASURED = Metric(
    name="ainp_measured_timestamp_seconds",
    kind=Kind.GAUGE,
    meaning="When the metrics that are measured every minute were measured",
    unit="seconds since 1970",
    read=True,
)

PUBLISHED = Metric(
    name="ainp_events_published_total", kind=Kind.COUNTER, meaning="Events numbered and handed on", unit="events"
)
HANDED_ON = Metric(
    name="ainp_bus_handed_on_total",
    kind=Kind.COUNTER,
    meaning="Events that NATS has acknowledged, once for each receiver",
)
BUS_BEHIND = Metric(
    name="ainp_bus_behind_seconds",
    kind=Kind.GAUGE,
    meaning="For how long the oldest event that NATS has not acknowledged has waited",
    unit="seconds",
)
BUS_DEGRADED = Metric(
    name="ainp_bus_degraded",
    kind=Kind.GAUGE,
    meaning="Processes that NATS does not answer, so that they hear of events from PostgreSQL alone",
    unit="processes",
)
OUTBOX_ROWS = Metric(
    name="ainp_outbox_rows",
    kind=Kind.GAUGE,
    meaning="Events that wait to be published, counted up to 10001",
    unit="rows",
    read=True,
)
OUTBOX_AGE = Metric(
    name="ainp_outbox_oldest_age_seconds",
    kind=Kind.GAUGE,
    meaning="How long the oldest of them has waited; 0 if none does",
    unit="seconds",
    read=True,
)

JOB_RUNS = Metric(
    name="ainp_job_runs_total",
    kind=Kind.COUNTER,
    meaning="Runs of jobs",
    labels={"name": (), "outcome": ("succeeded", "failed")},
)
JOB_DURATION = Metric(
    name="ainp_job_duration_seconds",
    kind=Kind.HISTOGRAM,
    meaning="How long a run took",
    unit="seconds",
    labels={"name": ()},
    buckets=_RUN_SECONDS,
)
JOB_SUCCESS = Metric(
    name="ainp_job_last_success_timestamp_seconds",
    kind=Kind.GAUGE,
    meaning="When a run last succeeded, on whichever node",
    unit="seconds since 1970",
    labels={"name": ()},
    read=True,
)
JOB_RUN = Metric(
    name="ainp_job_last_run_timestamp_seconds",
    kind=Kind.GAUGE,
    meaning="When a run last began, on whichever node, however it ended",
    unit="seconds since 1970",
    labels={"name": ()},
    read=True,
)
JOB_INTERVAL = Metric(
    name="ainp_job_interval_seconds",
    kind=Kind.GAUGE,
    meaning="The time from one run to the next, the longest of those ahead",
    unit="seconds",
    labels={"name": ()},
)

MIGRATIONS_MISSING = Metric(
    name="ainp_migrations_missing",
    kind=Kind.GAUGE,
    meaning="Migrations that are not applied, or not whole; `/health/ready` names them",
    unit="migrations",
    read=True,
)
DATABASE_UP = Metric(
    name="ainp_database_up",
    kind=Kind.GAUGE,
    meaning="1 if PostgreSQL answered this scrape within two seconds, else 0 and what is read from it is left out",
    read=True,
)
POOL_SIZE = Metric(
    name="ainp_database_pool_size",
    kind=Kind.GAUGE,
    meaning="Connections that the pools have at most",
    unit="connections",
)
POOL_IN_USE = Metric(
    name="ainp_database_pool_in_use", kind=Kind.GAUGE, meaning="Connections that are lent", unit="connections"
)
POOL_WAITING = Metric(
    name="ainp_database_pool_waiting", kind=Kind.GAUGE, meaning="Who waits for a connection", unit="borrowers"
)
GATHERED = Metric(
    name="ainp_database_statement_items",
    kind=Kind.HISTOGRAM,
    meaning="How many calls that came at the same moment were run as one statement",
    unit="calls",
    buckets=_ITEMS,
)

PROCESS_CPU = Metric(
    name="ainp_process_cpu_seconds_total",
    kind=Kind.COUNTER,
    meaning="CPU time of the broker's own processes, without PostgreSQL",
    unit="seconds",
    labels={"process": ()},
)
PROCESS_MEMORY = Metric(
    name="ainp_process_resident_memory_bytes",
    kind=Kind.GAUGE,
    meaning="Memory they hold",
    unit="bytes",
    labels={"process": ()},
)
PROCESS_START = Metric(
    name="ainp_process_start_time_seconds",
    kind=Kind.GAUGE,
    meaning="When they were started; `time()` minus this is the uptime",
    unit="seconds since 1970",
    labels={"process": ()},
)
BUILD = Metric(
    name="ainp_build_info",
    kind=Kind.GAUGE,
    meaning="1, with the version that runs",
    labels={"version": (), "python": ()},
    read=True,
)


def _table() -> Iterator[Metric]:
    return (value for value in globals().values() if isinstance(value, Metric))


TABLE: tuple[Metric, ...] = tuple(_table())


def method_label(method: str) -> str:
    """One of few: a client may send any word as a method."""
    return method if method in _METHODS else "other"
