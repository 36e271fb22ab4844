"""Whether the database answers, asked while it says nothing."""

import asyncio

import pytest

from ainp.core.errors import DatabaseUnavailable
from ainp.store import pulse
from ainp.store.db import Database
from ainp.store.embedded import EmbeddedPostgres
from support.database import a_folder
from support.proxy import a_wire


async def test_a_database_that_says_nothing_is_waited_for_a_little_and_by_one_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pulse, "PATIENCE_S", 0.2)
    with (
        a_folder() as home,
        a_folder() as between,
        EmbeddedPostgres(home, durable=False) as postgres,
        a_wire(postgres.dsn, between) as wire,
    ):
        database = Database(wire.url, size=5)
        await database.open()
        await database.pulse.feel()

        wire.set(dead=True)
        told = await asyncio.gather(*(database.pulse.feel() for _ in range(20)), return_exceptions=True)

        assert {type(error) for error in told} == {DatabaseUnavailable}
        assert database.pool is not None
        assert database.pool.in_use == 1

        wire.set()
        monkeypatch.undo()
        await database.pulse.feel()
        await database.close()


async def test_a_database_that_is_gone_says_so_to_all_who_ask(database_url: str) -> None:
    database = Database(database_url)
    await database.open()
    await database.pulse.feel()
    await database.close()

    told = await asyncio.gather(*(database.pulse.feel() for _ in range(3)), return_exceptions=True)

    assert [str(error) for error in told] == ["the database is closed"] * 3
