"""Agents with keys, who sign what they ask of a broker in strict mode."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import httpx
from nacl.signing import SigningKey

from ainp.client.identity import Identity
from ainp.client.signing import SignedBy
from support.api import Api, Json, an_api
from support.listening import a_telling_broker

ADMIN_TOKEN = "an administrator's token"


def identity(name: str) -> Identity:
    """The agent of this name, the same every time."""
    return Identity(SigningKey(sha256(name.encode()).digest()))


@dataclass
class SignedApi:
    """A client of a broker in strict mode; every step is signed by who takes it."""

    api: Api

    async def call(
        self,
        method: str,
        path: str,
        body: Json = None,
        *,
        by: Identity | None = None,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> Json:
        """One request, signed if *by* somebody; fails with the answer if the status is another."""
        auth = None if by is None else SignedBy(by)
        response = await self.api.client.request(method, path, json=body, headers=headers, auth=auth)

        assert response.status_code == status, f"{method} {path}: {response.status_code} {response.text}"
        return response.json()

    async def register(self, *agents: Identity) -> None:
        """Register agents, each by itself."""
        for agent in agents:
            body = {"address": {"did": agent.did, "capabilities": []}}
            await self.call("POST", "/api/agents/register", body, by=agent)

    async def initiate(self, client: Identity, agent: Identity, **proposal: object) -> Json:
        """Open a negotiation at 100 credits."""
        body = {"intent_id": "i", "responder_did": agent.did, "initial_proposal": {"price": 100, **proposal}}
        return await self.call("POST", "/api/negotiations", body, by=client, status=201)

    async def settled(self, client: Identity, agent: Identity) -> Json:
        """A settled negotiation's answer."""
        opened = await self.initiate(client, agent)
        path = f"/api/negotiations/{opened['id']}"
        await self.call("POST", f"{path}/accept", {"terms_hash": opened["terms_hash"]}, by=agent)
        return await self.call("POST", f"{path}/settle", {}, by=client)


_SETTINGS: Mapping[str, Any] = {
    "auth_mode": "strict",
    "initial_credits": 1_000_000,
    "pou_committee_min_age_minutes": 0,
    "admin_token": ADMIN_TOKEN,
}


@asynccontextmanager
async def a_strict_api(database_url: str, **settings: object) -> AsyncIterator[SignedApi]:
    """A broker in strict mode, with welcome credits and committees of agents that have just come."""
    async with an_api(database_url, **{**_SETTINGS, **settings}) as api:
        yield SignedApi(api)


@asynccontextmanager
async def a_strict_broker(database_url: str, **settings: Any) -> AsyncIterator[tuple[SignedApi, int]]:  # noqa: ANN401
    """The same on a port, with its events published and told."""
    async with (
        a_telling_broker(database_url, **{**_SETTINGS, **settings}) as told,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{told.port}", timeout=20) as client,
    ):
        yield SignedApi(Api(told.api.broker, client)), told.port


def signed_request(api: SignedApi, by: Identity, method: str, path: str, body: bytes = b"") -> httpx.Request:
    """A request as it would be sent, signed: to be changed, or sent twice."""
    headers = {"Content-Type": "application/json"} if body else {}
    request = api.api.client.build_request(method, path, content=body, headers=headers)
    return next(SignedBy(by).auth_flow(request))


def committee_of(settled: Json, agents: Sequence[Identity]) -> list[Identity]:
    """The agents that were drawn."""
    return [agent for agent in agents if agent.did in settled["receipt"]["committee"]]
