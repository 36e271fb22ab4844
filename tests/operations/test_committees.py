"""Epochs: published lists, rebuilt when they are old, kept as long as a receipt names them."""

import asyncio

import pytest

from ainp.core.committee import Eligibility, Epoch
from ainp.operations.committees import Epochs, get
from ainp.store import epochs
from ainp.store.db import Database
from support.api import an_api


async def test_a_small_network_draws_an_agent_that_registered_a_moment_ago(database_url: str) -> None:
    async with an_api(database_url) as api:
        client, agent = await api.register(2)
        await api.settled(client, agent)  # an epoch of two
        newcomers = await api.register(5, "newcomer")

        settled = await api.settled(client, agent)

        assert set(settled["receipt"]["committee"]) == set(newcomers)


async def test_a_list_that_did_not_change_keeps_its_number(database_url: str) -> None:
    async with an_api(database_url) as api:
        await api.register(6)
        first = await api.broker.epochs.rebuild(api.broker.database)

        second = await api.broker.epochs.rebuild(api.broker.database)

        assert first.id == second.id


async def test_a_fresh_list_is_not_rebuilt_within_its_minute(database_url: str) -> None:
    async with an_api(database_url) as api:
        await api.register(6)

        rebuilt = [await api.broker.epochs.refresh(api.broker.database) for _ in range(2)]

        assert rebuilt == [True, False]


async def test_an_old_list_that_was_the_newest_until_now_is_kept_for_who_has_read_it(database_url: str) -> None:
    async with an_api(database_url) as api:
        db = api.broker.database
        await api.register(7)
        old = await api.broker.epochs.rebuild(db)
        await db.execute("UPDATE committee_epochs SET created_at = now() - interval '2 hours'")
        await api.register(1, "second")

        await api.broker.epochs.refresh(db)

        newest = await epochs.newest(db)
        assert newest is not None
        assert newest.id > old.id
        assert await epochs.get(db, old.id) is not None


async def test_an_old_list_is_rebuilt_and_unnamed_ones_are_dropped(database_url: str) -> None:
    async with an_api(database_url) as api:
        db = api.broker.database
        client, agent, *_ = await api.register(7)
        named = (await api.settled(client, agent))["receipt"]["committee_epoch"]
        await api.register(1, "second")
        unnamed = (await api.broker.epochs.rebuild(db)).id
        await api.register(1, "third")
        latest = (await api.broker.epochs.rebuild(db)).id
        await api.register(1, "fourth")
        await db.execute("UPDATE committee_epochs SET created_at = now() - interval '2 hours'")

        await api.broker.epochs.refresh(db)

        kept = {row["id"] for row in await db.fetch("SELECT id FROM committee_epochs")}
        newest = await epochs.newest(db)
        assert newest is not None
        assert kept == {named, latest, newest.id}
        assert unnamed not in kept


async def test_a_stored_list_is_the_list_that_was_built(database_url: str) -> None:
    async with an_api(database_url) as api:
        await api.register(20)
        built = await api.broker.epochs.rebuild(api.broker.database)

        stored = await get(api.broker.database, built.id)

        assert stored.epoch.members == built.epoch.members
        assert stored.epoch.hash == stored.hash == built.epoch.hash


async def test_before_anyone_registers_the_list_is_empty(database_url: str) -> None:
    async with an_api(database_url) as api:
        built = await api.broker.epochs.rebuild(api.broker.database)

        assert built.epoch == Epoch((), (), ())


async def test_expired_and_idle_agents_are_not_listed(database_url: str) -> None:
    async with an_api(database_url) as api:
        expired, idle, alive = await api.register(3)
        db = api.broker.database
        await db.execute("UPDATE agents SET expires_at = now() - interval '1 second' WHERE did = $1", expired)
        await db.execute("UPDATE agents SET last_seen_at = now() - interval '169 hours' WHERE did = $1", idle)

        built = await api.broker.epochs.rebuild(db)

        assert built.epoch.members == (alive,)
        assert built.epoch.population == 3


async def test_many_who_want_a_list_at_once_load_it_once(database_url: str) -> None:
    async with an_api(database_url) as api:
        await api.register(6)
        newest = await api.broker.epochs.rebuild(api.broker.database)
        later = Epochs(api.broker.epochs.eligibility, committee_size=5)

        found = await asyncio.gather(*(later.named(api.broker.database, newest.id) for _ in range(8)))

        assert found[0].epoch == newest.epoch
        assert len({id(one) for one in found}) == 1


async def test_whoever_loads_a_list_gets_the_connection_of_who_waits_for_it(database_url: str) -> None:
    async with an_api(database_url) as api:
        await api.register(6)
        newest = await api.broker.epochs.rebuild(api.broker.database)
    database, epochs_ = Database(database_url, size=1), Epochs(api.broker.epochs.eligibility, committee_size=5)
    await database.open()
    async with database.transaction() as tx:
        loading = asyncio.create_task(epochs_.named(database, newest.id))
        await asyncio.sleep(0)

        found = await epochs_.named(tx, newest.id)

    assert found == await loading
    await database.close()


async def test_a_large_network_is_listed_and_loaded_as_a_small_one(database_url: str) -> None:
    async with an_api(database_url) as api:
        db = api.broker.database
        few = await api.register(3)
        await db.execute(
            "INSERT INTO agents (did, public_key, ttl, expires_at)"
            " SELECT 'did:key:z' || n, 'key', 86400000, now() + interval '1 day' FROM generate_series(1, 1200) n"
        )

        newest = await api.broker.epochs.rebuild(db)

        assert newest.epoch.members == tuple(sorted([*few, *(f"did:key:z{n}" for n in range(1, 1201))]))
        assert await Epochs(api.broker.epochs.eligibility, committee_size=5).named(db, newest.id) == newest


async def test_a_list_of_several_pages_has_every_agent_once(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(epochs, "PAGE", 3)
    async with an_api(database_url) as api:
        lists = Epochs(Eligibility(), committee_size=5)
        for number in (6, 7):  # two whole pages, then a part of a third
            await api.register(number - len((await lists.listed(api.broker.database)).members), f"agent {number}")
            listed = await lists.listed(api.broker.database)

            assert len(listed.members) == listed.population == number
            assert listed.members == tuple(sorted(set(listed.members)))


async def test_a_list_that_did_not_change_keeps_its_number_in_another_process(database_url: str) -> None:
    async with an_api(database_url) as api:
        await api.register(3)
        db = api.broker.database
        first = await Epochs(Eligibility(), committee_size=5).rebuild(db)
        again = await Epochs(Eligibility(), committee_size=5).rebuild(db)
        await api.register(1, "newcomer")
        other = await Epochs(Eligibility(), committee_size=5).rebuild(db)

        assert (again.id, again.epoch) == (first.id, first.epoch)
        assert other.id > first.id
