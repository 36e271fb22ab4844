"""Handing on to NATS: everything, once it can; and what agents and operators notice without it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from ainp.adapters.nats import Bus
from ainp.core.bus import BUS, Stream
from ainp.store import events as stored
from ainp.store import handed_on
from ainp.store.queries import load
from ainp.worker.publisher import publish_forever
from support.api import Api, an_api
from support.builders import agents
from support.listening import a_telling_broker, a_whole_job, listening, published, tell
from support.nats import NatsServer, a_client, a_nats, kept
from support.said import what_is_logged

DID, OTHER = agents(2, "reader")


@asynccontextmanager
async def handing_on(database_url: str, nats: NatsServer, **settings: object) -> AsyncIterator[Api]:
    """A broker that publishes, also to NATS."""
    async with an_api(database_url, nats_url=nats.url, **settings) as api:
        bus = api.broker.bus
        assert bus is not None
        tasks = [
            asyncio.create_task(bus.keep_connected()),
            asyncio.create_task(publish_forever(api.broker.database, bus, talked=api.broker.talked)),
        ]
        try:
            yield api
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)


def bus_of(api: Api) -> Bus:
    assert api.broker.bus is not None
    return api.broker.bus


async def handed_on_upto(api: Api, position: int) -> None:
    async with asyncio.timeout(30):
        while await handed_on.begin(api.broker.database, BUS) < position:  # noqa: ASYNC110 - the database tells nobody
            await asyncio.sleep(0.02)


async def numbers(nats: NatsServer, subject: str, upto: int) -> list[int]:
    async with a_client(nats) as client:
        return [letter.number for letter in await kept(client, subject, durable="reader", upto=upto)]


async def test_a_whole_job_is_on_the_bus_as_it_is_on_sockets(database_url: str) -> None:
    with a_nats() as nats:
        async with handing_on(database_url, nats) as api:
            await until(lambda: bus_of(api).connected)
            await handed_on.begin(api.broker.database, BUS)
            client, agent, *_ = await api.register()
            await a_whole_job(api, client, agent)
            async with asyncio.timeout(30):
                while await stored.waiting(api.broker.database):  # noqa: ASYNC110 - the database tells nobody
                    await asyncio.sleep(0.01)
            last = await api.broker.database.fetchval("SELECT last FROM publication")
            await handed_on_upto(api, last)

            page = await stored.PublishedEvents(api.broker.database).page(client, 0, 100)
            async with a_client(nats) as reader:
                found = [
                    letter
                    for stream in (Stream.NEGOTIATIONS, Stream.EVENTS)
                    for letter in await kept(reader, stream.subject(client), durable="d", stream=stream)
                ]
        in_order = sorted(found, key=lambda letter: letter.number)
        assert [letter.number for letter in in_order] == list(range(1, page.last + 1))
        wanted = [{**json.loads(body or ""), "number": number} for number, body in page.rows]
        assert [json.loads(letter.payload) for letter in in_order] == wanted


async def test_what_happens_while_nats_is_away_comes_when_it_is_back(database_url: str) -> None:
    with a_nats() as nats:
        async with handing_on(database_url, nats) as api:
            await handed_on.begin(api.broker.database, BUS)
            await tell(api, DID, *"abc")
            await handed_on_upto(api, 3)
            nats.kill()
            await tell(api, DID, *"def")
            await published(api, DID, 6)  # sockets don't wait for it
            assert (await api.get("/health"))["modes"]["nats"].startswith("away")
            assert await handed_on.begin(api.broker.database, BUS) == 3
            nats.start()
            await handed_on_upto(api, 6)

            assert await numbers(nats, Stream.EVENTS.subject(DID), 6) == [1, 2, 3, 4, 5, 6]


async def test_a_batch_that_nobody_has_noted_down_is_not_kept_twice(database_url: str) -> None:
    with a_nats() as nats:
        async with handing_on(database_url, nats) as api:
            await handed_on.begin(api.broker.database, BUS)
            await tell(api, DID, *"abcde")
            await handed_on_upto(api, 5)
        await _forget_since(database_url, 2)
        async with handing_on(database_url, nats) as api:
            await tell(api, DID, "f")
            await handed_on_upto(api, 6)

        assert await numbers(nats, Stream.EVENTS.subject(DID), 6) == [1, 2, 3, 4, 5, 6]


async def _forget_since(database_url: str, position: int) -> None:
    async with an_api(database_url) as api:
        await api.broker.database.execute("UPDATE handed_on SET position = $1", position)


async def test_a_bus_that_is_new_gets_what_happens_from_now_on(database_url: str) -> None:
    with a_nats() as nats:
        async with a_telling_broker(database_url) as old:
            await tell(old.api, DID, "before")
            await published(old.api, DID, 1)
        async with handing_on(database_url, nats) as api:
            async with asyncio.timeout(30):
                while await handed_on.behind_s(api.broker.database, BUS) is None:  # noqa: ASYNC110 - as above
                    await asyncio.sleep(0.01)
            await tell(api, DID, "after")
            await handed_on_upto(api, 2)

        assert await numbers(nats, Stream.EVENTS.subject(DID), 2) == [2]


async def test_streams_that_somebody_deletes_are_made_again(database_url: str) -> None:
    with a_nats() as nats, what_is_logged() as said:
        async with handing_on(database_url, nats) as api, a_client(nats) as client:
            await handed_on.begin(api.broker.database, BUS)
            await tell(api, DID, "a")
            await handed_on_upto(api, 1)
            await client.jetstream().delete_stream(Stream.EVENTS)
            await tell(api, DID, "b")
            await handed_on_upto(api, 2)

            assert await numbers(nats, Stream.EVENTS.subject(DID), 2) == [2]
    assert said.messages.count("Events are not handed on to NATS, trying again") == 1


async def test_a_socket_hears_by_nats_where_notices_of_postgresql_get_lost(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    silently = load("events")["publish"].replace("pg_notify('ainp_events', text)", "text")
    monkeypatch.setitem(stored._SQL, "publish", silently)
    monkeypatch.setattr(stored, "_LOOK_EVERY_S", 3600)
    with a_nats() as nats:
        async with (
            a_telling_broker(database_url, publishes=False, nats_url=nats.url) as listens,
            handing_on(database_url, nats) as publishes,
        ):
            keeper = asyncio.create_task(bus_of(listens.api).keep_connected())
            await until(lambda: bus_of(listens.api).connected and bus_of(publishes).connected)
            await handed_on.begin(publishes.broker.database, BUS)
            async with listening(listens.port, DID, since=0) as reader:
                for number in (1, 2):
                    await tell(publishes, DID, "x")
                    assert (await reader.next())["number"] == number
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)


async def test_health_and_readiness_say_how_nats_is(database_url: str) -> None:
    with a_nats() as nats:
        async with handing_on(database_url, nats) as api:
            await until(lambda: bus_of(api).connected)
            assert (await api.get("/health"))["modes"]["nats"] == "configured"
            assert (await api.get("/health/ready"))["checks"]["nats"] == "ok (configured)"
            await handed_on.begin(api.broker.database, BUS)
            nats.kill()
            await until(lambda: not bus_of(api).connected)

            found = await api.get("/health")
            assert (found["status"], found["connections"]["nats"]) == ("healthy", False)
            ready = await api.get("/health/ready")
            assert ready["status"] == "ready"
            assert ready["checks"]["nats"] == "away: brokers hear of events from PostgreSQL alone"

            await tell(api, DID, "waits")
            await published(api, DID, 1)
            await api.broker.database.execute("UPDATE events SET published_at = now() - interval '1 minute'")
            assert (await handed_on.behind_s(api.broker.database, BUS) or 0) >= 60
            nats.start()
            await until(lambda: bus_of(api).connected)
            await handed_on_upto(api, 1)
            assert (await api.get("/health"))["connections"]["nats"] is True
