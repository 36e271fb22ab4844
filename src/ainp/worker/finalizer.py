"""The finalizer: decides, extends, judges and seats whatever requests left to be done."""

from ainp.broker import Broker
from ainp.core.ids import TaskId
from ainp.operations import judging
from ainp.operations.lines import checking, concluded_lines, seated_lines
from ainp.operations.receipts import FIRST
from ainp.telemetry import log

_SEATING_BATCH = 1_000  # only looked at, most of them; a seat is rare


async def run(broker: Broker) -> None:
    """Work off everything that is due, a batch a transaction."""
    await _seat(broker)
    looked_at = 0
    while True:
        batch = broker.settings.pou_finalizer_batch
        concluded = await judging.finalize_due(
            broker.database, policy=broker.terms.judging, epochs=broker.epochs, batch=batch
        )
        looked_at += concluded.looked_at
        if concluded.looked_at < batch:
            log([checking(looked_at), *concluded_lines(concluded)])
            return
        log(concluded_lines(concluded))


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
