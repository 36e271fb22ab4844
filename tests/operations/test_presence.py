"""Who is connected where: nobody is taken to be here whose socket never opened."""

import pytest

from ainp.core.errors import BrokerError
from ainp.operations.presence import Presence
from ainp.store.db import Database
from support.fragile import Death, Fragile
from support.signing import identity

DID = identity("comes and goes").did


async def test_who_could_not_come_in_is_not_here(database_url: str) -> None:
    """The visit was noted, and the answer lost: whoever sends would take the agent to be connected."""
    database, here = Database(database_url, size=2), Presence()
    await database.open()
    try:
        with pytest.raises(BrokerError):
            await here.enter(Fragile(database, Death(0, after=True)), DID, fresh=True)
        assert not here.has(DID)
        assert await database.fetchval("SELECT count(*) FROM presence") == 1

        await here.write(database)
        assert await database.fetchval("SELECT count(*) FROM presence") == 0

        await here.enter(database, DID, fresh=True)
        await here.write(database)
        assert await database.fetchval("SELECT count(*) FROM presence") == 1
    finally:
        await database.close()
