"""The feed, on PostgreSQL: whatever is lost on the way, a subscription gives out every event once and in order."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence

import pytest

from ainp.adapters.events import Feed, Subscription
from ainp.core.errors import InvalidRequest
from ainp.core.events import Told, frame
from ainp.store import events
from ainp.store.db import Database
from ainp.store.events import PublishedEvents
from ainp.store.queries import load
from support.api import Api, an_api
from support.builders import agents, an_agent
from support.listening import a_telling_broker, a_whole_job, listening, published, tell
from support.races import wait_until

DID = an_agent("reader")
SILENTLY = load("events")["publish"].replace("pg_notify('ainp_events', text)", "text")


@pytest.fixture
async def api(database_url: str) -> AsyncIterator[Api]:
    async with an_api(database_url) as api:
        following = asyncio.create_task(api.broker.events.follow_forever())
        yield api
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


class Counting(PublishedEvents):
    """What is published, and up to where it was read by position."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.read: list[int] = []

    async def between(self, after: int, upto: int, dids: Sequence[str] | None) -> list[Told]:
        self.read.append(upto)
        return await super().between(after, upto, dids)


async def read(subscription: Subscription, count: int) -> list[int]:
    """The numbers of the next events."""
    found: list[int] = []
    frames = subscription.frames()
    async with asyncio.timeout(20):
        async for text in frames:
            found.append(json.loads(text)["number"])
            if len(found) == count:
                break
    await frames.aclose()
    return found


async def test_what_a_notice_carries_is_told_as_it_was_written_and_not_read(api: Api) -> None:
    source = Counting(api.broker.database)
    feed = Feed(source)
    following = asyncio.create_task(feed.follow_forever())
    bodies = ['{"a": 1.0,  "é\\u00e9":"\\"]"}', '{"large":"' + "é" * 3500 + '"}', '{"b":[]}', '{"half":"\\ud800"}']
    try:
        with feed.subscribe(DID) as subscription:
            await subscription.begin(None)
            frames = subscription.frames()
            for number, body in enumerate(bodies, 1):
                await events.append(api.broker.database, "x", DID, body)
                await events.publish(api.broker.database, batch=10)
                async with asyncio.timeout(5):
                    assert await anext(frames) == frame(body, number)
            await frames.aclose()
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)

    assert source.read == [2, 4]  # what is too large for a notice, and what is no UTF-8


async def test_a_lost_notice_delays_an_event_and_loses_none(api: Api) -> None:
    assert "pg_notify" not in SILENTLY
    with api.broker.events.subscribe(DID) as subscription:
        await subscription.begin(None)
        await tell(api, DID, "heard")
        await events.publish(api.broker.database, batch=10)
        assert await read(subscription, 1) == [1]
        await tell(api, DID, "unheard")
        await api.broker.database.execute(SILENTLY, 10)

        assert await read(subscription, 1) == [2]


async def test_a_lost_connection_is_made_again_and_loses_none(api: Api) -> None:
    with api.broker.events.subscribe(DID) as subscription:
        await subscription.begin(None)
        for number in range(1, 4):
            await tell(api, DID, "x")
            await events.publish(api.broker.database, batch=10)
            assert await read(subscription, 1) == [number]
            await api.broker.database.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                " AND pid <> pg_backend_pid()"
            )


async def test_a_reader_that_is_slower_than_events_come_reads_the_rest_by_number(api: Api) -> None:
    with api.broker.events.subscribe(DID) as subscription:
        await subscription.begin(None)
        for start in range(0, 1200, 300):
            await tell(api, DID, *(str(number) for number in range(start, start + 300)))
            await events.publish(api.broker.database, batch=1000)
            await asyncio.sleep(0.05)

        assert await read(subscription, 1200) == list(range(1, 1201))


async def test_readers_of_many_receivers_get_their_own(api: Api) -> None:
    dids = agents(40)
    feed, db = api.broker.events, api.broker.database

    async def one(did: str, place: int) -> list[int]:
        with feed.subscribe(did) as subscription:
            await subscription.begin(None)
            await asyncio.sleep(0.001 * place)
            return await read(subscription, 20)

    reading = asyncio.gather(*(one(did, place) for place, did in enumerate(dids)))
    await wait_until(lambda: all(feed.count(did) for did in dids))
    await asyncio.sleep(0.1)
    for _ in range(20):
        await db.execute("INSERT INTO outbox (event, recipients, body) VALUES ('x', $1, '{\"a\":1}')", list(dids))
        await events.publish(db, batch=10)

    assert await reading == [list(range(1, 21))] * 40


async def test_one_who_comes_while_events_are_read_misses_none(api: Api) -> None:
    feed, stop = api.broker.events, asyncio.Event()

    async def publish() -> None:
        while not stop.is_set():
            await tell(api, DID, "a", "b", "c")
            await events.publish(api.broker.database, batch=100)

    async def come_and_go() -> None:
        for _ in range(15):
            with feed.subscribe(DID) as subscription:
                await subscription.begin(None)
                numbers = await read(subscription, 5)
                assert numbers == list(range(numbers[0], numbers[0] + 5))

    publishing = asyncio.create_task(publish())
    await asyncio.gather(*(come_and_go() for _ in range(4)))
    stop.set()
    await publishing


async def test_a_number_that_was_never_told_is_refused(api: Api) -> None:
    expected = pytest.raises(InvalidRequest, match="found 3, the last event has number 0")
    with api.broker.events.subscribe(DID) as subscription, expected:
        await subscription.begin(3)


async def test_numbers_that_began_anew_are_followed(api: Api) -> None:
    """The tables were taken away and made again, as a rollback does."""
    db = api.broker.database
    for _ in range(2):
        with api.broker.events.subscribe(DID) as subscription:
            await subscription.begin(None)
            await tell(api, DID, "x", "y")
            await events.publish(db, batch=10)
            assert await read(subscription, 2) == [1, 2]
        await wait_until(lambda: api.broker.events._seen == 2)  # it may have read them before it was told of them
        await db.execute("TRUNCATE events, deliveries, receivers")
        await db.execute("UPDATE publication SET last = 0")
        await wait_until(lambda: api.broker.events._seen == 0)  # it looks every two seconds


async def test_a_notice_from_before_numbers_began_anew_hides_nothing(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """The notices say so themselves: nobody has to look first, and the new numbers need not be as high as the old."""
    monkeypatch.setattr(events, "_LOOK_EVERY_S", 3600)
    db, feed = api.broker.database, api.broker.events
    with feed.subscribe(DID) as subscription:
        await subscription.begin(None)
        await tell(api, DID, *"abcde")
        await events.publish(db, batch=10)
        assert await read(subscription, 5) == [1, 2, 3, 4, 5]
        await wait_until(lambda: feed._seen == 5)
        await db.execute("TRUNCATE events, deliveries, receivers")
        await db.execute("UPDATE publication SET last = 0")
        await db.execute("SELECT pg_notify('ainp_events', '7')")  # as one that was on its way
        await wait_until(lambda: feed._seen == 7)
        await tell(api, DID, "x")
        await events.publish(db, batch=10)
        await wait_until(lambda: feed._seen == 1)
        reading = asyncio.create_task(read(subscription, 1))
        await wait_until(lambda: subscription._last == 1)
        await tell(api, DID, "y")
        await events.publish(db, batch=10)

        assert await reading == [2]


async def test_whoever_listened_when_numbers_began_anew_goes_on(api: Api) -> None:
    db = api.broker.database
    with api.broker.events.subscribe(DID) as subscription:
        await subscription.begin(None)
        await tell(api, DID, "x", "y")
        await events.publish(db, batch=10)
        assert await read(subscription, 2) == [1, 2]
        await wait_until(lambda: api.broker.events._seen == 2)
        reading = asyncio.create_task(read(subscription, 1))
        await db.execute("TRUNCATE events, deliveries, receivers")
        await db.execute("UPDATE publication SET last = 0")
        await wait_until(lambda: subscription._last == 0)

        await tell(api, DID, "z")
        await events.publish(db, batch=10)

        assert await reading == [1]


async def test_an_agent_at_one_broker_is_told_what_another_did(database_url: str) -> None:
    async with a_telling_broker(database_url) as first, a_telling_broker(database_url) as second:
        client, agent, *_ = await first.api.register(7)
        async with listening(first.port, client) as here, listening(second.port, client) as there:
            await a_whole_job(second.api, client, agent)
            await here.until(13)
            await there.until(13)

    assert here.told == there.told
    assert here.numbers == list(range(1, 14))


async def test_an_event_of_the_past_is_handed_to_nobody(api: Api) -> None:
    await tell(api, DID, "past")
    await events.publish(api.broker.database, batch=10)
    await published(api, DID, 1)
    late = Feed(PublishedEvents(api.broker.database))
    following = asyncio.create_task(late.follow_forever())

    with late.subscribe(DID) as subscription:
        await subscription.begin(None)
        await tell(api, DID, "now")
        await events.publish(api.broker.database, batch=10)
        assert await read(subscription, 1) == [2]

    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
