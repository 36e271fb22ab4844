"""One tick of a job, as a broker that runs nothing else would run it."""

from datetime import UTC, datetime

from ainp.store.db import Database
from ainp.worker.schedule import Job, Ticks


async def a_tick(database: Database, job: Job, at: datetime | None = None) -> bool:
    """Run it, now unless at another time; whether it was this one that ran it."""
    async with Ticks(database) as ticks:
        return await ticks.run(job, at or datetime.now(UTC))
