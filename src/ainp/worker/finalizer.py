"""The finalizer: decides, extends, judges and seats whatever requests left to be done."""

import asyncio

from ainp.broker import Broker
from ainp.core.ids import TaskId
from ainp.operations import judging
from ainp.operations.judging import Concluded
from ainp.operations.lines import checking, concluded_lines, seated_lines
from ainp.operations.receipts import FIRST
from ainp.store.db import Stale
from ainp.telemetry import log

_LANES = 2
_PATIENCE = 20
_SEATING_BATCH = 1_000  # only looked at, most of them; a seat is rare


async def run(broker: Broker) -> None:
    """Work off everything that is due, a batch a transaction; where it is more than one, two at a time."""
    await _seat(broker)
    first = await _batch(broker)
    if first.looked_at < broker.settings.pou_finalizer_batch:
        log([checking(first.looked_at), *concluded_lines(first)])
        return
    log(concluded_lines(first))
    # While PostgreSQL writes one batch, the next is worked out here.
    rest = await asyncio.gather(*(_work_off(broker) for _ in range(_LANES)), return_exceptions=True)
    log([checking(first.looked_at + sum(done for done in rest if isinstance(done, int)))])
    for done in rest:
        if isinstance(done, BaseException):
            raise done


async def _work_off(broker: Broker) -> int:
    """Batch after batch until one is not full; how many receipts were looked at."""
    looked_at = met = 0
    while True:
        try:
            concluded = await _batch(broker)
        except Stale:  # it met the other lane, or a request, crosswise, and nothing was written
            met += 1
            if met > _PATIENCE:
                raise
            continue
        log(concluded_lines(concluded))
        looked_at += concluded.looked_at
        if concluded.looked_at < broker.settings.pou_finalizer_batch:
            return looked_at


async def _batch(broker: Broker) -> Concluded:
    return await judging.finalize_due(
        broker.database,
        policy=broker.terms.judging,
        epochs=broker.epochs,
        batch=broker.settings.pou_finalizer_batch,
    )


async def _seat(broker: Broker) -> None:
    after = (FIRST[0], TaskId(FIRST[1]))
    while True:
        done = await judging.seat_due(
            broker.database, after=after, policy=broker.terms.judging, epochs=broker.epochs, batch=_SEATING_BATCH
        )
        log(seated_lines(done))
        if done.last is None or done.looked_at < _SEATING_BATCH:
            return
        after = done.last
