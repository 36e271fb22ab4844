"""
The publisher: moves events from the outbox to where their receivers read them, numbered for each.

One process leads, by an advisory lock on a connection of its own; the others try every second. What is lost with the
connection is the lock alone: a batch is one statement, and it is in the outbox or published.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from ainp.adapters.nats import Bus
from ainp.core.errors import BrokerError
from ainp.store import events, jobs
from ainp.store.db import Database, Session, Transaction
from ainp.telemetry import logger
from ainp.telemetry.metrics import PUBLISHED
from ainp.worker.bus import hand_on_forever

NAME = "event-publisher"
_BATCH = 1_000
_LOOK_EVERY_S = 0.05  # how long an event waits; what comes meanwhile is cheaper together
_LOOK_SOON_S = 0.003  # while agents talk to each other through other processes, and wait for an answer
_LOOK_BESIDE_S = 0.01  # while they talk through this process, which says so: some may come through others meanwhile
_TALK_S = 1.0  # for so long after a message they do
_TRY_EVERY_S = 1.0


async def publish_forever(database: Database, bus: Bus | None = None, *, talked: asyncio.Event | None = None) -> None:
    """
    Publish whenever this process leads, also to *bus*, until cancelled; a database that is gone is waited for.

    *talked* is set by requests of this process that have sent a message.
    """
    talked = asyncio.Event() if talked is None else talked
    failed = ""
    while True:
        try:
            async with database.dedicated() as connection:
                own = Transaction(connection)
                while not await jobs.lock(own, NAME):  # noqa: ASYNC110 - another process gives it back
                    await asyncio.sleep(_TRY_EVERY_S)
                await events.waiting(own)  # before it says that it leads: the tables may be missing
                failed = ""
                async with _handing_on(database, bus) as published:
                    await _lead(own, published, talked)
        except Exception as error:  # noqa: BLE001 - nobody restarts this loop
            reason = str(error) or type(error).__name__
            if reason != failed:  # once, not every second
                bug = None if isinstance(error, BrokerError) else error
                logger().error("Event publisher stopped, trying again", error=reason, exc_info=bug)
            failed = reason
        await asyncio.sleep(_TRY_EVERY_S)


@asynccontextmanager
async def _handing_on(database: Database, bus: Bus | None) -> AsyncIterator[asyncio.Event]:
    """As long as this process leads, it is also the one that hands on; what is given back tells it of more."""
    published = asyncio.Event()
    task = None if bus is None else asyncio.create_task(hand_on_forever(database, bus, published), name="bus")
    try:
        yield published
    finally:
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def _lead(own: Session, published: asyncio.Event, talked: asyncio.Event) -> None:
    logger().info("Event publisher leads")
    loop = asyncio.get_running_loop()
    talk_ends = others_end = loop.time()
    while True:
        told = talked.is_set()  # then there is something, and nobody has to look whether
        talked.clear()
        if told or await events.waiting(own):
            count, messages = await events.publish(own, batch=_BATCH)
            PUBLISHED.of().count(count)
            published.set()
            if messages:
                talk_ends = loop.time() + _TALK_S
                others_end = others_end if told else talk_ends
            if count == _BATCH:
                talked.set()  # there may be more
        now = loop.time()
        pause_s = _LOOK_SOON_S if now < others_end else _LOOK_BESIDE_S if now < talk_ends else _LOOK_EVERY_S
        with suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await talked.wait()
