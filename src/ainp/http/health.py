"""Health: is it alive, is it complete."""

from datetime import UTC, datetime

from ainp import __version__
from ainp.core.errors import BrokerError
from ainp.http.call import Call, Reply
from ainp.operations import health
from ainp.wire.health import HealthReply, JobReply, ReadyReply
from ainp.wire.values import iso, iso_or_none

# What this broker does itself as long as no server is configured for it.
_MODES = {"redis": "in-process", "nats": "in-process"}


async def get(call: Call) -> Reply:
    """200 while the broker can serve; Redis and NATS are not needed and count as healthy."""
    reply = HealthReply(
        status="healthy",
        connections={"db": True, "redis": True, "nats": True},
        modes={"db": "embedded" if call.broker.settings.database_url is None else "configured", **_MODES},
        timestamp=iso(datetime.now(UTC)),
        uptime=round(call.broker.uptime_s, 3),
        version=__version__,
    )
    try:
        await health.ping(call.db)
    except BrokerError as error:
        reply.status, reply.error = "unhealthy", error.message
        reply.connections["db"] = False
        return Reply(reply, 503)
    return Reply(reply)


async def ready(call: Call) -> Reply:
    """200 once every migration is applied; else what is missing, by name."""
    in_process = {name: f"ok ({mode})" for name, mode in _MODES.items()}
    try:
        found = await health.standing(call.broker.database)
    except BrokerError as error:
        checks = {"database": f"error: {error.message}", **in_process}
        return Reply(ReadyReply("not_ready", checks, [], [], []), 503)
    checks = {
        "database": "ok",
        **in_process,
        "migrations": "ok" if not found.missing else f"{len(found.missing)} missing",
    }
    jobs = [JobReply(j.job, iso(j.tick), iso_or_none(j.finished_at), j.error) for j in found.jobs]
    status = "not_ready" if found.missing else "ready"
    return Reply(
        ReadyReply(status, checks, found.missing, jobs, call.broker.settings.warnings),
        503 if found.missing else 200,
    )
