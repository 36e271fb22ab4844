"""SIGTERM hands a broker's work over: requests end, sockets resume elsewhere, jobs and events go on with another."""

import asyncio
import json
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from support.builders import agents
from support.listening import listening
from support.migrating import connected
from support.serving import Served, a_data_dir, serving, wait_until

CLIENT, AGENT, *MEMBERS = agents(8, "drain")
OFFER = {"intent_id": "x", "responder_did": AGENT, "initial_proposal": {"price": 1}}


@pytest.fixture
def data_dir() -> Iterator[Path]:
    with a_data_dir() as folder:
        folder.mkdir()
        yield folder


def call(broker: Served, path: str, body: object, *, by: str = "") -> dict[str, object]:
    answer = httpx.post(broker.url + path, json=body, headers={"X-AINP-DID": by} if by else {}, timeout=30)
    assert answer.is_success, answer.text
    found: dict[str, object] = answer.json()
    return found


@contextmanager
def a_half_sent_request(broker: Served, body: bytes) -> Iterator[socket.socket]:
    """A registration whose last byte is not sent yet, and that the broker has begun to read."""
    head = (
        f"POST /api/agents/register HTTP/1.1\r\nHost: 127.0.0.1:{broker.port}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", broker.port), timeout=20) as connection:
        connection.sendall(head.encode() + body[:-1])
        assert connection.recv(100).startswith(b"HTTP/1.1 100")  # so its handler waits for the rest
        yield connection


def refuses_connections(broker: Served) -> bool:
    try:
        socket.create_connection(("127.0.0.1", broker.port), timeout=1).close()
    except ConnectionRefusedError:
        return True
    return False


@pytest.mark.parametrize("workers", ["1", pytest.param("2", marks=pytest.mark.long)])
def test_a_request_that_was_begun_is_answered_although_nobody_new_may_come(
    database_url: str, data_dir: Path, workers: str
) -> None:
    body = json.dumps({"address": {"did": AGENT, "capabilities": []}}).encode()
    with serving(data_dir, user=None, DATABASE_URL=database_url, WORKERS=workers) as broker:
        assert broker.get("/health").status_code == 200
        with a_half_sent_request(broker, body) as connection:
            broker.process.send_signal(signal.SIGTERM)
            if workers == "1":
                wait_until(lambda: refuses_connections(broker))
            else:
                broker.wait_for("AINP Broker is stopping")
            connection.sendall(body[-1:])
            answer = connection.recv(65_536)

        assert answer.startswith(b"HTTP/1.1 200")
        assert broker.process.wait(30) == 0
    assert asyncio.run(_registered(database_url)) == [AGENT]


def test_sockets_resume_and_jobs_go_on_with_another_broker(database_url: str, data_dir: Path) -> None:
    shared = {"DATABASE_URL": database_url, "POU_FINALIZER_CRON": "* * * * * *"}
    other_dir = data_dir.with_name("other")
    other_dir.mkdir()
    with (
        serving(data_dir, user=None, **shared) as first,
        serving(other_dir, user=None, **shared) as second,
    ):
        for did in (CLIENT, AGENT, *MEMBERS):
            call(first, "/api/agents/register", {"address": {"did": did, "capabilities": []}})
        seen = asyncio.run(_listen_until_the_end(first, second))
        assert first.process.wait(30) == 0
        asyncio.run(_resume(second, seen))
        runs = second.messages.count("[PoU Finalizer] Checking 0 pending receipts")
        wait_until(lambda: second.messages.count("[PoU Finalizer] Checking 0 pending receipts") > runs)
        assert second.end() == 0


async def _registered(url: str) -> list[str]:
    async with connected(url) as db:
        return [row["did"] for row in await db.fetch("SELECT did FROM agents")]


async def _listen_until_the_end(first: Served, second: Served) -> int:
    """What the agent was told before its broker was told to stop; the socket is closed as for a restart."""
    async with listening(first.port, AGENT) as listener:
        await asyncio.to_thread(call, first, "/api/negotiations", OFFER, by=CLIENT)
        told = await listener.next()
        first.process.send_signal(signal.SIGTERM)
        code, _ = await listener.closed()

    await asyncio.to_thread(call, second, "/api/negotiations", OFFER, by=CLIENT)  # while nobody listens
    assert (told["event"], code) == ("proposed", 1012)
    return int(told["number"])


async def _resume(second: Served, seen: int) -> None:
    async with listening(second.port, AGENT, since=seen) as listener:
        missed = await listener.next()

        assert (missed["event"], missed["number"]) == ("proposed", seen + 1)
