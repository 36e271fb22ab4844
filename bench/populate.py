"""Agents for the broker that is measured."""

import asyncio
from collections.abc import Sequence

from ainp.core.did import AgentDid
from ainp.operations.committees import Epochs
from ainp.settings import load_settings
from ainp.store.db import Database
from bench import requests
from bench.measure import Bench


def populate(bench: Bench, dids: Sequence[AgentDid]) -> None:
    """Register agents, and publish the list that committees are drawn from."""
    bench.run([requests.register(did) for did in dids])
    asyncio.run(publish_epoch(bench.served.dsn))


async def publish_epoch(dsn: str) -> None:
    """List who may sit on a committee, as the job does every minute."""
    database = Database(dsn, size=1)
    await database.open()
    settings = load_settings(_env_file=None)
    try:
        await Epochs(settings.eligibility, committee_size=settings.pou_m).rebuild(database)
    finally:
        await database.close()
