"""Everything that is done regularly beside finalizing: expiry, lists of candidates, balances, old keys and events."""

import asyncio
from datetime import timedelta

from ainp.broker import Broker
from ainp.core.errors import BrokerError
from ainp.operations import accounts, agents, events, measurements, negotiations, requests
from ainp.operations.negotiations import EXPIRY_BATCH
from ainp.telemetry import Line, log, logger
from ainp.telemetry.metrics import NEGOTIATIONS

NOTICE_EVERY_S = 30
MEASURE_EVERY_S = 5


async def expire(broker: Broker) -> None:
    """End negotiations whose time is over, and give reservations back."""
    expired = released = 0
    while True:
        done = await negotiations.expire_due(broker.database)
        expired, released = expired + done.expired, released + done.released
        NEGOTIATIONS.of("expired").count(done.expired)
        if done.expired < EXPIRY_BATCH:
            break
    if expired:
        log([Line("Expired stale negotiations", {"expired": expired, "released": released})])


async def refresh_epoch(broker: Broker) -> None:
    """Publish who may sit on a committee."""
    await broker.epochs.refresh(broker.database)


async def roll_up(broker: Broker) -> None:
    """Fold the income of hot accounts into their balances."""
    await accounts.roll_up(broker.database)


async def forget_keys(broker: Broker) -> None:
    """Drop idempotency keys that are older than a day."""
    while await requests.forget_keys(broker.database):
        pass


async def forget_events(broker: Broker) -> None:
    """Drop events that are older than anybody may resume from."""
    kept = timedelta(days=broker.settings.events_retention_days)
    while await events.forget_old(broker.database, older_than=kept):
        pass


async def measure(broker: Broker) -> None:
    """Add up and count what a scrape must not wait for."""
    await measurements.measure(broker.database)


async def measure_forever(broker: Broker) -> None:
    """Write down what this process uses, for whichever process is asked for the metrics of all."""
    while True:
        broker.measure()
        await asyncio.sleep(MEASURE_EVERY_S)


async def notice_forever(broker: Broker) -> None:
    """Write down who was seen by this process; not a job, as each process sees others."""
    while True:
        await asyncio.sleep(NOTICE_EVERY_S)
        if seen := broker.take_seen():
            try:
                await agents.seen(broker.database, seen)
            except BrokerError:
                pass  # a database that is gone; who matters is seen again
            except Exception as error:  # noqa: BLE001 - nobody restarts this loop
                logger().error("[notice] Job error", error=str(error), exc_info=error)
