"""
What a request with a key asks outside: a provider of payments, a server of embeddings.

All that such a request does is one transaction, and nothing of the database may be held while somebody takes their
time. So they are asked before it begins, once for all requests that come with the same key and body meanwhile.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ainp.core.errors import BrokerError
from ainp.http.call import Call, Reply
from ainp.http.route import Handler, Route
from ainp.store import idempotency
from ainp.store.idempotency import Scope


class Outside:
    """What is asked now, by keys and bodies."""

    def __init__(self) -> None:
        self._under_way: dict[tuple[Scope, bytes], asyncio.Task[Handler]] = {}

    @asynccontextmanager
    async def left(self, route: Route, call: Call, scope: Scope, body_hash: bytes) -> AsyncIterator[Handler]:
        """Ask, unless the key has an answer; what is left to be done in a transaction."""
        if await idempotency.used(call.db, scope):
            yield route.handler
            return
        asked = scope, body_hash
        found = self._under_way.get(asked)
        task = found or asyncio.create_task(_left(route, call))
        self._under_way[asked] = task
        try:
            yield await asyncio.shield(task)
        finally:
            if found is None:  # the answer is kept now, or there is none: who comes later finds it, or asks again
                del self._under_way[asked]


async def _left(route: Route, call: Call) -> Handler:
    """Ask; a refusal is for the transaction to make, as it may be the answer that is kept."""
    assert route.asks is not None
    try:
        return await route.asks(call)
    except BrokerError as error:
        return _refusing(error)


def _refusing(error: BrokerError) -> Handler:
    async def refuse(_: Call) -> Reply:
        raise error

    return refuse
