"""`ainp serve --workers 2` in strict mode: what counts once does so in all processes, and after all of them died."""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from support.serving import Served, a_data_dir, a_free_port, runs, serving, wait_until
from support.socket import Answer, Raw
from support.target import ALICE, BOB, Sent, signed


@contextmanager
def serving_strictly(data_dir: Path, port: str, *arguments: str) -> Iterator[Served]:
    with serving(
        data_dir, *arguments, PORT=port, AUTH_MODE="strict", INITIAL_CREDITS="1000000", RATE_LIMIT_ENABLED="false"
    ) as broker:
        yield broker


def registration(base: str) -> Sent:
    return signed(
        ALICE, "POST", f"{base}/api/agents/register", b'{"address":{"did":"%s","capabilities":[]}}' % ALICE.did.encode()
    )


def opening(base: str, intent: str) -> Sent:
    body = b'{"intent_id":"%b","responder_did":"%b","initial_proposal":{"price":1}}' % (
        intent.encode(),
        BOB.did.encode(),
    )
    return signed(ALICE, "POST", f"{base}/api/negotiations", body)


def send(broker: Served, sent: Sent) -> Answer:
    return asyncio.run(Raw(broker.port).send(sent.raw))


def send_to(broker: Served, name: str, sent: Sent) -> Answer:
    """Have one process answer: the others are stopped meanwhile."""
    others = [pid for other, pid in broker.children.items() if other.startswith("serve-") and other != name]
    for pid in others:
        os.kill(pid, signal.SIGSTOP)
    try:
        return send(broker, sent)
    finally:
        for pid in others:
            os.kill(pid, signal.SIGCONT)


def intents(broker: Served, base: str) -> list[str]:
    answer = send(broker, signed(ALICE, "GET", f"{base}/api/negotiations?agent_did={ALICE.did}"))
    return sorted(negotiation["intent_id"] for negotiation in answer.json)


def kill(broker: Served) -> None:
    """All processes of the broker at once, without a word."""
    pids = broker.children.values()
    os.killpg(broker.process.pid, signal.SIGKILL)
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not any(map(runs, pids)))


async def cut_off(port: int, sent: Sent) -> None:
    """Send a request and go, whatever becomes of it."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent.raw)
    await writer.drain()
    writer.close()


def test_a_signature_counts_once_in_all_processes_and_for_ever() -> None:
    with a_data_dir() as data_dir:
        port = str(a_free_port())
        base = f"http://127.0.0.1:{port}"
        first, second, in_the_dark = opening(base, "first"), opening(base, "second"), opening(base, "dark")
        with serving_strictly(data_dir, port, "--workers", "2") as broker:
            wait_until(lambda: len(broker.children) == 3)
            assert send(broker, registration(base)).status == 200

            assert send_to(broker, "serve-1", first).status == 201
            assert send_to(broker, "serve-2", first).json["error"] == "REPLAY_DETECTED"
            assert send_to(broker, "serve-2", second).status == 201
            assert send_to(broker, "serve-1", second).json["error"] == "REPLAY_DETECTED"
            asyncio.run(cut_off(broker.port, in_the_dark))
            kill(broker)

        with serving_strictly(data_dir, port) as broker:
            for replayed in (first, second):
                assert send(broker, replayed).json["error"] == "REPLAY_DETECTED"
            assert send(broker, in_the_dark).status in {201, 409}  # whether it was done or not, now it is
            assert send(broker, in_the_dark).json["error"] == "REPLAY_DETECTED"
            assert intents(broker, base) == ["dark", "first", "second"]
