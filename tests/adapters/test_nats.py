"""The bus on a real NATS: what it keeps, who it lets in, and what happens without it."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import nkeys
import pytest
import uvloop
from nacl.signing import SigningKey

from ainp.adapters.nats import Bus, BusAway
from ainp.core.bus import Letter, Stream, letters
from ainp.core.events import Told
from support.api import a_configuration
from support.certificates import a_certificate
from support.fixtures import log
from support.nats import NatsServer, a_client, a_cluster, a_nats, kept, urls_of
from support.reader import ROOT

__all__ = ["log"]
AWAY = "NATS unavailable - brokers hear of events from PostgreSQL alone"
DID, OTHER = "did:key:z6MkReader", "did:web:agents.example"
PASSWORD = "correct-horse"


@pytest.fixture(scope="module")
def nats() -> Iterator[NatsServer]:
    with a_nats() as server:
        yield server


@asynccontextmanager
async def connected(url: str, *, at_once: bool = False, **settings: object) -> AsyncIterator[Bus]:
    """A bus that is kept connected; entered once it is, unless *at_once*."""
    policy = a_configuration(nats_url=url, **settings).bus_policy(days=7)
    assert policy is not None
    bus = Bus(policy)
    keeper = asyncio.create_task(bus.keep_connected())
    try:
        if not at_once:
            await until(lambda: bus.connected)
        yield bus
    finally:
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)


async def said(log: StringIO, message: str) -> list[dict[str, str]]:
    """The lines with this message, once there is one."""
    found: list[dict[str, str]] = []

    def is_there() -> bool:
        lines = [json.loads(line) for line in log.getvalue().splitlines()]
        found[:] = [line for line in lines if line["message"] == message]
        return bool(found)

    await until(is_there)
    return found


def some(first: int, last: int, *dids: str) -> list[Letter]:
    """One event with each number for each receiver."""
    return [
        letter
        for number in range(first, last + 1)
        for letter in letters("test.x", Told(number, dids, [number] * len(dids), '{"event":"x"}'))
    ]


async def published(bus: Bus, wanted: list[Letter]) -> None:
    """Publish until it was acknowledged, as who hands on does."""
    async with asyncio.timeout(60):
        while True:
            try:
                await bus.publish(wanted)
            except BusAway:
                await asyncio.sleep(0.2)
            else:
                return


async def test_what_is_published_twice_is_kept_once_and_in_order(nats: NatsServer) -> None:
    async with connected(nats.url) as bus, a_client(nats) as client:
        await bus.publish(some(1, 40, DID, OTHER))
        await bus.publish(some(20, 60, DID, OTHER))

        for did in (DID, OTHER):
            found = await kept(client, Stream.EVENTS.subject(did), durable=f"twice-{did[-3:]}".replace(".", "-"))
            assert [letter.number for letter in found] == list(range(1, 61))
            assert {json.loads(letter.payload)["number"] for letter in found} == set(range(1, 61))


async def test_streams_are_made_with_bounds_and_those_of_an_operator_are_left(nats: NatsServer) -> None:
    async with a_client(nats) as client, connected(nats.url, nats_max_bytes=1 << 21) as bus:
        manager = client.jetstream()
        for stream in Stream:
            await manager.delete_stream(stream)
        await manager.add_stream(name=Stream.EVENTS, subjects=[Stream.EVENTS.subjects], max_bytes=1 << 22)

        await published(bus, some(1, 1, DID))

        configs = {stream: (await manager.stream_info(stream)).config for stream in Stream}
        assert [configs[stream].max_bytes for stream in Stream] == [1 << 21, 1 << 21, 1 << 21, 1 << 22]
        assert configs[Stream.INTENTS].subjects == ["ainp.intents.*"]
        assert configs[Stream.INTENTS].max_age == 7 * 86_400
        assert configs[Stream.INTENTS].duplicate_window == 120


async def test_what_is_larger_than_the_server_takes_is_named_and_holds_up_nothing() -> None:
    with a_nats(max_payload=4096) as nats:
        async with connected(nats.url) as bus, a_client(nats) as client:
            large = next(letters("test.x", Told(1, [DID], [1], json.dumps({"text": "x" * 5000}))))

            await bus.publish([large, *some(2, 2, DID)])

            first, second = await kept(client, "ainp.events.*", durable="large")
            assert (first.number, first.payload) == (1, b"")
            assert int(first.headers["Ainp-Too-Large"]) == len(large.payload)
            assert second.number == 2


async def test_brokers_wake_each_other_and_nonsense_wakes_nobody(nats: NatsServer) -> None:
    heard: list[int] = []
    async with connected(nats.url) as one, connected(nats.url) as other, a_client(nats) as client:
        with other.listening(heard.append):
            for nonsense in (b"", b"-1", b"1e3", b"9" * 30, b"\xd9\xa1"):
                await client.publish("ainp.published", nonsense)
            await client.flush()
            one.wake(17)
            await until(lambda: bool(heard))
        one.wake(18)

    assert heard == [17]


async def test_a_server_that_is_killed_is_waited_for_and_told_of_once(log: StringIO) -> None:
    with a_nats() as nats:
        async with connected(nats.url) as bus:
            await bus.publish(some(1, 5, DID))
            nats.kill()
            await until(lambda: not bus.connected)
            with pytest.raises(BusAway):
                await bus.publish(some(6, 6, DID))
            await asyncio.sleep(0.5)  # some tries
            nats.start()
            await published(bus, some(4, 8, DID))
            async with a_client(nats) as client:
                assert [one.number for one in await kept(client, "ainp.events.*", durable="d")] == list(range(1, 9))
    assert len(await said(log, AWAY)) <= 2  # that it went, and that it is not there
    assert len(await said(log, "NATS connected")) == 2


@pytest.mark.long
async def test_a_server_that_says_nothing_is_given_up() -> None:
    with a_nats() as nats:
        async with connected(nats.url) as bus:
            nats.freeze()
            await until(lambda: not bus.connected)
            nats.thaw()
            await until(lambda: bus.connected)


AUTHORIZATIONS = {
    "user and password": ({"users": [{"user": "broker", "password": PASSWORD}]}, f"broker:{PASSWORD}@"),
    "a password with signs": ({"users": [{"user": "broker", "password": "a@b,c/d"}]}, "broker:a%40b%2Cc%2Fd@"),
    "token": ({"token": PASSWORD}, f"{PASSWORD}@"),
}


@pytest.mark.parametrize(("authorization", "user"), AUTHORIZATIONS.values(), ids=AUTHORIZATIONS.keys())
async def test_who_it_is_stands_in_the_url(authorization: dict[str, Any], user: str, log: StringIO) -> None:
    with a_nats(authorization=authorization) as nats:
        async with connected(nats.url_for(user)) as bus:
            await bus.publish(some(1, 1, DID))
        async with connected(nats.url_for("broker:wrong-one@"), at_once=True):
            (line,) = await said(log, AWAY)
    assert "authorization" in line["error"].lower()
    assert "wrong-one" not in log.getvalue()
    assert PASSWORD not in log.getvalue()


async def test_an_nkey_signs(tmp_path: Path) -> None:
    seed, public = an_nkey(b"U")
    (tmp_path / "seed").write_text(seed)
    with a_nats(authorization={"users": [{"nkey": public}]}) as nats:
        async with connected(nats.url, nats_nkey_file=tmp_path / "seed") as bus:
            await bus.publish(some(1, 1, DID))


async def test_a_credentials_file_has_a_jwt_and_its_seed(tmp_path: Path, log: StringIO) -> None:
    operator, system, account, user = (an_nkey(kind) for kind in (b"O", b"A", b"A", b"U"))
    limits = {"mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1}
    unlimited = {"conn": -1, "leaf": -1, "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1}
    accounts = {
        of[1]: a_jwt(operator, of[1], {"type": "account", "version": 2, "limits": {**said, **unlimited}})
        for of, said in ((account, limits), (system, {}))
    }
    name = {"type": "user", "version": 2, "subs": -1, "data": -1, "payload": -1}
    file = tmp_path / "broker.creds"
    file.write_text(
        f"-----BEGIN NATS USER JWT-----\n{a_jwt(account, user[1], name)}\n------END NATS USER JWT------\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{user[0]}\n------END USER NKEY SEED------\n"
    )
    (tmp_path / "empty").write_text("nothing")
    trusted = a_jwt(operator, operator[1], {"type": "operator", "version": 2})
    known = {"resolver": "MEMORY", "resolver_preload": accounts}
    with a_nats(operator=trusted, system_account=system[1], **known) as nats:  # type: ignore[arg-type]  # its options
        async with connected(nats.url, nats_credentials_file=file) as bus:
            await bus.publish(some(1, 1, DID))
        async with connected(nats.url, at_once=True, nats_credentials_file=tmp_path / "empty"):
            (line,) = await said(log, AWAY)
    assert line["error"] == "NATS_CREDENTIALS_FILE has no user's JWT and seed in it"


def an_nkey(kind: bytes) -> tuple[str, str]:
    """A seed and what it is known by, of an operator, an account or a user."""
    prefix = {b"O": nkeys.PREFIX_BYTE_OPERATOR, b"A": nkeys.PREFIX_BYTE_ACCOUNT, b"U": nkeys.PREFIX_BYTE_USER}[kind]
    seed = nkeys.encode_seed(bytes(SigningKey.generate()), prefix)
    return seed.decode(), nkeys.from_seed(bytearray(seed)).public_key.decode()


def a_jwt(issuer: tuple[str, str], subject: str, claims: dict[str, Any]) -> str:
    """What NATS calls one: signed with an nkey."""
    body = {"jti": subject, "iat": 1_700_000_000, "iss": issuer[1], "sub": subject, "name": "test", "nats": claims}
    parts = [_base64(json.dumps(part).encode()) for part in ({"typ": "JWT", "alg": "ed25519-nkey"}, body)]
    signature = nkeys.from_seed(bytearray(issuer[0].encode())).sign(".".join(parts).encode())
    return ".".join([*parts, _base64(signature)])


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def test_tls_is_checked_and_never_given_up_under_the_broker_s_own_loop(tmp_path: Path, log: StringIO) -> None:
    ca, certificate, key = a_certificate(tmp_path)
    tls = {"cert_file": str(certificate), "key_file": str(key)}

    async def check() -> None:
        with a_nats(scheme="tls", tls=tls, authorization={"token": PASSWORD}) as nats:
            async with connected(nats.url_for(f"{PASSWORD}@"), nats_tls_ca=ca) as bus:
                await bus.publish(some(1, 1, DID))
            async with connected(nats.url_for(f"{PASSWORD}@"), at_once=True):
                (line,) = await said(log, AWAY)
                assert "certificate" in line["error"].lower()

    uvloop.run(check())


async def test_a_server_without_tls_is_told_nothing_where_the_url_asks_for_it(log: StringIO) -> None:
    with a_nats(scheme="tls", authorization={"token": PASSWORD}) as nats:
        async with connected(nats.url_for(f"{PASSWORD}@"), at_once=True) as bus:
            (line,) = await said(log, AWAY)
            assert "speaks no TLS" in line["error"]
            assert not bus.connected


async def test_permissions_that_are_missing_are_said(log: StringIO) -> None:
    may = {"publish": {"deny": ["ainp.>"]}}
    user = {"user": "broker", "password": PASSWORD, "permissions": may}
    with a_nats(authorization={"users": [user]}) as nats:
        async with connected(nats.url_for(f"broker:{PASSWORD}@")) as bus:
            with pytest.raises(BusAway):
                await bus.publish(some(1, 1, DID))
            assert "ermissions" in (await said(log, "NATS refuses something"))[0]["error"]


async def test_the_permissions_of_the_page_are_enough(log: StringIO) -> None:
    page = (ROOT / "docs" / "bus.md").read_text()
    publish = ["ainp.>", "$JS.API.STREAM.>"]
    subscribe = ["ainp.published", "_INBOX.>"]
    assert all(f"`{subject}`" in page for subject in [*publish, *subscribe])
    user = {
        "user": "broker",
        "password": PASSWORD,
        "permissions": {"publish": {"allow": publish}, "subscribe": {"allow": subscribe}},
    }
    with a_nats(authorization={"users": [user]}) as nats:
        async with connected(nats.url_for(f"broker:{PASSWORD}@")) as bus:
            await bus.publish(some(1, 1, DID))
    assert "NATS refuses something" not in log.getvalue()


@pytest.mark.long
async def test_a_cluster_loses_nothing_with_one_of_its_nodes() -> None:
    with a_cluster() as nodes:
        async with connected(urls_of(nodes), nats_replicas=3) as bus:
            await published(bus, some(1, 30, DID, OTHER))
            for number, node in enumerate(nodes, 1):
                node.kill()
                await published(bus, some(1 + 30 * number, 30 + 30 * number, DID, OTHER))
                node.start()

            async with a_client(*nodes) as client:
                found = await kept(client, Stream.EVENTS.subject(DID), durable="cluster", upto=120)
                assert [letter.number for letter in found] == list(range(1, 121))
