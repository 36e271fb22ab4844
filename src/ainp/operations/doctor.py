"""What the database says to a doctor, read and nothing written."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from ainp.core.checkup import Migrated, Ran, Stored
from ainp.core.errors import BrokerError, SchemaBehind
from ainp.core.moments import unix_ms
from ainp.store import doctor, jobs, migrate
from ainp.store.db import Database

_BEGUN_WITHIN = timedelta(hours=3)  # a negotiation that was settled in the last hour, mostly


async def examine(db: Database) -> Stored:
    """Ask the server for its facts, and where the migrations stand."""
    try:
        server = await doctor.server(db)
        ahead_s = (server.now - datetime.now(UTC)).total_seconds()
        async with db.connection() as place:
            standing = await migrate.status(place)
    except BrokerError as error:
        cause = error.__cause__ or error
        return Stored(problem=str(cause) or type(cause).__name__)
    return Stored(
        version=server.version,
        ahead_s=ahead_s,
        encrypted=server.encrypted,
        valid_until=server.valid_until,
        migrations=tuple(Migrated(one.number, one.name, one.state.value, one.missing) for one in standing),
    )


async def watch(db: Database, known: Stored) -> Stored:
    """Add what the tables say of the last hour to what is known; where migrations are missing they say nothing."""
    try:
        now = await db.clock()
        runs = await jobs.runs(db)
        begun_after = UUID(int=unix_ms(now - _BEGUN_WITHIN) << 80)
        traffic = await doctor.traffic(db, begun_after=begun_after)
        watched = await doctor.standing(db)
    except SchemaBehind:
        return known
    ran = tuple(
        Ran(run.job, None if run.finished_at is None else (now - run.finished_at).total_seconds(), run.error)
        for run in runs
    )
    return replace(known, jobs=ran, traffic=traffic, standing=watched)
