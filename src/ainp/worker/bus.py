"""
Handing on: what was published goes to the bus, in order, until it has acknowledged all of it.

The publisher that leads does it beside publishing, so that a bus that is away keeps nobody waiting. How far it is
stands in the database; whoever leads next goes on from there, and what it sends a second time falls out by its id.
"""

import asyncio
from contextlib import suppress

from ainp.adapters.nats import Bus, BusAway
from ainp.core.bus import BUS, letters
from ainp.core.errors import BrokerError
from ainp.store import handed_on
from ainp.store.db import Database
from ainp.telemetry import logger
from ainp.telemetry.metrics import BUS_BEHIND, HANDED_ON

_BATCH = 200
_LOOK_EVERY_S = 1.0
_RETRY_S = 1.0


async def hand_on_forever(database: Database, bus: Bus, published: asyncio.Event) -> None:
    """Hand on whenever something was *published*, until cancelled; a bus or a database that is gone is waited for."""
    failed = ""
    try:
        while True:
            try:
                await _hand_on(database, bus, published)
            except Exception as error:  # noqa: BLE001 - nobody restarts this loop
                reason = str(error) or type(error).__name__
                if reason != failed and bus.connected:  # once; and that it is not there is said elsewhere
                    bug = None if isinstance(error, BusAway | BrokerError) else error
                    logger().error("Events are not handed on to NATS, trying again", error=reason, exc_info=bug)
                failed = reason
            await _measure(database)
            await asyncio.sleep(_RETRY_S)
    finally:
        BUS_BEHIND.of().set(0)


async def _hand_on(database: Database, bus: Bus, published: asyncio.Event) -> None:
    at = await handed_on.begin(database, BUS)
    while True:
        published.clear()
        while found := await handed_on.following(database, at, _BATCH):
            newest = found[-1][1].position
            bus.wake(newest)
            sent = [letter for event, told in found for letter in letters(event, told)]
            await bus.publish(sent)
            await handed_on.advance(database, BUS, newest)
            at = newest
            HANDED_ON.of().count(len(sent))
        BUS_BEHIND.of().set(0)
        with suppress(TimeoutError):
            async with asyncio.timeout(_LOOK_EVERY_S):
                await published.wait()


async def _measure(database: Database) -> None:
    with suppress(BrokerError):
        BUS_BEHIND.of().set(await handed_on.behind_s(database, BUS) or 0)
