"""
What a process with sockets does beside answering: it says who is here, and hands over what has waited for them.

Not a job: every process does it for its own agents. Who comes is looked for four times, as somebody who has not seen
it come may have put a message into the queue until the last statement of that moment has ended.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial

from ainp.broker import Broker
from ainp.core.did import AgentDid
from ainp.core.errors import BrokerError
from ainp.operations import messages
from ainp.operations.presence import LEASE
from ainp.store.pool import STATEMENT_S
from ainp.telemetry import logger

_WRITE_EVERY_S = 0.05
_STAY_EVERY_S = LEASE.total_seconds() / 4
_LOOK_AFTER_S = (0.0, 1.0, 5.0, STATEMENT_S + 1.0)  # the third: what was lost with a socket a moment ago
_RELEASE_EVERY_S = 1.0
_RETRY_S = 1.0
_LAST_WORD_S = 2.0


async def deliver_forever(broker: Broker) -> None:
    """Do all of it until cancelled, also while the database is away for some time."""
    releasing = _Releasing(broker)
    try:
        await asyncio.gather(
            _every(_STAY_EVERY_S, lambda: broker.presence.stay(broker.database)),
            _every(_WRITE_EVERY_S, lambda: broker.presence.write(broker.database)),
            _every(_WRITE_EVERY_S, releasing.begin),
        )
    finally:
        releasing.end()
        with suppress(TimeoutError, BrokerError):
            async with asyncio.timeout(_LAST_WORD_S):
                await broker.presence.end(broker.database)


async def _every(seconds: float, do: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await do()
        except BrokerError:
            await asyncio.sleep(_RETRY_S)  # the database is away; what is to be written is kept
        except Exception as error:  # noqa: BLE001 - nobody restarts this loop
            logger().error("Delivery failed", error=str(error), exc_info=error)
            await asyncio.sleep(_RETRY_S)
        await asyncio.sleep(seconds)


class _Releasing:
    """A task for each agent that has come, until nothing waits for it."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._tasks: dict[AgentDid, asyncio.Task[None]] = {}
        self._again: set[AgentDid] = set()  # of those, who is told again what no socket took

    async def begin(self) -> None:
        """Take up whoever has come."""
        for did, fresh in self._broker.presence.take_arrived():
            if (before := self._tasks.pop(did, None)) is not None:
                before.cancel()
            if fresh:
                self._again.add(did)
            # Who comes beside one that is not done yet takes nothing from it.
            task = self._tasks[did] = asyncio.create_task(self._release(did, again=did in self._again))
            task.add_done_callback(partial(self._forget, did))

    def end(self) -> None:
        """Leave the rest to another process."""
        for task in self._tasks.values():
            task.cancel()

    async def _release(self, did: AgentDid, *, again: bool) -> None:
        presence, database = self._broker.presence, self._broker.database
        for pause in _LOOK_AFTER_S:
            await asyncio.sleep(pause)
            while presence.has(did):
                try:
                    more = await messages.release(database, did, again=again)
                except BrokerError:
                    await asyncio.sleep(_RETRY_S)
                    continue
                if not more:
                    break
                await asyncio.sleep(_RELEASE_EVERY_S)
            if not presence.has(did):
                return

    def _forget(self, did: AgentDid, ended: "asyncio.Task[None]") -> None:
        if self._tasks.get(did) is ended:
            del self._tasks[did]
            self._again.discard(did)
        if not ended.cancelled() and (error := ended.exception()) is not None:
            logger().error("Delivery failed", error=str(error), exc_info=error)
