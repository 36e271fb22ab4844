"""One run of the doctor: facts first, then lines, each shown as soon as it is known."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import asyncpg

from ainp import __version__
from ainp.cli.connection import reason_of
from ainp.cli.doctor import canary
from ainp.cli.doctor.asked import Way, address_of, ask, way_to
from ainp.cli.doctor.configured import configured
from ainp.cli.doctor.show import Show
from ainp.cli.postgres import url_of
from ainp.core import checkup_running, checkup_setup
from ainp.core.checkup import Answered, Configured, Line, Part, Stored
from ainp.core.checkup_setup import SETTINGS
from ainp.core.errors import BrokerError
from ainp.operations import doctor
from ainp.settings import Settings, SettingsError, load_settings
from ainp.store.db import Database

_NO_DATABASE = (BrokerError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, ValueError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be looked at, and where; *only* names parts or lines, and is empty for all."""

    only: frozenset[str] = frozenset()
    canary: bool = True
    url: str | None = None
    ca: Path | None = None

    @property
    def strange(self) -> frozenset[str]:
        """Names that nothing has."""
        nothing = _Facts(Configured(), Stored(), Answered(), datetime.now(UTC))
        names = {line.name for line in (*nothing.first(), *nothing.last())} | {about.name for about in canary.STEPS}
        return self.only - names - {part.value for part in Part}

    def shows(self, part: Part, name: str) -> bool:
        """Whether a line is wanted."""
        return not self.only or bool({part.value, name} & self.only)

    @property
    def flies(self) -> bool:
        """Whether a canary is."""
        return self.canary and any(self.shows(about.part, about.name) for about in canary.STEPS)


@dataclass(frozen=True, slots=True)
class _Facts:
    """All that is known without a canary."""

    configured: Configured
    stored: Stored
    answered: Answered
    now: datetime

    def first(self) -> Iterator[Line]:
        """What the canary's task takes."""
        c, s, a = self.configured, self.stored, self.answered
        yield from checkup_setup.before(c, s, a, now=self.now)
        yield from checkup_running.after(c, s, a, version=__version__)

    def last(self) -> Iterator[Line]:
        """What is as it is whether that works or not."""
        c, s, a = self.configured, self.stored, self.answered
        yield from checkup_setup.security(c, s, a)
        yield from checkup_running.monitoring(c, s, a)
        yield from checkup_running.alerts(c, s, a)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where it all is."""

    way: Way
    settings: Settings
    database: Database


def run(wanted: Wanted, show: Show) -> tuple[list[Line], str]:
    """Every line that is *wanted*, shown as it comes, and which environment this is."""
    try:
        settings = load_settings()
    except SettingsError as error:
        line = SETTINGS.wrong(str(error), "correct them: docs/configuration.md; no broker starts like this")
        show.line(line)
        return [line], "unknown"
    lines = asyncio.run(_follow(wanted, settings, show))
    return lines, settings.ainp_env or settings.node_env or settings.mode


async def _follow(wanted: Wanted, settings: Settings, show: Show) -> list[Line]:
    lines = []
    async with aclosing(_lines(wanted, settings, show)) as found:
        async for line in found:
            if wanted.shows(line.part, line.name):
                show.line(line)
                lines.append(line)
    return lines


async def _lines(wanted: Wanted, settings: Settings, show: Show) -> AsyncGenerator[Line, None]:
    way = way_to(settings, wanted.url or address_of(settings), wanted.ca)
    database = Database(url_of(settings), size=2)
    try:
        with show.busy("asking the broker and its database"):
            stored, answered = await asyncio.gather(_examined(database, settings), ask(way, settings))
        facts = _Facts(configured(settings), stored, answered, datetime.now(UTC))
        for line in facts.first():
            yield line
        async with aclosing(_canary(wanted, show, _Place(way, settings, database), facts)) as steps:
            async for line in steps:
                yield line
        for line in facts.last():
            yield line
    finally:
        await database.close()


async def _examined(database: Database, settings: Settings) -> Stored:
    try:
        await database.open()
    except _NO_DATABASE as error:
        if settings.database_url is None:
            return Stored(problem=f"the embedded PostgreSQL of {settings.data_dir} does not run")
        return Stored(problem=reason_of(error))
    try:
        found = await doctor.examine(database)
    except Exception as error:  # noqa: BLE001 - whatever it was, it is a line, and all others are shown
        return Stored(problem=reason_of(error))
    if found.problem:
        return found
    try:
        return await doctor.watch(database, found)
    except Exception as error:  # noqa: BLE001 - as above
        return replace(found, unreadable=reason_of(error))


async def _canary(wanted: Wanted, show: Show, place: _Place, facts: _Facts) -> AsyncGenerator[Line, None]:
    """A whole task, or why there is none."""
    if not wanted.flies:
        return
    why = facts.answered.problem or facts.stored.problem or ("migrations are missing" if facts.stored.behind else "")
    if why:
        for about in canary.STEPS:
            yield about.unknown(why)
        return
    # In strict mode it counts for which address a request was signed.
    way = replace(place.way, base=facts.answered.base_url) if place.settings.strict else place.way
    with show.busy("a canary does a whole task"):
        async with aclosing(canary.fly(way, place.settings, place.database)) as steps:
            async for line in steps:
                yield line
