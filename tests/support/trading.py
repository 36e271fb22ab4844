"""Clients that trade over HTTP while parts of the broker are killed, and remember what they were told."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import httpx

from support.api import Json

_PAUSE_S = 0.05  # before the next task, when the last one was not answered
_TIMEOUT_S = 20  # more than anything may take; running into it is not caught


@dataclass
class Answered:
    """What clients were told, and what they asked without hearing back."""

    accepted: set[str] = field(default_factory=set)  # negotiations
    settled: dict[str, str] = field(default_factory=dict)  # task by negotiation
    asked: dict[str, tuple[str, str]] = field(default_factory=dict)  # the parties of what was tried to be settled
    attested: set[tuple[str, str]] = field(default_factory=set)  # task, member
    refused: list[str] = field(default_factory=list)
    unanswered: int = 0


class _Unanswered(Exception):
    """The broker is going down, or said that its database has."""


@asynccontextmanager
async def trading(url: str, answered: Answered, agents: Sequence[str], *, flows: int) -> AsyncIterator[None]:
    """Trade in many flows at once, whatever becomes of the broker meanwhile, until the block ends."""
    limits = httpx.Limits(max_connections=flows, max_keepalive_connections=flows)
    async with httpx.AsyncClient(base_url=url, timeout=_TIMEOUT_S, limits=limits) as client:
        await _register(client, agents)
        running = [asyncio.create_task(_trade(client, answered, agents)) for _ in range(flows)]
        try:
            yield
        finally:
            for flow in running:
                flow.cancel()
            ended = await asyncio.gather(*running, return_exceptions=True)
    assert {type(end) for end in ended} == {asyncio.CancelledError}, ended


async def _register(client: httpx.AsyncClient, agents: Sequence[str]) -> None:
    for did in agents:
        body = {"address": {"did": did, "capabilities": []}}
        (await client.post("/api/agents/register", json=body)).raise_for_status()


async def _trade(client: httpx.AsyncClient, answered: Answered, agents: Sequence[str]) -> None:
    chance = random.Random()
    while True:
        try:
            await _one_task(client, answered, agents, chance)
        except httpx.TimeoutException:
            raise
        except (httpx.TransportError, _Unanswered):
            answered.unanswered += 1
            await asyncio.sleep(_PAUSE_S)


async def _one_task(
    client: httpx.AsyncClient, answered: Answered, agents: Sequence[str], chance: random.Random
) -> None:
    payer, worker = chance.sample(agents, 2)
    opening = {
        "intent_id": "translate",
        "initiator_did": payer,
        "responder_did": worker,
        "initial_proposal": {"price": 1},
    }
    negotiation = (await _told(client, answered, "/api/negotiations", opening))["id"]
    path = f"/api/negotiations/{negotiation}"
    asked = {"proposer_did": worker, "proposal": {"price": chance.choice([0.001, 1, 30])}}
    await _told(client, answered, f"{path}/propose", asked)
    await _told(client, answered, f"{path}/accept", {"acceptor_did": payer})
    answered.accepted.add(negotiation)
    answered.asked[negotiation] = (payer, worker)
    headers = {"Idempotency-Key": "settle"} if chance.random() < 0.5 else {}
    settled = await _told(client, answered, f"{path}/settle", {}, by=payer, **headers)
    answered.settled[negotiation] = settled["task_id"]
    committee = settled["receipt"]["committee"]  # short, where few have been seen lately
    for member in chance.sample(committee, chance.randint(0, len(committee))):
        said = {"type": "AUDIT_PASS", "by_did": member}
        await _told(client, answered, f"/api/receipts/{settled['task_id']}/attestations", said, by=member)
        answered.attested.add((settled["task_id"], member))


async def _told(
    client: httpx.AsyncClient, answered: Answered, path: str, body: Json, *, by: str = "", **headers: str
) -> Json:
    response = await client.post(path, json=body, headers={**({"X-AINP-DID": by} if by else {}), **headers})
    if response.status_code == 503 and "retry-after" in response.headers:
        raise _Unanswered
    if response.status_code >= 400:
        answered.refused.append(f"{path}: {response.status_code} {response.text}")
        raise _Unanswered
    return response.json()


async def check_over_http(url: str, answered: Answered) -> None:
    """Ask the broker for everything it has said, and again for what it did not answer."""
    async with httpx.AsyncClient(base_url=url, timeout=_TIMEOUT_S) as client:
        for negotiation, (payer, _) in answered.asked.items():
            if negotiation not in answered.settled:
                path = f"/api/negotiations/{negotiation}/settle"
                again = await client.post(path, json={}, headers={"X-AINP-DID": payer})
                assert again.status_code == 200, again.text
                answered.settled[negotiation] = again.json()["task_id"]
        for negotiation in answered.accepted:
            found = (await client.get(f"/api/negotiations/{negotiation}")).json()
            assert (found["state"], found["task_id"]) == ("settled", answered.settled[negotiation])
        kept: set[tuple[str, str]] = set()
        for negotiation, task in answered.settled.items():
            receipt = (await client.get(f"/api/receipts/{task}")).json()
            assert receipt["negotiation_id"] == negotiation
            kept |= {(task, attestation["by_did"]) for attestation in receipt["attestations"]}
        assert answered.attested <= kept


@asynccontextmanager
async def polled(url: str, path: str) -> AsyncIterator[list[int]]:
    """The statuses of an answer that is asked for again and again until the block ends; 0 for none."""
    statuses: list[int] = []

    async def poll() -> None:
        async with httpx.AsyncClient(base_url=url, timeout=_TIMEOUT_S) as client:
            while True:
                try:
                    statuses.append((await client.get(path)).status_code)
                except httpx.TimeoutException:
                    raise
                except httpx.TransportError:
                    statuses.append(0)
                await asyncio.sleep(0.02)

    polling = asyncio.create_task(poll())
    try:
        yield statuses
    finally:
        polling.cancel()
        with suppress(asyncio.CancelledError):
            await polling
