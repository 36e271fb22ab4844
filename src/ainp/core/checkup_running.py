"""While it runs: health, jobs, the numbers of the last hour, and the alerts that would fire now."""

from collections.abc import Iterator, Mapping

from ainp.core.alerts import ALERTS, Alert, Severity
from ainp.core.checkup import About, Answered, Configured, Line, Part, Ran, Stored, Traffic
from ainp.core.words import counted

FINALIZER, AGGREGATOR = "pou-finalizer", "usefulness-aggregation"
INTERVALS = 2.0  # a job that has not run for so many of its intervals does not run
IN_TIME = 0.9  # of the receipts within ten minutes
_ALIVE_S = 15.0  # within which the most frequent jobs have run

_A = Part.AFTER
HEALTH = About(_A, "health", "Health check endpoint returns 200")
COMPLETE = About(_A, "ready", "Ready: every migration applied, every part at work")
RELEASE = About(_A, "release", "What answers is the release that is meant")
FINALIZES = About(_A, "finalizer", "Finalizer scheduled and lately run")
AGGREGATES = About(_A, "aggregator", "Usefulness aggregator scheduled and lately run")
PUBLISHED = About(_A, "events", "Events are published")

_M = Part.MONITORING
CREATED = About(_M, "receipts", "Receipt creation rate: matches negotiation settlement rate")
ATTESTED = About(_M, "attestations", "Attestation submission rate: k for each finalized receipt, or more")
FINALIZED = About(_M, "finalization", "Finalization success rate: more than 90 % within ten minutes")
OBSERVED = About(_M, "reputation", "Reputation updates: match settlement rate, counted as observations")
CRON = About(_M, "cron", "Cron job health: no job silent for two intervals, none failing")

_RUN_JOBS = "JOBS_ENABLED=true, or run `ainp work`; its log says what a job failed on"
_READABLE = "let the role of DATABASE_URL read every table, as the broker's does; `ainp fsck` names what else is wrong"
_NOT_SAID = "the database can't say: migrations are missing or it does not answer"


def after(c: Configured, s: Stored, a: Answered, *, version: str) -> Iterator[Line]:
    """What runs, runs as it should."""
    yield _health(a)
    if a.problem:
        yield from (about.unknown("the broker does not answer") for about in (COMPLETE, RELEASE))
    else:
        yield _complete(a)
        yield RELEASE.should(a.version == version, f"version {a.version}, this doctor has {version}", "deploy it anew")
    yield _job(FINALIZES, FINALIZER, c.finalizer, c.finalizer_every_s, s, a)
    yield _job(AGGREGATES, AGGREGATOR, c.aggregator, c.aggregator_every_s, s, a)
    waiting = s.standing.get("events_waiting_s")
    yield (
        PUBLISHED.unknown("the database can't say")
        if waiting is None
        else PUBLISHED.must(waiting < 30, f"the oldest waits for {waiting:.1f} s", _RUN_JOBS)  # noqa: PLR2004 - s
    )


def monitoring(c: Configured, s: Stored, a: Answered) -> Iterator[Line]:
    """The queries of the checklist with their expectations; canaries are not counted."""
    t = s.traffic
    if t is None:
        yield CREATED.wrong(s.unreadable, _READABLE) if s.unreadable else CREATED.unknown(_NOT_SAID)
        for about in (ATTESTED, FINALIZED, OBSERVED):
            yield about.unknown(_NOT_SAID)
    else:
        yield from _numbers(t)
    yield _cron(c, s, a)


def alerts(c: Configured, s: Stored, a: Answered) -> Iterator[Line]:
    """Each alert whose number is known: whether it would fire."""
    known = numbers(c, s, a)
    for alert in ALERTS:
        about = About(Part.ALERTS, alert.name, f"{alert.name} does not fire")
        if alert.fact not in known:
            yield about.unknown("Prometheus alone can tell, over time" if not alert.fact else "nothing to measure yet")
            continue
        found = f"{known[alert.fact]:.6g}, fires when {_when(alert)}"
        if not alert.fires(known[alert.fact]):
            yield about.right(found)
        else:
            rule = about.wrong if alert.severity is Severity.CRITICAL else about.doubtful
            yield rule(f"{alert.means}: {found}", alert.fix)


def numbers(c: Configured, s: Stored, a: Answered) -> Mapping[str, float]:
    """What alerts watch, by their facts' names."""
    found = {**s.standing, **a.metrics}
    found["brokers_up"] = 0.0 if a.problem else 1.0
    found["database_up"] = 0.0 if s.problem else 1.0
    if not s.problem:
        found["migrations_missing"] = len(s.behind)
    for name, job, on, every_s in (
        ("finalizer_intervals", FINALIZER, c.finalizer, c.finalizer_every_s),
        ("aggregator_intervals", AGGREGATOR, c.aggregator, c.aggregator_every_s),
    ):
        silent_s = _silent_s(job, s, a)
        if on and silent_s is not None:
            found[name] = silent_s / every_s
    return found


def _when(alert: Alert) -> str:
    words = {">": "above", "<": "below", "!=": "not"}
    return f"{words[alert.comparison.value]} {alert.threshold:g}"


def _health(a: Answered) -> Line:
    if a.problem:
        return HEALTH.wrong(a.problem, "start it with `ainp serve`, or say where it is with --url")
    fix = "look whether PostgreSQL runs; the broker goes on by itself once it answers"
    return HEALTH.must(a.status == 200, f"{a.status} {a.unwell or a.url}".strip(), fix)  # noqa: PLR2004 - OK


def _complete(a: Answered) -> Line:
    if not a.ready:
        found = "; ".join(a.missing) or "; ".join(f"{what}: {how}" for what, how in a.checks.items())
        return COMPLETE.wrong(found, "run `ainp migrate up`; `GET /health/ready` says what is missing")
    away = [f"{what}: {how}" for what, how in a.checks.items() if "away" in how or "behind" in how]
    return COMPLETE.should(not away, "; ".join(away) or "ready", "start it again; the broker goes on by itself then")


def _job(about: About, job: str, on: bool, every_s: float, s: Stored, a: Answered) -> Line:  # noqa: FBT001
    """A job ran within two intervals; before its first time it is enough that others run."""
    if not on:
        return about.wrong("switched off in the settings", "switch it on: docs/proof-of-usefulness.md")
    if s.problem or s.traffic is None:
        return about.unknown(_NOT_SAID)
    found = _run_of(job, s)
    if found is not None and found.error is not None:
        return about.wrong(f"its last run failed: {found.error}", _RUN_JOBS)
    if found is not None and found.age_s is not None and found.age_s <= INTERVALS * every_s:
        return about.right(f"ran {found.age_s:.0f} s ago, runs every {every_s:.0f} s")
    return _silent(about, found, every_s, s, a)


def _silent(about: About, found: Ran | None, every_s: float, s: Stored, a: Answered) -> Line:
    """A job that has not run lately: it may be too early."""
    if _scheduler_alive(s) and (a.problem or a.uptime_s < INTERVALS * every_s):
        return about.right(f"scheduled every {every_s:.0f} s; other jobs run, its first time is to come")
    if not a.problem and a.uptime_s < _ALIVE_S:
        return about.doubtful(f"the broker is up for {a.uptime_s:.0f} s: too early to tell", "look again in a minute")
    last = "never" if found is None or found.age_s is None else f"{found.age_s:.0f} s ago"
    return about.wrong(f"last run {last}, runs every {every_s:.0f} s", _RUN_JOBS)


def _run_of(job: str, s: Stored) -> Ran | None:
    return next((run for run in s.jobs if run.job == job), None)


def _scheduler_alive(s: Stored) -> bool:
    return any(run.age_s is not None and run.age_s < _ALIVE_S for run in s.jobs)


def _silent_s(job: str, s: Stored, a: Answered) -> float | None:
    """For how long a job has not run although the broker is up: one that was just started has missed nothing."""
    found = _run_of(job, s)
    if found is not None and found.age_s is not None:
        return found.age_s if a.problem else min(found.age_s, a.uptime_s)
    return None if a.problem or s.problem or s.traffic is None else a.uptime_s


def _numbers(t: Traffic) -> Iterator[Line]:
    said = f"{counted(t.opened, 'receipt')}, {counted(t.settled, 'settlement')} in the last hour"
    yield CREATED.must(t.settled == t.with_receipt, said, "run `ainp fsck`: both are written at once")
    said = (
        f"{counted(t.attested, 'attestation')} in the last hour; {t.passed} passing on {t.finalized} finalized,"
        f" {t.needed} needed"
    )
    yield ATTESTED.must(t.passed >= t.needed, said, "run `ainp fsck`: nothing is finalized below its quorum")
    yield _finalized(t)
    said = f"{t.observed} of {t.counting} receipts that count were observed, {counted(t.agents, 'agent')} moved"
    yield OBSERVED.must(t.observed == t.counting, said, "run `ainp fsck`: settling writes both at once")


def _finalized(t: Traffic) -> Line:
    if not t.due:
        return FINALIZED.unknown("no receipt is between 10 and 70 minutes old")
    return FINALIZED.should(
        t.in_time >= IN_TIME * t.due,
        f"{t.in_time} of {t.due} within ten minutes",
        "run `ainp receipts stuck`: members are silent, or k is too high for the network",
    )


def _cron(c: Configured, s: Stored, a: Answered) -> Line:
    if s.problem or s.traffic is None:
        return CRON.unknown("the database can't say")
    wrong = [f"{run.job} failed: {run.error}" for run in s.jobs if run.error is not None]
    known = numbers(c, s, a)
    for fact in ("finalizer_intervals", "aggregator_intervals"):
        if known.get(fact, 0.0) > INTERVALS and not wrong:
            wrong.append(f"{fact.partition('_')[0]} silent for {known[fact]:.0f} intervals")
    return CRON.must(not wrong, "; ".join(wrong) or f"jobs that have run: {len(s.jobs)}, none failed", _RUN_JOBS)
