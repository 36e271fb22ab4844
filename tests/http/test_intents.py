"""Messages over HTTP: sent, told to who is connected, kept for who is not."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect

from ainp.adapters.broker_key import Identity as BrokerIdentity
from ainp.core.did import key_of_did
from ainp.core.envelope import Scheme, open_envelope, verify
from ainp.core.message_limits import MAX_QUEUED_OF_ONE
from ainp.operations import messages
from ainp.operations.presence import forget_processes
from support.api import Api, Json, an_api
from support.listening import Telling, a_telling_broker
from support.mail import a_mail, an_intent
from support.races import at_once, errors, statuses, two_apis
from support.signing import identity

ALICE, BOB, CAROL = (identity(name) for name in ("alice", "bob", "carol"))
SEND = "/api/intents/send"


@pytest.fixture(scope="module")
async def broker(module_database_url: str, anyio_backend: str) -> AsyncIterator[Telling]:
    async with a_telling_broker(module_database_url) as broker:
        yield broker


async def post(api: Api, raw: bytes, status: int = 200) -> Json:
    response = await api.client.post(SEND, content=raw, headers={"Content-Type": "application/json"})

    assert response.status_code == status, response.text
    return response.json()


async def bare(api: Api, raw: bytes) -> httpx.Response:
    return await api.client.post(SEND, content=raw, headers={"Content-Type": "application/json"})


async def received(socket: ClientConnection) -> tuple[bytes, Json]:
    """A message as it was signed, and its notice."""
    async with asyncio.timeout(20):
        return str(await socket.recv()).encode(), json.loads(await socket.recv())


async def test_a_message_reaches_who_is_connected_byte_for_byte(broker: Telling) -> None:
    raw = an_intent(ALICE, BOB.did, trace_id="é ☃", payload={"@type": "Ask", "n": 1.0, "deep": [{"b": 1, "a": "x\n"}]})
    spaced = json.dumps(json.loads(raw), indent=1).encode()
    async with connect(f"ws://127.0.0.1:{broker.port}/?did={BOB.did}") as socket:
        answer = await post(broker.api, spaced)
        envelope, notice = await received(socket)

    assert envelope == spaced
    assert answer == {
        "status": "routed",
        "agent_count": 1,
        "id": json.loads(raw)["id"],
        "message_id": notice["message_id"],
        "recipients": [BOB.did],
        "queued": False,
        "priority": 0.5,
    }
    assert (notice["@type"], notice["type"], notice["number"]) == ("NOTIFICATION", "message", 1)
    assert (notice["from_did"], notice["msg_type"], notice["intent_type"]) == (ALICE.did, "INTENT", "Ask")


async def test_a_message_waits_for_who_is_away(broker: Telling) -> None:
    raw = an_intent(ALICE, CAROL.did)

    answer = await post(broker.api, b'{"envelope":' + raw + b"}")
    async with connect(f"ws://127.0.0.1:{broker.port}/?did={CAROL.did}") as socket:
        envelope, _ = await received(socket)

    assert (answer["queued"], answer["agent_count"]) == (True, 1)
    assert answer["offline"]["error_code"] == "AGENT_OFFLINE"
    assert answer["offline"]["recipients"] == [CAROL.did]
    assert envelope == raw


async def waiting(api: Api, did: str) -> list[Json]:
    found = await api.get(f"/api/intents/queue?agent_did={did}")
    messages: list[Json] = found["messages"]
    return messages


async def test_what_waits_is_handed_over_by_priority_and_then_by_age(broker: Telling) -> None:
    did = identity("sorting").did
    urgencies = [0.5, 0.9, 0.1, 0.9, 0.5]
    raws = [an_intent(ALICE, did, qos={"urgency": urgency}) for urgency in urgencies]
    for raw in raws:
        assert (await post(broker.api, raw))["queued"]

    seen = [one["id"] for one in await waiting(broker.api, did)]
    async with connect(f"ws://127.0.0.1:{broker.port}/?did={did}") as socket:
        told = [(await received(socket))[0] for _ in raws]

    assert told == [raws[place] for place in (1, 3, 0, 4, 2)]
    assert seen == [json.loads(raw)["id"] for raw in told]
    await eventually_nothing_waits(broker.api, did)


async def eventually_nothing_waits(api: Api, did: str) -> None:
    async with asyncio.timeout(20):
        while await waiting(api, did):  # noqa: ASYNC110 - another process does it
            await asyncio.sleep(0.02)


async def test_a_bid_moves_ahead(broker: Telling) -> None:
    did = identity("bidding").did
    await post(broker.api, an_intent(ALICE, did))
    high = await post(broker.api, an_intent(ALICE, did, qos={"urgency": 0.7, "importance": 0.8, "bid": 5}))

    first, _ = await waiting(broker.api, did)

    assert (first["id"], round(first["priority"], 4)) == (high["id"], round(high["priority"], 4))


async def test_what_has_expired_is_handed_to_nobody(broker: Telling) -> None:
    did = identity("late").did
    await post(broker.api, an_intent(ALICE, did, ttl=1_000))
    raw = an_intent(ALICE, did)
    await post(broker.api, raw)
    await broker.api.broker.database.execute(
        "UPDATE message_queue SET expires_at = now() - interval '1 second' WHERE expires_at < now() + '9s'"
    )

    async with connect(f"ws://127.0.0.1:{broker.port}/?did={did}") as socket:
        envelope, notice = await received(socket)

    assert (envelope, notice["number"]) == (raw, 1)


async def test_a_sender_takes_back_what_nobody_was_told(broker: Telling) -> None:
    did = identity("taking back").did
    first, second = [await post(broker.api, an_intent(ALICE, did)) for _ in "ab"]
    sent = await broker.api.get(f"/api/intents/queue?agent_did={ALICE.did}&sent=true")
    assert {first["id"], second["id"]} <= {one["id"] for one in sent["messages"]}

    body = {"id": first["id"], "from_did": ALICE.did}
    await broker.api.call("POST", "/api/intents/cancel", {**body, "from_did": BOB.did}, status=404)
    assert (await broker.api.call("POST", "/api/intents/cancel", body))["recipients"] == [did]

    again = await broker.api.call("POST", "/api/intents/cancel", body, status=409)
    assert again["error"] == "NOT_QUEUED"
    assert [one["id"] for one in await waiting(broker.api, did)] == [second["id"]]


async def test_what_does_not_wait_is_refused_and_may_come_again(broker: Telling) -> None:
    did = identity("hurried").did
    raws = [
        an_intent(ALICE, did, metadata={"no_queue": True}),
        an_intent(ALICE, did, ttl=4_000, qos={"urgency": 0.9}),
    ]
    for raw in raws:
        answer = await post(broker.api, raw, 503)
        assert (answer["error"], answer["queued"]) == ("AGENT_OFFLINE", False)

    async with connect(f"ws://127.0.0.1:{broker.port}/?did={did}") as socket:
        for raw in raws:
            assert not (await post(broker.api, raw))["queued"]
            assert (await received(socket))[0] == raw
    assert (await post(broker.api, raws[0], 409))["error"] == "REPLAY_DETECTED"


async def test_as_many_wait_as_may(broker: Telling, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ainp.store.messages.MAX_QUEUED", 2)
    did, raw = identity("full").did, an_intent(ALICE, identity("full").did)
    for _ in range(2):
        await post(broker.api, an_intent(ALICE, did))

    assert (await post(broker.api, raw, 503))["error"] == "QUEUE_FULL"
    assert not (await post(broker.api, a_mail(ALICE, did)))["queued"]  # mail has its mailbox
    await broker.api.broker.database.execute(
        "UPDATE message_queue SET expires_at = now() - interval '1 second' WHERE to_did = $1", did
    )
    await post(broker.api, raw)  # what has expired takes nobody's place


async def test_nobody_alone_fills_another_s_queue(broker: Telling, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ainp.store.messages.MAX_QUEUED_OF_ONE", 2)
    did, raw = identity("crowded").did, an_intent(ALICE, identity("crowded").did)
    for _ in range(2):
        await post(broker.api, an_intent(ALICE, did))

    assert (await post(broker.api, raw, 503))["error"] == "QUEUE_SHARE_FULL"
    assert not (await post(broker.api, a_mail(ALICE, did)))["queued"]  # mail has its mailbox
    assert (await post(broker.api, an_intent(ALICE, CAROL.did)))["queued"]  # nor is it full for others
    assert (await post(broker.api, an_intent(BOB, did)))["queued"]
    [*_, last] = await waiting(broker.api, did)
    await broker.api.call("POST", "/api/intents/cancel", {"id": last["id"], "from_did": last["from_did"]})
    await broker.api.broker.database.execute(
        "UPDATE message_queue SET expires_at = now() - interval '1 second' WHERE to_did = $1", did
    )
    assert (await post(broker.api, raw))["queued"]  # it may be sent again as it is


async def test_who_is_connected_gets_all_that_somebody_sends(broker: Telling, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ainp.store.messages.MAX_QUEUED_OF_ONE", 2)
    did = identity("listening").did
    async with connect(f"ws://127.0.0.1:{broker.port}/?did={did}") as socket:
        sent = [an_intent(ALICE, did) for _ in range(5)]
        assert {answer.status_code for answer in await at_once(bare(broker.api, raw) for raw in sent)} == {200}

        assert sorted([(await received(socket))[0] for _ in sent]) == sorted(sent)


async def test_what_one_has_waiting_is_counted_also_when_much_comes_at_once(database_url: str) -> None:
    did = identity("beset").did
    async with two_apis(database_url) as apis:
        raws = [an_intent(ALICE, did) for _ in range(MAX_QUEUED_OF_ONE + 40)]
        answers = await at_once(bare(apis[n % 2], raw) for n, raw in enumerate(raws))

        assert statuses(answers) == {200: MAX_QUEUED_OF_ONE, 503: 40}
        assert errors(answers) == {"QUEUE_SHARE_FULL": 40}
        assert (await post(apis[0], an_intent(BOB, did)))["queued"]


async def test_what_no_socket_took_is_handed_over_again(broker: Telling) -> None:
    """As after a process that has gone with what it was told."""
    did, db = identity("lost").did, broker.api.broker.database
    raw = an_intent(ALICE, did)
    await post(broker.api, raw)
    await db.execute("UPDATE message_queue SET released_at = now() - interval '9 s', tries = 1 WHERE to_did = $1", did)

    async with connect(f"ws://127.0.0.1:{broker.port}/?did={did}") as socket:
        assert (await received(socket))[0] == raw
    await eventually_nothing_waits(broker.api, did)


async def test_what_is_handed_over_again_waits_for_twice_as_long_each_time(broker: Telling) -> None:
    did, db = identity("often lost").did, broker.api.broker.database
    await post(broker.api, an_intent(ALICE, did))
    told = "UPDATE message_queue SET tries = $2, released_at = now() - $3::text::interval WHERE to_did = $1"
    for tries, early, late in ((1, "4 s", "6 s"), (2, "9 s", "11 s"), (3, "19 s", "21 s")):
        found = []
        for since in (early, late):
            await db.execute(told, did, tries, since)
            await messages.release(db, did, again=True)
            found.append(await db.fetchval("SELECT tries FROM message_queue WHERE to_did = $1", did))
        assert found == [tries, tries + 1]


async def test_all_kinds_of_messages_are_routed(broker: Telling) -> None:
    did = identity("all kinds").did
    kinds = ("INTENT", "RESULT", "ERROR", "ACK", "DISCOVER_RESULT")
    async with connect(f"ws://127.0.0.1:{broker.port}/?did={did}") as socket:
        for kind in kinds:
            await post(broker.api, an_intent(ALICE, did, msg_type=kind, payload={}))
        told = [(await received(socket))[1]["msg_type"] for _ in kinds]

    assert told == list(kinds)
    answer = await post(broker.api, an_intent(ALICE, did, msg_type="GARBAGE"), 400)
    assert answer["error"] == "UNSUPPORTED_MSG_TYPE"


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"to_did": ...}, 400, "QUERY_REQUIRED"),
        ({"qos": {"urgency": 2}}, 400, "INVALID_ENVELOPE"),
        ({"@type": "NOTIFICATION"}, 400, "INVALID_ENVELOPE"),
        ({"number": 7}, 400, "INVALID_ENVELOPE"),
        ({"version": "9"}, 400, "UNSUPPORTED_VERSION"),
        ({"to_did": "bob"}, 400, "INVALID_ENVELOPE"),
    ],
    ids=str,
)
async def test_what_can_not_be_routed_is_refused(
    broker: Telling, changes: dict[str, object], status: int, code: str
) -> None:
    async with no_messages_written(broker.api):
        assert (await post(broker.api, an_intent(ALICE, BOB.did, **changes), status))["error"] == code


@asynccontextmanager
async def no_messages_written(api: Api) -> AsyncIterator[None]:
    tables = ("messages", "message_queue", "mailbox", "outbox", "events", "contacts")
    look = "SELECT " + ", ".join(f"(SELECT count(*) FROM {table}) AS {table}" for table in tables)  # noqa: S608
    while await api.broker.database.fetchval("SELECT count(*) FROM outbox"):  # noqa: ASYNC110 - of tests before
        await asyncio.sleep(0.02)
    before = await api.broker.database.fetchrow(look)
    yield
    after = await api.broker.database.fetchrow(look)
    assert before is not None
    assert after is not None
    # What was told in tests before may leave the queue only now.
    assert all(now <= then for now, then in zip(after, before, strict=True)), (before, after)


async def test_fifty_copies_at_once_are_one_message(database_url: str) -> None:
    raw = an_intent(ALICE, BOB.did)
    async with two_apis(database_url) as apis:
        headers = {"Content-Type": "application/json"}
        answers = await at_once(apis[n % 2].client.post(SEND, content=raw, headers=headers) for n in range(50))

        assert statuses(answers) == {200: 1, 409: 49}
        assert errors(answers) == {"REPLAY_DETECTED": 49}
        assert len(await waiting(apis[0], BOB.did)) == 1


async def test_an_agent_sends_on_its_socket_and_is_answered(broker: Telling) -> None:
    sender, did = identity("socket sender"), identity("socket receiver").did
    async with (
        connect(f"ws://127.0.0.1:{broker.port}/?did={did}") as receiver,
        connect(f"ws://127.0.0.1:{broker.port}/?did={sender.did}") as socket,
    ):
        raw, answer = an_intent(sender, did), {}
        for sent, expected in (
            (raw, "routed"),
            (raw, "REPLAY_DETECTED"),
            (an_intent(ALICE, did), "FORBIDDEN"),
            (an_intent(sender, did).replace(b'"why?"', b'"who?"'), "INVALID_SIGNATURE"),
            (an_intent(sender, did, ttl=1, timestamp=int(time.time() * 1000) - 1000), "ENVELOPE_EXPIRED"),
        ):
            await socket.send(sent.decode())
            answer = json.loads(await socket.recv())

            assert answer.get("status", answer.get("error")) == expected
        assert (await received(receiver))[0] == raw
    assert (answer["msg_type"], answer["to_did"], answer["from_did"]) == ("ERROR", sender.did, "did:ainp:broker")
    assert answer["payload"]["error_code"] == "ENVELOPE_EXPIRED"


async def test_a_broker_with_a_key_signs_its_errors(database_url: str) -> None:
    key = identity("the broker")
    async with a_telling_broker(database_url) as broker:
        broker.api.broker.identity = BrokerIdentity(key._key)
        async with connect(f"ws://127.0.0.1:{broker.port}/?did={ALICE.did}") as socket:
            raw = an_intent(ALICE, BOB.did, qos={"bid": -1})
            await socket.send(raw.decode())
            answer = str(await socket.recv()).encode()

    envelope = open_envelope(answer, now=datetime.now(UTC))
    assert verify(envelope, keys=[key_of_did(key.did)], schemes=[Scheme.A]).query_signed
    assert (envelope.sender, envelope.payload["intent_id"]) == (key.did, json.loads(raw)["id"])


async def test_a_message_reaches_who_is_connected_to_another_broker(database_url: str) -> None:
    async with (
        a_telling_broker(database_url) as here,
        a_telling_broker(database_url, publishes=False) as there,
        connect(f"ws://127.0.0.1:{there.port}/?did={BOB.did}") as socket,
    ):
        raw = an_intent(ALICE, BOB.did)
        assert not (await post(here.api, raw))["queued"]
        assert (await received(socket))[0] == raw

        await socket.close()
        async with asyncio.timeout(20):  # noticed within a moment
            while not (await post(here.api, an_intent(ALICE, BOB.did)))["queued"]:  # noqa: ASYNC110 - others notice
                await asyncio.sleep(0.02)


async def test_a_process_that_vanished_is_not_believed_for_long(broker: Telling) -> None:
    did, db = identity("orphan").did, broker.api.broker.database
    await db.execute("INSERT INTO broker_nodes VALUES ('00000000-0000-4000-8000-000000000001', now())")
    await db.execute("INSERT INTO presence VALUES ($1, '00000000-0000-4000-8000-000000000001', 1)", did)

    assert (await post(broker.api, an_intent(ALICE, did)))["queued"]

    await db.execute("UPDATE broker_nodes SET until = now() - interval '2 min' WHERE id::text LIKE '0000%1'")
    await forget_processes(db)
    assert await db.fetchval("SELECT count(*) FROM presence WHERE did = $1", did) == 0


async def test_expired_messages_are_forgotten_and_mail_is_not(database_url: str) -> None:
    async with an_api(database_url) as api:
        await post(api, an_intent(ALICE, BOB.did))
        await post(api, a_mail(ALICE, BOB.did))
        db = api.broker.database
        await db.execute("UPDATE messages SET expires_at = now() - interval '1 s'")
        await db.execute("UPDATE message_queue SET expires_at = now() - interval '1 s'")

        await messages.forget(db, mail_older_than=timedelta(days=1))
        left = await db.fetchval("SELECT count(*) FROM messages"), await db.fetchval("SELECT count(*) FROM mailbox")
        assert left == (1, 2)
        assert await db.fetchval("SELECT count(*) FROM message_queue") == 0

        await db.execute("UPDATE messages SET received_at = now() - interval '2 days'")
        await messages.forget(db, mail_older_than=timedelta(days=1))
        assert await db.fetchval("SELECT count(*) FROM mailbox") == 0
