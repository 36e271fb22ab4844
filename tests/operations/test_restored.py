"""What the mission's rollback takes from receipts and reputations by hand, `migrate up` brings back."""

from uuid import uuid4

import asyncpg
import pytest

from ainp.core.audit import Finding
from ainp.operations import cohorts, fsck
from ainp.store import migrate
from ainp.store.db import Database
from ainp.worker import finalizer
from support.api import an_api
from support.builders import agents
from support.lived import live
from support.migrating import connected, roll_back_by_hand

_COURSE = "SELECT id, status, committee, k, m, judged_at FROM task_receipts ORDER BY id"
_VALUES = "SELECT agent_id, q, t, r, s, v, i, e, final_t, observations, clients FROM agent_reputation ORDER BY agent_id"


@pytest.mark.parametrize("numbers", [(21, 20), (21, 20, 19)], ids=["021 and 020", "021 to 019"])
async def test_a_network_that_has_lived_is_whole_after_rollback_and_up(
    database_url: str, numbers: tuple[int, ...]
) -> None:
    await live(database_url)
    await _finalizer(database_url)
    async with connected(database_url) as db:
        before = [tuple(row) for row in await db.fetch(_COURSE)]
        moved = [tuple(row) for row in await db.fetch(_VALUES) if sum(row["observations"])]
        await roll_back_by_hand(db, numbers)
        await migrate.up(db)
    await _finalizer(database_url)  # decides anew what was decided and not judged yet

    async with connected(database_url) as db:
        assert [tuple(row) for row in await db.fetch(_COURSE)] == before
        assert [tuple(row) for row in await db.fetch(_VALUES) if sum(row["observations"])] == moved
    assert await _findings(database_url) == []


async def test_what_was_judged_is_not_judged_again_after_down_and_up(database_url: str) -> None:
    await live(database_url)
    await _finalizer(database_url)
    async with connected(database_url) as db:
        judged = await db.fetch("SELECT id, status FROM task_receipts WHERE judged_at IS NOT NULL ORDER BY id")
        entries = await db.fetchval("SELECT count(*) FROM ledger_entries")
        await migrate.down(db, to=21)
        await migrate.up(db)
        await db.execute(
            "UPDATE task_receipts SET window_ends_at = now() - interval '1 second' WHERE id = ANY ($1)",
            [r["id"] for r in judged],
        )
    await _finalizer(database_url)

    async with connected(database_url) as db:
        still = await db.fetch(
            "SELECT id, status FROM task_receipts WHERE judged_at IS NOT NULL AND id = ANY ($1) ORDER BY id",
            [r["id"] for r in judged],
        )
        assert still == judged
        assert await db.fetchval("SELECT count(*) FROM ledger_entries") == entries
        assert await db.fetchval("SELECT count(*) FROM reputation_observations") == 0


async def test_what_was_paid_is_not_paid_again_after_the_tables_of_payments_were_dropped(database_url: str) -> None:
    await live(database_url)
    async with connected(database_url) as db:
        query = "SELECT id, owner_did, payee_did, amount_atomic, method FROM payment_requests WHERE status = 'paid'"
        paid = {tuple(row) for row in await db.fetch(query)}
        await migrate.down(db, to=37)
        await migrate.up(db)

        assert {tuple(row) for row in await db.fetch(query)} == paid
        assert len(paid) == 2
    assert await _findings(database_url) == []


@pytest.mark.parametrize("kept", [16, 30])
async def test_a_cohort_has_a_number_of_its_own_after_down_and_up(database_url: str, kept: int) -> None:
    first = await _try_out(database_url)
    async with connected(database_url) as db:
        await migrate.down(db, to=kept)
        await migrate.up(db)

    second = await _try_out(database_url)

    assert (first, second) == (-1, -2)
    assert await _findings(database_url) == []


async def test_a_cohort_finds_a_number_where_its_sequence_was_made_anew_before(database_url: str) -> None:
    assert [await _try_out(database_url) for _ in range(3)] == [-1, -2, -3]
    async with connected(database_url) as db:
        await migrate.down(db, to=30)
        await migrate.up(db, to=49)
        with pytest.raises(asyncpg.UniqueViolationError):
            await _try_out(database_url)
        await migrate.up(db)
        assert await _try_out(database_url) == -4

        await db.execute("DROP TABLE cohorts; DROP SEQUENCE cohort_numbers")
        await migrate.up(db)
        assert await _try_out(database_url) == -5


async def _try_out(url: str) -> int:
    """As `ainp doctor` does: the number of a cohort that is opened and closed."""
    async with an_api(url) as api:
        database, terms = api.broker.database, api.broker.terms
        number = await cohorts.begin(database, agents(7, str(uuid4())), lent=100_000)
        await cohorts.close(database, number, policy=terms.judging, epochs=api.broker.epochs)
        return number


async def _finalizer(url: str) -> None:
    async with an_api(url) as api:
        await finalizer.run(api.broker)


async def _findings(url: str) -> list[object]:
    database = Database(url, size=1)
    await database.open()
    try:
        return [event async for event in fsck.run(database) if isinstance(event, Finding)]
    finally:
        await database.close()
