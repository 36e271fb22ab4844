"""kill -9 of `ainp work` while it pays an hour: it is paid wholly or not at all, and once."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest

from ainp.operations import rewards, usefulness
from ainp.store.db import Database
from support.builders import agents
from support.migrating import connected
from support.serving import Served, wait_until, working
from support.useful import register, trade, wait_out_the_hour, wrong_money

CREW = agents(60)
PAID = "[UsefulnessRewards] Distribution complete"
_PAYING = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    " AND query LIKE '%INSERT INTO ledger_entries%'"
)
_UNFINISHED = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    " AND xact_start IS NOT NULL AND backend_type = 'client backend'"
)
_BOOKED = "SELECT count(*), count(DISTINCT to_account) FROM ledger_entries WHERE reason = 'usefulness_reward'"


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    """An hour that has ended, with 59 to be rewarded for it."""
    wait_out_the_hour()
    db = Database(database_url, size=3)
    await db.open()
    await register(db, CREW)
    hour = rewards.hour_before(await db.clock())
    await rewards.pay(db, hour - timedelta(hours=1), rewards.RewardPolicy())
    await trade(db, [(CREW[0], worker) for worker in CREW[1:]], at=hour)
    await usefulness.aggregate(db)
    yield db
    await db.close()


async def test_an_hour_whose_payer_is_killed_is_paid_by_the_next(
    db: Database, database_url: str, tmp_path: Path
) -> None:
    settings = {
        "DATABASE_URL": database_url,
        "USEFULNESS_AGGREGATOR_CRON": "* * * * * *",
        "USEFULNESS_REWARD_POOL_ENABLED": "true",
        "USEFULNESS_REWARD_POOL_HOURLY": "1000000000n",
    }
    async with connected(database_url) as holder:
        with working(tmp_path / "data", "killed", **settings) as worker:
            await kill_while_it_pays(worker, db, holder)
        assert tuple(await db.fetchrow(_BOOKED) or ()) == (0, 0)
        assert len(await rewards.unpaid(db)) == 1

    with working(tmp_path / "data", "next", **settings) as worker:
        worker.wait_for(PAID)
        since = len(worker.messages)
        wait_until(lambda: "[UsefulnessAggregator] Starting aggregation job" in worker.messages[since:])
        worker.process.kill()
        worker.process.wait()

    paid = [line for line in worker.lines if line["message"] == PAID]
    assert [(line["recipients_count"], line["total_distributed"]) for line in paid] == [(59, str(59 * 100))]
    assert tuple(await db.fetchrow(_BOOKED) or ()) == (59, 59)
    assert await rewards.unpaid(db) == []
    assert await wrong_money(db) == []


async def kill_while_it_pays(worker: Served, db: Database, holder: asyncpg.Connection) -> None:
    """Hold the last account that is to be paid; kill the worker when it has come there, and let PostgreSQL go on."""
    async with holder.transaction():
        await holder.execute("SELECT FROM accounts WHERE account = $1 FOR UPDATE", f"available:{CREW[-1]}")
        while not await db.fetchval(_PAYING):
            assert worker.process.poll() is None, worker.log.read_text()
        worker.process.kill()
        worker.process.wait()
    while await db.fetchval(_UNFINISHED):
        pass
