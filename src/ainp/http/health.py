"""Health: is it alive, is it complete."""

from datetime import UTC, datetime

from ainp import __version__
from ainp.core.errors import BrokerError
from ainp.core.words import counted
from ainp.http.call import Call, Reply
from ainp.operations import health
from ainp.wire.health import HealthReply, JobReply, ReadyReply
from ainp.wire.values import iso, iso_or_none

# What this broker does itself where no server is configured for it, or none that it uses.
_IN_PROCESS = "in-process"
_AWAY = "away: limits are counted on this node alone"
_BUS_AWAY = "away: brokers hear of events from PostgreSQL alone"
_BEHIND_S = 10  # what is handed on later than that is said


async def get(call: Call) -> Reply:
    """200 while the broker can serve; what works without is told of: Redis, NATS, and migrations that are missing."""
    redis, nats = _redis(call), _nats(call)
    reply = HealthReply(
        status="healthy",
        connections={"db": True, "redis": redis != _AWAY, "nats": nats != _BUS_AWAY},
        modes={
            "db": "embedded" if call.broker.settings.database_url is None else "configured",
            "redis": redis,
            "nats": nats,
        },
        timestamp=iso(datetime.now(UTC)),
        uptime=round(call.broker.uptime_s, 3),
        version=__version__,
    )
    try:
        await call.broker.database.pulse.feel()
        problem = call.broker.unwritable
    except BrokerError as error:
        problem = error.message
    if problem is None:
        if missing := await call.broker.gaps.count(call.broker.database):
            reply.warning = f"{counted(missing, 'migration')} missing: /health/ready names them"
        return Reply(reply)
    reply.status, reply.error, reply.connections["db"] = "unhealthy", problem, False
    return Reply(reply, 503)


def _redis(call: Call) -> str:
    """What counts requests: Redis where it is used and answers."""
    rates = call.broker.rates
    if rates is None or rates.redis is None:
        return _IN_PROCESS
    return "configured" if rates.redis else _AWAY


def _nats(call: Call) -> str:
    """What tells other brokers of events: NATS where it is used and answers."""
    bus = call.broker.bus
    if bus is None:
        return _IN_PROCESS
    return "configured" if bus.connected else _BUS_AWAY


async def ready(call: Call) -> Reply:
    """200 once every migration is applied; else what is missing, by name."""
    redis, nats = _redis(call), _nats(call)
    beside = {
        "redis": redis if redis == _AWAY else f"ok ({redis})",
        "nats": nats if nats == _BUS_AWAY else f"ok ({nats})",
    }
    try:
        found = await health.standing(call.broker.database)
    except BrokerError as error:
        checks = {"database": f"error: {error.message}", **beside}
        return Reply(ReadyReply("not_ready", checks, [], [], []), 503)
    if call.broker.bus is not None and found.bus_behind_s > _BEHIND_S:
        beside["nats"] = f"behind: events have waited for {found.bus_behind_s:.0f} s to be handed on to NATS"
    unwritable = call.broker.unwritable
    checks = {
        "database": "ok" if unwritable is None else f"error: {unwritable}",
        **beside,
        "migrations": "ok" if not found.missing else f"{len(found.missing)} missing",
    }
    jobs = [JobReply(j.job, iso(j.tick), iso_or_none(j.finished_at), j.error) for j in found.jobs]
    ready = not found.missing and unwritable is None
    return Reply(
        ReadyReply(
            "ready" if ready else "not_ready",
            checks,
            found.missing,
            jobs,
            [*call.broker.settings.warnings, *await _problems(call)],
        ),
        200 if ready else 503,
    )


async def _problems(call: Call) -> list[str]:
    """What does not work although everything else does."""
    found = await call.broker.discovery.problem(call.broker.database)
    return [] if found is None else [found]
