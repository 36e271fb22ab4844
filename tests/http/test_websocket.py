"""Agents are told over a socket: who may open one, what comes, and from where on."""

import asyncio
import base64
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, suppress
from urllib.parse import quote

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from ainp.core.limits import MAX_SOCKETS
from support.builders import an_agent
from support.listening import Telling, a_telling_broker, a_whole_job, listening, published, tell
from support.races import wait_until
from support.said import what_is_logged
from support.socket import Raw

AGENT = an_agent("listener")


@pytest.fixture(scope="module")
async def broker(module_database_url: str, anyio_backend: str) -> AsyncIterator[Telling]:
    async with a_telling_broker(module_database_url) as broker:
        yield broker


async def test_a_whole_job_is_told_to_both_parties_in_order(broker: Telling) -> None:
    client, agent, *_ = await broker.api.register(7, "party")

    async with listening(broker.port, client) as at_client, listening(broker.port, agent) as at_agent:
        task, committee = await a_whole_job(broker.api, client, agent)
        await at_client.until(13)
        await at_agent.until(12)

    receipt = ["opened", *["attested"] * 3, "finalized", *["attested"] * 3, "judged"]
    assert at_client.names == ["proposed", "accepted", "delivered", "settled", *receipt]
    assert at_agent.names == ["proposed", "counter_proposed", "settled", *receipt]
    assert at_client.numbers == list(range(1, 14))
    assert at_agent.numbers == list(range(1, 13))
    settled = at_client.told[3]
    assert (settled["@type"], settled["type"], settled["state"]) == ("NOTIFICATION", "negotiation_event", "settled")
    assert settled["task_id"] == task
    assert "from_did" not in settled
    async with listening(broker.port, committee[0], since=0) as member:
        await member.until(9)
    assert member.names == receipt


async def test_a_socket_is_told_what_happens_from_its_opening_on(broker: Telling) -> None:
    did = an_agent("late")
    await tell(broker.api, did, "before")
    await published(broker.api, did, 1)

    async with listening(broker.port, did) as listener:
        await tell(broker.api, did, "after")
        frame = await listener.next()

    assert frame == {"@type": "NOTIFICATION", "event": "after", "number": 2}


async def test_nothing_is_lost_between_the_opening_and_the_first_event(broker: Telling) -> None:
    dids = [an_agent(f"quick {number}") for number in range(25)]

    async def meet(did: str) -> Sequence[int]:
        async with listening(broker.port, did) as listener:
            await tell(broker.api, did, "first")
            await listener.next()
            return listener.numbers

    assert await asyncio.gather(*(meet(did) for did in dids)) == [[1]] * 25


async def test_a_receiver_resumes_after_the_number_it_knows_and_stays_live(broker: Telling) -> None:
    did = an_agent("resuming")
    await tell(broker.api, did, *(str(number) for number in range(1, 451)))
    await published(broker.api, did, 450)

    async with listening(broker.port, did, since=7) as listener:
        await listener.until(450)
        await tell(broker.api, did, *(str(number) for number in range(451, 900)))
        await listener.until(899)

    assert listener.numbers == list(range(8, 900))
    assert listener.names == [str(number) for number in range(8, 900)]
    async with listening(broker.port, did, since=899) as uptodate:
        await tell(broker.api, did, "900")
        assert (await uptodate.next())["number"] == 900


async def test_what_retention_has_taken_away_is_told_as_missed(broker: Telling) -> None:
    did, db = an_agent("long away"), broker.api.broker.database
    await tell(broker.api, did, *"abcde")
    await published(broker.api, did, 5)
    await db.execute("DELETE FROM events WHERE recipients = ARRAY[$1] AND numbers[1] <= 3", did)

    async with listening(broker.port, did, since=1) as listener:
        missed, fourth, fifth = [await listener.next() for _ in range(3)]

    assert missed == {"@type": "NOTIFICATION", "type": "events_missed", "from": 2, "to": 3}
    assert (fourth["event"], fourth["number"], fifth["number"]) == ("d", 4, 5)


async def test_every_socket_of_a_receiver_is_told_everything_also_after_one_has_closed(broker: Telling) -> None:
    did = an_agent("twice")
    async with listening(broker.port, did) as first:
        async with listening(broker.port, did, path="/") as second:
            await tell(broker.api, did, "both")
            assert await first.next() == await second.next()

        await tell(broker.api, did, "one")

        assert (await first.next())["event"] == "one"


@pytest.mark.parametrize(
    "address",
    ["/?did={}", "/ws?did={}", "/ws/?did={}", "/WS?did={}", "/?x=1&did={}&y=2", "/?token=a%26b&did={}"],
)
@pytest.mark.parametrize("encode", [quote, str], ids=["encoded", "raw"])
async def test_both_spellings_of_a_did_in_the_address_are_one_receiver(
    broker: Telling, address: str, encode: type[str]
) -> None:
    did = an_agent(f"spelt {address} {encode}")

    async with connect(f"ws://127.0.0.1:{broker.port}" + address.format(encode(did))) as socket:
        await tell(broker.api, did, "heard")
        async with asyncio.timeout(20):
            assert "heard" in str(await socket.recv())


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("", "Missing DID parameter"),
        ("?did=", "Missing DID parameter"),
        ("?since=1", "Missing DID parameter"),
        ("?did=alice", "Invalid DID format: found 'alice', expected did:key:… or did:web:…"),
        ("?did=did:key:z1&did=did:key:z2", "did: found twice with different values, expected one"),
        (f"?did={AGENT}&since=-1", "since: found '-1', expected the number of an event"),
        (f"?did={AGENT}&since=1.0", "since: found '1.0', expected the number of an event"),
        (f"?did={AGENT}&since=", "since: found '', expected the number of an event"),
        (f"?did={AGENT}&since={10**18}", f"since: found '{10**18}', expected the number of an event"),
        (f"?did={AGENT}&since=1", "since: found 1, the last event has number 0"),
    ],
)
async def test_an_address_that_names_no_receiver_is_closed_with_the_reason(
    broker: Telling, query: str, reason: str
) -> None:
    async with connect(f"ws://127.0.0.1:{broker.port}/{query}") as socket:
        with pytest.raises(ConnectionClosed):
            await socket.recv()

    assert socket.close_code == 1008
    assert (socket.close_reason or "").startswith(reason)


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/api/receipts", {}, 404),
        ("/ws/x", {}, 404),
        ("/ws", {"Origin": "https://evil.example"}, 403),
        ("/ws", {"X-Forwarded-For": "10.0.0.1"}, 403),
        ("/ws", {"Via": "1.1 proxy"}, 403),
        ("/ws", {"Host": "broker.example"}, 400),  # beside the one of its own
    ],
)
async def test_a_handshake_that_did_not_come_the_trusted_way_is_refused(
    broker: Telling, path: str, headers: dict[str, str], status: int
) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with connect(f"ws://127.0.0.1:{broker.port}{path}?did={AGENT}", additional_headers=headers):
            pass

    assert refused.value.response.status_code == status


async def test_behind_a_proxy_the_header_says_who_listens(database_url: str) -> None:
    async with a_telling_broker(database_url, ainp_proxy_secret="between proxy and broker") as broker:
        did, shown = an_agent("proxied"), {"X-AINP-Proxy-Secret": "between proxy and broker"}
        async with listening(broker.port, did, headers={**shown, "X-AINP-DID": did}) as listener:
            await tell(broker.api, did, "heard")
            assert (await listener.next())["event"] == "heard"
        with pytest.raises(InvalidStatus, match="403"):
            async with listening(broker.port, did, headers={**shown, "X-AINP-DID": AGENT}):
                pass
        async with listening(broker.port, did, headers=shown) as listener:
            assert await listener.closed() == (1008, "Missing DID parameter")


async def test_what_an_agent_sends_is_answered(broker: Telling) -> None:
    async with listening(broker.port, AGENT) as listener:
        for sent, error in (
            ("hello", "INVALID_MESSAGE"),
            ("", "INVALID_MESSAGE"),
            ("[1]", "INVALID_MESSAGE"),
            ("[" * 100_000, "INVALID_MESSAGE"),
            (b"\xff", "INVALID_MESSAGE"),
            ('{"msg_type":"INTENT"}', "INVALID_ENVELOPE"),
        ):
            await listener.socket.send(sent)

            assert (await listener.next())["error"] == error


async def test_a_message_that_is_too_large_ends_the_socket(broker: Telling) -> None:
    async with listening(broker.port, AGENT) as listener:
        await listener.socket.send("x" * (1 << 20) + "x")

        assert (await listener.closed())[0] == 1009


async def test_a_message_in_too_many_pieces_ends_the_socket(broker: Telling) -> None:
    async with listening(broker.port, AGENT) as listener:
        with suppress(ConnectionClosed):
            await listener.socket.send("x" for _ in range(2_000))

        assert (await listener.closed())[0] == 1009


async def test_a_receiver_has_so_many_sockets_and_no_more(broker: Telling) -> None:
    did = an_agent("many")
    sockets = [await connect(f"ws://127.0.0.1:{broker.port}/?did={did}") for _ in range(MAX_SOCKETS)]

    async with listening(broker.port, did) as listener:
        assert await listener.closed() == (1008, "too many sockets: this DID has 20")

    for socket in sockets:
        await socket.close()
    async with listening(broker.port, did) as listener:
        await tell(broker.api, did, "room")
        assert (await listener.next())["event"] == "room"


async def handshake(port: int, did: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A socket that reads nothing by itself."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
    key = base64.b64encode(os.urandom(16)).decode()
    lines = (
        f"GET /?did={did} HTTP/1.1",
        "Host: 127.0.0.1",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {key}",
    )
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    return reader, writer


async def test_a_client_that_reads_nothing_costs_bounded_memory_and_is_let_go(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ainp.http.websocket._SEND_S", 0.3)
    async with a_telling_broker(database_url) as broker:
        did, db, feed = an_agent("stuck"), broker.api.broker.database, broker.api.broker.events
        _, writer = await handshake(broker.port, did)
        assert feed.count(did) == 1

        await db.execute(
            "INSERT INTO outbox (event, recipients, body)"
            " SELECT 'test', ARRAY[$1], json_build_object('x', repeat('x', 20000)) FROM generate_series(1, 1500)",
            did,
        )
        await wait_until(lambda: feed.count(did) == 0)

        writer.close()
        async with listening(broker.port, did, since=1499) as listener:
            assert (await listener.next())["number"] == 1500


async def test_a_client_that_pings_and_reads_no_answer_is_let_go(broker: Telling) -> None:
    ping = bytes([0x89, 0x80 | 125, 0, 0, 0, 0]) + b"x" * 125
    _, writer = await handshake(broker.port, AGENT)

    with suppress(ConnectionError):
        for _ in range(1_000):
            writer.write(ping * 500)
            await writer.drain()

    await wait_until(lambda: broker.api.broker.events.count(AGENT) == 0)


async def test_the_end_of_the_server_closes_sockets_at_once(database_url: str) -> None:
    async with asyncio.timeout(8), AsyncExitStack() as running:
        broker = await running.enter_async_context(a_telling_broker(database_url))
        async with connect(f"ws://127.0.0.1:{broker.port}/?did={AGENT}") as socket:
            ending = asyncio.create_task(running.pop_all().aclose())
            await socket.wait_closed()
            await ending

    assert socket.close_code == 1012


async def test_a_database_that_is_gone_refuses_new_sockets_for_now(database_url: str) -> None:
    async with a_telling_broker(database_url, publishes=False) as broker:
        await broker.api.broker.database.close()

        with pytest.raises(InvalidStatus) as refused:
            async with listening(broker.port, AGENT):
                pass

    assert refused.value.response.status_code == 503
    assert refused.value.response.headers["Retry-After"] == "1"


async def test_a_request_that_is_no_handshake_is_refused_without_a_trace(broker: Telling) -> None:
    raw = Raw(broker.port)
    with what_is_logged() as said:
        for method, headers in (
            (b"GET", [b"Upgrade: websocket"]),
            (b"GET", [b"Upgrade: websocket", b"Sec-WebSocket-Version: 12", b"Sec-WebSocket-Key: x"]),
            (b"POST", [b"Upgrade: websocket"]),
            (b"GET", [b"Upgrade: h2c"]),
        ):
            lines = [method + b" /ws HTTP/1.1", b"Host: 127.0.0.1", b"Connection: Upgrade", *headers]
            answer = await raw.send(b"\r\n".join(lines) + b"\r\n\r\n")

            assert 400 <= answer.status < 500

    assert said.messages == []
