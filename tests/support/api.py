"""The broker in this process, on a real database, spoken to over HTTP; and the protocol's steps as calls."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from ainp.broker import Broker, make_broker
from ainp.http.app import App
from ainp.settings import Settings, load_settings
from ainp.store.db import Database
from support.builders import agents as dids

LOOPBACK = "http://127.0.0.1:8080"
Json = Any


def a_configuration(**settings: object) -> Settings:
    """Settings with nothing from the environment but what a test names."""
    return load_settings(_env_file=None, **settings)


@dataclass
class Api:
    """A client of one broker; every step asserts its status and returns the decoded answer."""

    broker: Broker
    client: httpx.AsyncClient

    async def call(
        self,
        method: str,
        path: str,
        body: Json = None,
        *,
        by: str | None = None,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> Json:
        """One request; fails with the answer if the status is another."""
        sent = {**({} if by is None else {"X-AINP-DID": by}), **(headers or {})}
        response = await self.client.request(method, path, json=body, headers=sent)

        assert response.status_code == status, f"{method} {path}: {response.status_code} {response.text}"
        return response.json()

    async def get(self, path: str, *, status: int = 200) -> Json:
        """Read something."""
        return await self.call("GET", path, status=status)

    async def register(self, count: int = 8, name: str = "agent") -> Sequence[str]:
        """Register *count* agents."""
        registered = dids(count, name)
        for did in registered:
            await self.call("POST", "/api/agents/register", {"address": {"did": did, "capabilities": []}})
        return registered

    async def initiate(self, client: str, agent: str, **proposal: object) -> Json:
        """Open a negotiation at 100 credits, or as *proposal* says."""
        body = {
            "intent_id": "translate",
            "initiator_did": client,
            "responder_did": agent,
            "initial_proposal": {"price": 100, **proposal},
        }
        return await self.call("POST", "/api/negotiations", body, status=201)

    async def accepted(self, client: str, agent: str, **proposal: object) -> Json:
        """A negotiation whose opening offer the agent has accepted."""
        opened = await self.initiate(client, agent, **proposal)
        return await self.call("POST", f"/api/negotiations/{opened['id']}/accept", {"acceptor_did": agent})

    async def settled(self, client: str, agent: str, **proposal: object) -> Json:
        """The answer to the settlement of such a negotiation."""
        accepted = await self.accepted(client, agent, **proposal)
        return await self.call("POST", f"/api/negotiations/{accepted['id']}/settle", {}, by=client)

    async def attest(self, task_id: str, by: str, type_: str, *, status: int = 201, **said: object) -> Json:
        """One attestation."""
        path = f"/api/receipts/{task_id}/attestations"
        return await self.call("POST", path, {"type": type_, **said}, by=by, status=status)

    async def finalized(self, client: str, agent: str, **proposal: object) -> Json:
        """A receipt that its whole committee has passed and the client has accepted."""
        settled = await self.settled(client, agent, **proposal)
        await self.attest(settled["task_id"], client, "ACCEPTED", score=0.95, confidence=0.98)
        for member in settled["receipt"]["committee"]:
            await self.attest(settled["task_id"], member, "AUDIT_PASS", score=0.9, confidence=0.95)
        return await self.get(f"/api/receipts/{settled['task_id']}")


@asynccontextmanager
async def an_api(database_url: str, **settings: object) -> AsyncIterator[Api]:
    """A broker on *database_url*, without jobs: a test runs them when it wants to; and asks as often as it likes."""
    configured = a_configuration(**{"rate_limit_enabled": False, **settings})
    database = Database(database_url, size=configured.pool_size)
    await database.open()
    try:
        broker = make_broker(configured, database)
        transport = httpx.ASGITransport(app=App(broker))
        async with httpx.AsyncClient(transport=transport, base_url=LOOPBACK) as client:
            yield Api(broker, client)
    finally:
        await database.close()
