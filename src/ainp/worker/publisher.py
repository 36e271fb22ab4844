"""
The publisher: moves events from the outbox to where their receivers read them, numbered for each.

One process leads, by an advisory lock on a connection of its own; the others try every second. What is lost with the
connection is the lock alone: a batch is one statement, and it is in the outbox or published.
"""

import asyncio

from ainp.core.errors import BrokerError
from ainp.store import events, jobs
from ainp.store.db import Database, Session, Transaction
from ainp.telemetry import logger
from ainp.telemetry.metrics import PUBLISHED

NAME = "event-publisher"
_BATCH = 1_000
_LOOK_EVERY_S = 0.05  # how long an event waits; what comes meanwhile is cheaper together
_TRY_EVERY_S = 1.0


async def publish_forever(database: Database) -> None:
    """Publish whenever this process leads, until cancelled; a database that is gone is waited for."""
    failed = ""
    while True:
        try:
            async with database.dedicated() as connection:
                own = Transaction(connection)
                while not await jobs.lock(own, NAME):  # noqa: ASYNC110 - another process gives it back
                    await asyncio.sleep(_TRY_EVERY_S)
                await events.waiting(own)  # before it says that it leads: the tables may be missing
                failed = ""
                await _lead(own)
        except Exception as error:  # noqa: BLE001 - nobody restarts this loop
            reason = str(error) or type(error).__name__
            if reason != failed:  # once, not every second
                bug = None if isinstance(error, BrokerError) else error
                logger().error("Event publisher stopped, trying again", error=reason, exc_info=bug)
            failed = reason
        await asyncio.sleep(_TRY_EVERY_S)


async def _lead(own: Session) -> None:
    logger().info("Event publisher leads")
    while True:
        while await events.waiting(own):
            PUBLISHED.of().count(await events.publish(own, batch=_BATCH))
        await asyncio.sleep(_LOOK_EVERY_S)
