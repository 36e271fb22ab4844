"""Whether the database answers, and whether it is complete."""

import asyncio
import math
from dataclasses import dataclass
from time import monotonic

from ainp.core.bus import BUS
from ainp.core.errors import SchemaBehind
from ainp.store import capacity, handed_on, jobs, migrate
from ainp.store.db import Database, Session
from ainp.store.jobs import JobRun
from ainp.store.migration_state import Status

_EVERY_S = 5.0  # probes ask more often than migrations are taken away
_PATIENCE_S = 1.0  # then the number of before is told


class Gaps:
    """How many migrations are missing, as it was found lately: health does not wait for a busy pool."""

    def __init__(self) -> None:
        self._found, self._at = 0, -math.inf
        self._asking: asyncio.Task[None] | None = None

    async def count(self, db: Database) -> int:
        """The last number that could be had."""
        if self._asking is None and monotonic() - self._at >= _EVERY_S:
            self._asking = asyncio.create_task(self._ask(db), name="gaps")
            await asyncio.wait({self._asking}, timeout=_PATIENCE_S)
        return self._found

    async def _ask(self, db: Database) -> None:
        try:
            self._found = await missing_migrations(db)
        except Exception:  # noqa: BLE001, S110 - what keeps it from being known is told by readiness
            pass
        finally:
            self._at, self._asking = monotonic(), None


@dataclass(frozen=True, slots=True)
class Standing:
    """What is not applied, each with what it lacks, and when the jobs ran; how far a bus is behind."""

    missing: list[str]
    jobs: list[JobRun]
    bus_behind_s: float


async def connections(db: Session) -> int:
    """How many connections the database gives to ordinary users."""
    return await capacity.connections(db)


async def standing(db: Database) -> Standing:
    """Compare the schema with the migrations."""
    await db.pulse.feel()
    async with db.connection() as connection:
        missing = await migrate.missing(connection)
    try:
        runs = await jobs.runs(db)
        behind_s = await handed_on.behind_s(db, BUS) or 0.0
    except SchemaBehind:
        runs, behind_s = [], 0.0
    return Standing([_named(one) for one in missing], runs, behind_s)


async def missing_migrations(db: Database) -> int:
    """How many are not applied, or not whole."""
    async with db.connection() as connection:
        return len(await migrate.missing(connection))


def _named(one: Status) -> str:
    lacks = f": {', '.join(one.missing)}" if one.missing else ""
    return f"{one.name} ({one.state.value}){lacks}"
