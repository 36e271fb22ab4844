"""What Prometheus scrapes: what the processes of this broker have counted, and what its database says."""

import asyncio
import platform

from ainp import __version__
from ainp.core.errors import BrokerError, SchemaBehind
from ainp.http.auth import require_metrics_token
from ainp.http.call import Call, Reply
from ainp.operations import health, measurements
from ainp.store.measurements import Measured
from ainp.telemetry.exposition import Reading, render
from ainp.telemetry.metrics import BUILD, DATABASE_UP, MIGRATIONS_MISSING, TABLE

_PATIENCE_S = 2.0  # a scrape is given up after ten seconds, and then says nothing at all
_READ = {metric.name: metric for metric in TABLE if metric.read}


async def get(call: Call) -> Reply:
    """Metrics for Prometheus, in its text format or as OpenMetrics: docs/metrics.md."""
    require_metrics_token(call)
    call.broker.measure()
    readings = [Reading(BUILD, 1, (__version__, platform.python_version())), *await _of_database(call)]
    text, media_type = render(call.headers.get("accept") or "", readings)
    return Reply(text, media_type=media_type.encode())


async def _of_database(call: Call) -> list[Reading]:
    try:
        async with asyncio.timeout(_PATIENCE_S):
            missing = await health.missing_migrations(call.broker.database)
            measured = await _measured(call)
    except (BrokerError, TimeoutError):
        return [Reading(DATABASE_UP, 0)]
    known = [each for each in measured if each.metric in _READ]
    return [
        Reading(DATABASE_UP, 1),
        Reading(MIGRATIONS_MISSING, missing),
        *(Reading(_READ[m.metric], m.value, (m.label,) if _READ[m.metric].labels else ()) for m in known),
    ]


async def _measured(call: Call) -> list[Measured]:
    try:
        return await measurements.read(call.broker.database)
    except SchemaBehind:
        return []
