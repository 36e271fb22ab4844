"""Payments without a request: the Lightning node is asked, and what nobody has paid in time ends."""

from ainp.broker import Broker
from ainp.core.errors import BrokerError
from ainp.core.payment import Method, PaymentState
from ainp.operations import payments
from ainp.operations.payments import EXPIRY_BATCH
from ainp.store.payments import FIRST
from ainp.telemetry import logger
from ainp.telemetry.metrics import BOUGHT, PAYMENTS


async def run(broker: Broker) -> None:
    """
    Credit what was paid by Lightning, then end what was over when that began.

    In this order nothing ends that was paid; while the node does not answer, nothing of it ends.
    """
    began = await broker.database.clock()
    answered = await _look(broker)
    methods = [method for method in Method if answered or method is not Method.LIGHTNING]
    ended = EXPIRY_BATCH
    while ended == EXPIRY_BATCH:
        requests = await payments.expire_due(broker.database, before=began, methods=methods)
        ended = len(requests)
        for request in requests:
            PAYMENTS.of(request.method, request.state).count()


async def _look(broker: Broker) -> bool:
    """Ask of all that wait; whether that could be done."""
    lightning = None if broker.providers is None else broker.providers.lightning
    after = FIRST if lightning is not None else None
    while lightning is not None and after is not None:
        try:
            settled, after = await payments.look(broker.database, lightning, after=after)
        except BrokerError as error:
            logger().warning("Lightning node was not asked", error=error.message)
            return False
        for done in settled:
            request = done.kept.request
            PAYMENTS.of(request.method, request.state).count()
            if request.state is PaymentState.PAID:
                BOUGHT.of().count(request.amount)
    return True
