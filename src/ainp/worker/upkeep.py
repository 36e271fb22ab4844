"""Everything that is done regularly beside finalizing: expiry, lists of candidates, balances, old keys and events."""

import asyncio
from contextlib import suppress
from datetime import timedelta

from ainp.broker import Broker
from ainp.core.errors import BrokerError, EmbeddingsUnavailable
from ainp.operations import (
    accounts,
    agents,
    cohorts,
    embedding,
    events,
    groups,
    measurements,
    memories,
    messages,
    negotiations,
    requests,
    seats,
    stakes,
    trail,
    trust_ranks,
)
from ainp.operations.groups import ROUND_BATCH
from ainp.operations.negotiations import EXPIRY_BATCH
from ainp.operations.presence import forget_processes
from ainp.operations.seats import BATCH as SEATS_BATCH
from ainp.operations.stakes import PAYOUT_BATCH
from ainp.telemetry import Line, log, logger
from ainp.telemetry.metrics import AUDIT_LEFT_OUT, GROUPS, NEGOTIATIONS, STAKE_EVENTS

NOTICE_EVERY_S = 30
MEASURE_EVERY_S = 5
FLUSH_EVERY_S = 1
_LAST_FLUSH_S = 2.0  # for what a process that ends has still to write
_SEATS_AFTER_S = (0.02, 0.1, 0.5)  # until those who write at this moment are through


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


async def end_rounds(broker: Broker) -> None:
    """End rounds of groups whose time is over."""
    while True:
        moves = await groups.end_rounds(broker.database)
        for moved in moves:
            GROUPS.of(moved.event).count()
        if len(moves) < ROUND_BATCH:
            return


async def refresh_epoch(broker: Broker) -> None:
    """Publish who may sit on a committee."""
    await broker.epochs.refresh(broker.database)


async def roll_up(broker: Broker) -> None:
    """Fold the income of hot accounts into their balances."""
    await accounts.roll_up(broker.database)


async def list_seats(broker: Broker) -> None:
    """List who sits on the receipts that have come; the next run does it where somebody writes for long."""
    mark = await seats.mark(broker.database)
    for pause in _SEATS_AFTER_S:
        await asyncio.sleep(pause)
        listed: int | None = SEATS_BATCH
        while listed is not None and listed >= SEATS_BATCH:
            listed = await seats.list_on(broker.database, mark)
        if listed is not None:
            return


async def forget_keys(broker: Broker) -> None:
    """Drop idempotency keys that are older than a day."""
    while await requests.forget_keys(broker.database):
        pass


async def forget_nonces(broker: Broker) -> None:
    """Drop nonces whose signatures are void by now."""
    while await requests.forget_nonces(broker.database):
        pass


async def forget_messages(broker: Broker) -> None:
    """Drop messages that have expired, mail that is too old, and processes that have gone without a word."""
    kept = timedelta(days=broker.settings.mail_retention_days)
    await messages.forget(broker.database, mail_older_than=kept)
    await forget_processes(broker.database)


async def forget_events(broker: Broker) -> None:
    """Drop events that are older than anybody may resume from."""
    kept = timedelta(days=broker.settings.events_retention_days)
    while await events.forget_old(broker.database, older_than=kept):
        pass


async def pay_withdrawals(broker: Broker) -> None:
    """Give back what agents have withdrawn, once its time has come."""
    paid = PAYOUT_BATCH
    while paid == PAYOUT_BATCH:
        paid = await stakes.pay_out_due(broker.database)
        STAKE_EVENTS.of("unstaked").count(paid)


async def close_cohorts(broker: Broker) -> None:
    """End what was tried out by somebody who has died, and give its money back."""
    closed = await cohorts.close_overdue(broker.database, policy=broker.terms.judging, epochs=broker.epochs)
    if closed:
        log([Line("Closed cohorts that nobody had closed", {"cohorts": closed})])


async def forget_records(broker: Broker) -> None:
    """Drop what the audit trail keeps no longer."""
    kept = timedelta(days=broker.settings.audit_retention_days)
    while await trail.forget_old(broker.database, older_than=kept):
        pass


async def rank_by_trust(broker: Broker) -> None:
    """Let rankings know how far agents are trusted now."""
    await trust_ranks.refresh(broker.database)


async def begin_discovery(broker: Broker) -> None:
    """Have the model at hand before the first search, or say why there is none."""
    try:
        if broker.discovery.embedder is not None:
            await broker.discovery.embed(broker.database, ["ready"])
    except BrokerError as error:
        logger().warning(error.message)


async def embed_missing(broker: Broker) -> None:
    """Make the vectors that capabilities lack: registered while the model was away, or before it was this one."""
    try:
        done = await embedding.fill_all(broker.database, broker.discovery)
    except EmbeddingsUnavailable:
        return  # readiness says so; who searches is told
    if done:
        log([Line("Embedded capabilities that had no vector", {"embedded": done})])


async def distill(broker: Broker) -> None:
    """Remember what agents that want it were sent."""
    if broker.memories is not None and (made := await memories.distill_all(broker.database, broker.memories)):
        log([Line("Mail was distilled", {"memories": made})])


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


async def record_forever(broker: Broker) -> None:
    """Write down what this process has refused, also what is left when it ends."""
    try:
        while True:
            await asyncio.sleep(FLUSH_EVERY_S)
            await _record(broker)
    finally:
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_FLUSH_S):
                await _record(broker)


async def _record(broker: Broker) -> None:
    try:
        lost = await trail.flush(broker.database, broker.refusals)
    except Exception as error:  # noqa: BLE001 - nobody restarts this loop
        logger().error("[audit] Job error", error=str(error), exc_info=error)
    else:
        AUDIT_LEFT_OUT.of().count(lost)
