"""The SDK against a broker on a port, in both modes, and events from a server that breaks off."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Generator
from contextlib import aclosing, closing
from dataclasses import dataclass
from itertools import islice
from typing import Any
from uuid import uuid4

import pytest
from websockets.asyncio.server import ServerConnection, serve

from ainp.client import AsyncClient, Client, Identity, Refused, Told, Unreachable, verify_receipt
from ainp.client.calls import finalize
from ainp.client.errors import Forbidden, NotFound, QuorumNotMet, Unauthorized
from ainp.core import errors as core
from ainp.core.errors import BrokerError
from ainp.http.problems import status_of
from support.fixtures import module_database_url
from support.flaky import a_flaky_server
from support.listening import Telling, a_telling_broker
from support.signing import ADMIN_TOKEN

__all__ = ["module_database_url"]

SETTINGS: dict[str, Any] = {
    "admin_token": ADMIN_TOKEN,
    "initial_credits": 1_000_000,
    "pou_committee_min_age_minutes": 0,
    "pou_k": 1,
    "pou_m": 1,
}


@dataclass
class Place:
    """A broker, and somebody who asks it."""

    telling: Telling

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.telling.port}"

    def agent(self, identity: Identity | None = None) -> AsyncClient:
        """A new agent."""
        return AsyncClient(self.url, identity or Identity.new(), admin_token=ADMIN_TOKEN)


@pytest.fixture(scope="module", params=["compat", "strict"])
async def place(request: pytest.FixtureRequest, module_database_url: str, anyio_backend: str) -> AsyncIterator[Place]:
    async with a_telling_broker(module_database_url, **{**SETTINGS, "auth_mode": request.param}) as telling:
        yield Place(telling)


@pytest.mark.parametrize("mode", ["compat", "strict"])
async def test_a_whole_job_is_done_and_anybody_can_verify_it(database_url: str, mode: str) -> None:
    async with a_telling_broker(database_url, **{**SETTINGS, "auth_mode": mode}) as telling:
        await do_a_whole_job(Place(telling))


async def do_a_whole_job(place: Place) -> None:
    async with place.agent() as client, place.agent() as worker, place.agent() as auditor:
        for one in (client, worker, auditor):
            await one.register("translates")
        assert auditor.identity is not None
        assert worker.identity is not None
        offered = await client.initiate(worker.identity.did, {"price": 10}, intent_id="translate-1")
        asked = await worker.propose(offered.id, {"price": 12})
        await client.accept(asked)
        await worker.deliver(offered.id, "https://example.com/t.txt", {"words": 3})
        task_id = (await client.settle(offered.id)).task_id
        with pytest.raises(QuorumNotMet):
            await client.finalize(task_id)
        said = await auditor.attest(task_id, "AUDIT_PASS", score=0.9, confidence=1, evidence_ref="https://e.example")
        await client.attest(task_id, "ACCEPTED", score=1, confidence=1)

        assert (said.status, (await client.finalize(task_id)).status) == ("finalized", "finalized")
        assert verify_receipt(await client.published(task_id)) == []
        assert [r.id for r in (await client.receipts(agent_did=worker.identity.did, limit=5)).receipts] == [task_id]
        assert [n.state for n in await client.negotiations()] == ["settled"]
        assert (await client.balance()).available == "988000"
        assert (await worker.transactions(limit=1)).transactions[0].type == "settlement"
        assert (await worker.history()).changes
        async with aclosing(worker.events()) as events:
            told = [(await anext(events)).name for _ in range(2)]
        assert told == ["proposed", "accepted"]


async def test_work_is_proven_and_shown(place: Place) -> None:
    async with place.agent() as worker, AsyncClient(place.url) as anybody:
        await worker.register()
        assert worker.identity is not None

        with pytest.raises(NotFound):
            await worker.prove("routing", {"routing_hops": 3}, "a trace", receipt_id=str(uuid4()))
        proof = await worker.prove("routing", {"routing_hops": 3}, "a trace")
        await worker.aggregate()
        found = await anybody.usefulness(worker.identity.did)

        assert (proof.usefulness_score, found.usefulness_score, found.total_proofs) == (30.0, 30.0, 1)
        assert (await worker.usefulness()).work_type_breakdown["routing"] == 30.0
        with pytest.raises(Refused) as refused:
            await worker.prove("routing", {"routing_hops": 3}, "a trace")
        assert refused.value.code == "DUPLICATE_PROOF"


async def test_a_program_without_a_loop_does_the_same(place: Place) -> None:
    def play() -> list[str]:
        one, other = Identity.new(), Identity.new()
        with Client(place.url, one, admin_token=ADMIN_TOKEN) as client, Client(place.url, other) as worker:
            for each in (client, worker):
                each.register()
            client.deposit(one.did, 5)
            offered = client.initiate(other.did, {"price": 10}, intent_id="i")
            worker.reject(offered.id, "too little")
            client.cancel(client.initiate(other.did, {"price": 10}, intent_id="i").id)
            assert client.negotiation(offered.id).state == "rejected"
            assert client.ready().status == "ready"
            assert worker.agent().did == other.did
            with closing(client.events()) as events:
                return [told.name for told in islice(events, 1)]

    assert await asyncio.to_thread(play) == ["rejected"]


async def test_money_is_for_its_owner(place: Place) -> None:
    strict = place.telling.api.broker.settings.strict
    async with place.agent() as one, place.agent() as other, AsyncClient(place.url) as nobody:
        await one.register()
        assert one.identity is not None
        for who, error in ((other, Forbidden), (nobody, Unauthorized)):
            if strict:
                with pytest.raises(error):
                    await who.balance(one.identity.did)
            else:
                assert (await who.balance(one.identity.did)).available == "1000000"


async def test_a_refusal_has_its_code(place: Place) -> None:
    async with place.agent() as stranger:
        with pytest.raises(NotFound, match=r"404 (AGENT_)?NOT_FOUND") as refused:
            await stranger.balance()

    assert refused.value.status == 404


async def test_one_idempotency_key_is_one_answer(place: Place) -> None:
    async with place.agent() as agent:
        await agent.register()
        ask = finalize(agent.identity, "00000000-0000-4000-8000-000000000000")
        first = await agent.exchange(ask, idempotency_key="mine")
        again = await agent.exchange(ask, idempotency_key="mine")

    assert (first.status_code, again.headers.get("idempotency-replayed")) == (404, "true")


async def test_a_number_that_was_never_reached_is_an_error(place: Place) -> None:
    async with place.agent() as agent:
        await agent.register()
        with pytest.raises(Refused, match="since: found 7"):
            async with aclosing(agent.events(since=7)) as events:
                await anext(events)


async def test_who_can_not_prove_it_is_told_nothing(place: Place) -> None:
    if not place.telling.api.broker.settings.strict:
        return
    liar = Identity.new()
    liar.did = Identity.new().did  # with another's name, and a key of their own

    async with place.agent(liar) as agent:
        with pytest.raises(Unauthorized, match="Signature verification failed"):
            async with aclosing(agent.events()) as events:
                await anext(events)


@dataclass
class Socket:
    """A server that tells one event on each socket, with the number of the socket, and breaks off."""

    url: str
    asked: list[str]


@pytest.fixture
async def socket() -> AsyncIterator[Socket]:
    asked: list[str] = []

    async def tell(connection: ServerConnection) -> None:
        assert connection.request is not None
        asked.append(connection.request.path.partition("&")[2])
        number = len(asked)
        await connection.send(f'{{"type":"test","event":"e{number}","number":{number}}}')
        await connection.close(1012)

    async with serve(tell, "127.0.0.1", 0) as server:
        yield Socket(f"http://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}", asked)


async def test_events_go_on_after_a_broken_connection(socket: Socket) -> None:
    async with AsyncClient(socket.url, Identity.new()) as client, aclosing(client.events()) as events:
        assert [(await anext(events)).number for _ in range(2)] == [1, 2]

    assert socket.asked == ["since=0", "since=1"]


async def test_so_they_do_without_a_loop(socket: Socket) -> None:
    def listen() -> list[int]:
        with Client(socket.url, Identity.new()) as client:
            events: Generator[Told, None, None] = client.events(since=4)
            with closing(events):
                return [told.number for told in islice(events, 2)]

    assert await asyncio.to_thread(listen) == [1, 2]
    assert socket.asked == ["since=4", "since=1"]


async def test_a_proof_is_for_the_broker_that_was_connected_to() -> None:
    """A broker that passes on another's challenge gets a signature that is worth nothing there."""
    identity, heard = Identity.new(), asyncio.Queue[str | bytes]()

    async def pass_on(connection: ServerConnection) -> None:
        await connection.send('{"type":"challenge","challenge":"c","audience":"https://victim.example"}')
        await heard.put(await connection.recv())

    async with serve(pass_on, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
        async with AsyncClient(url, identity) as client, aclosing(client.events()) as events:
            listening = asyncio.ensure_future(anext(events))
            proof = str(await heard.get())
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

    assert identity.sign_challenge("c", audience=url) in proof
    assert identity.sign_challenge("c", audience="https://victim.example") not in proof


async def test_a_socket_that_was_never_there_is_unreachable() -> None:
    async with AsyncClient("http://127.0.0.1:1", Identity.new()) as client:
        with pytest.raises(Unreachable, match="no socket at"):
            async with aclosing(client.events()) as events:
                await anext(events)


async def test_a_socket_that_is_refused_says_why() -> None:
    said = b'HTTP/1.1 403 X\r\nContent-Length: 31\r\n\r\n{"error":"FORBIDDEN","message":"no"}'.replace(b"31", b"36")
    async with a_flaky_server([said]) as server, AsyncClient(server.url, Identity.new()) as client:
        with pytest.raises(Forbidden, match="403 FORBIDDEN: no"):
            async with aclosing(client.events()) as events:
                await anext(events)


def refusals(kind: type[BrokerError] = BrokerError) -> list[type[BrokerError]]:
    return [
        found for each in kind.__subclasses__() for found in (each, *refusals(each)) if each.__module__ == core.__name__
    ]


@pytest.mark.parametrize("refusal", refusals(), ids=lambda refusal: refusal.__name__)
def test_every_refusal_of_the_broker_has_a_class(refusal: type[BrokerError]) -> None:
    kind = Refused.kind(status_of(refusal), refusal.code)

    assert kind is not Refused
    assert issubclass(kind, Refused.kind(status_of(refusal), ""))  # the more telling one is of the same kind


SERVER = """asyncpg croniter httptools orjson prometheus_client pydantic pydantic_settings redis rich starlette
structlog typer uvicorn uvloop ainp.broker ainp.cli ainp.http ainp.operations ainp.settings ainp.store ainp.worker"""


def test_it_needs_nothing_of_the_server() -> None:
    hidden = f"import sys; sys.modules.update(dict.fromkeys({SERVER.split()!r}))"
    used = "from ainp.client import Client, Identity; Client('http://127.0.0.1:1', Identity.new())"

    done = subprocess.run([sys.executable, "-c", f"{hidden}; {used}"], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
