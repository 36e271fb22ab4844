"""kill -9 in the middle of many flows over HTTP: what was answered is there afterwards, and the books are in order."""

import asyncio
import os
import random
import signal
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from ainp.store.db import Database
from ainp.store.embedded import EmbeddedPostgres
from support.api import Json
from support.books import wrong
from support.builders import agents
from support.serving import AINP, Served, a_data_dir, an_environment, postgres_on, serving

AGENTS = agents(14)
FLOWS = 12
VICTIMS = ["broker", "database", "both"]


@pytest.fixture
def data_dir() -> Iterator[Path]:
    with a_data_dir() as folder:
        yield folder


@dataclass
class Answered:
    """What clients were told, and what they asked without hearing back."""

    settled: dict[str, str] = field(default_factory=dict)  # task by negotiation
    asked: dict[str, str] = field(default_factory=dict)  # client by negotiation that it tried to settle
    attested: set[tuple[str, str]] = field(default_factory=set)  # task, member
    refused: list[str] = field(default_factory=list)


@pytest.mark.parametrize("victim", VICTIMS)
def test_what_was_answered_survives_kill_9(data_dir: Path, victim: str) -> None:
    crash_and_check(data_dir, [victim], settlements=40)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_what_was_answered_survives_many_kills(data_dir: Path) -> None:
    crash_and_check(data_dir, VICTIMS * 7, settlements=60)


def crash_and_check(data_dir: Path, victims: Sequence[str], *, settlements: int) -> None:
    answered = Answered()
    for victim in victims:
        wanted = len(answered.settled) + settlements
        with serving(data_dir, INITIAL_CREDITS="1000000000") as broker:
            asyncio.run(trade_until_killed(broker, broker.url, answered, victim=victim, wanted=wanted))
        assert answered.refused == []
        assert len(answered.settled) >= wanted
    with serving(data_dir, INITIAL_CREDITS="1000000000") as broker:
        asyncio.run(check_over_http(broker.url, answered))
        assert broker.end() == 0
    with EmbeddedPostgres(data_dir) as postgres:
        assert asyncio.run(what_is_wrong(postgres.dsn)) == []
        proof = subprocess.run(
            [AINP, "fsck"], env=an_environment(DATABASE_URL=postgres.dsn), check=False, capture_output=True, text=True
        )
        assert proof.returncode == 0, proof.stdout + proof.stderr


async def trade_until_killed(broker: Served, url: str, answered: Answered, *, victim: str, wanted: int) -> None:
    """Trade in many flows at once; at *wanted* settlements kill; flows end when nobody answers or it was enough."""
    async with httpx.AsyncClient(base_url=url, timeout=30) as client:
        for did in AGENTS:
            (await client.post("/api/agents/register", json=registration(did))).raise_for_status()
        flows = [asyncio.create_task(trade(client, answered, wanted * 2)) for _ in range(FLOWS)]
        async with asyncio.timeout(60):
            while len(answered.settled) < wanted and not all(flow.done() for flow in flows):  # noqa: ASYNC110 - any of them may bring it about
                await asyncio.sleep(0.005)
        if victim != "broker":
            for process in postgres_on(broker.data_dir):
                os.kill(process, signal.SIGKILL)
        if victim == "database":
            await asyncio.sleep(0.5)  # the broker meets a dead database, and starts it again
        broker.process.kill()
        await asyncio.gather(*flows)


async def trade(client: httpx.AsyncClient, answered: Answered, enough: int) -> None:
    chance = random.Random()
    while len(answered.settled) < enough:
        try:
            await one_task(client, answered, chance)
        except (httpx.TransportError, Unanswered):
            return


class Unanswered(Exception):
    """The broker is going down, or said that its database has."""


async def one_task(client: httpx.AsyncClient, answered: Answered, chance: random.Random) -> None:
    payer, worker = chance.sample(AGENTS, 2)
    opening = {
        "intent_id": "translate",
        "initiator_did": payer,
        "responder_did": worker,
        "initial_proposal": {"price": chance.choice([0.001, 1, 300])},
    }
    negotiation = (await told(client, answered, "/api/negotiations", opening))["id"]
    path = f"/api/negotiations/{negotiation}"
    await told(client, answered, f"{path}/accept", {"acceptor_did": worker})
    answered.asked[negotiation] = payer
    headers = {"Idempotency-Key": "settle"} if chance.random() < 0.5 else {}
    settled = await told(client, answered, f"{path}/settle", {}, by=payer, **headers)
    answered.settled[negotiation] = settled["task_id"]
    for member in chance.sample(settled["receipt"]["committee"], chance.randint(1, 5)):
        said = {"type": "AUDIT_PASS", "by_did": member}
        await told(client, answered, f"/api/receipts/{settled['task_id']}/attestations", said, by=member)
        answered.attested.add((settled["task_id"], member))


async def told(
    client: httpx.AsyncClient, answered: Answered, path: str, body: Json, *, by: str = "", **headers: str
) -> Json:
    response = await client.post(path, json=body, headers={**({"X-AINP-DID": by} if by else {}), **headers})
    if response.status_code == 503:
        raise Unanswered
    if response.status_code >= 400:
        answered.refused.append(f"{path}: {response.text}")
        raise Unanswered
    return response.json()


async def check_over_http(url: str, answered: Answered) -> None:
    async with httpx.AsyncClient(base_url=url, timeout=30) as client:
        for negotiation, payer in answered.asked.items():
            again = await client.post(f"/api/negotiations/{negotiation}/settle", json={}, headers={"X-AINP-DID": payer})
            assert again.status_code == 200, again.text
            known = answered.settled.setdefault(negotiation, again.json()["task_id"])
            assert again.json()["task_id"] == known
        kept: set[tuple[str, str]] = set()
        for task in answered.settled.values():
            receipt = (await client.get(f"/api/receipts/{task}")).json()
            kept |= {(task, attestation["by_did"]) for attestation in receipt["attestations"]}
        assert answered.attested <= kept


async def what_is_wrong(dsn: str) -> list[str]:
    database = Database(dsn, size=2)
    await database.open()
    try:
        return await wrong(database)
    finally:
        await database.close()


def registration(did: str) -> dict[str, object]:
    return {"address": {"did": did, "capabilities": []}}
