"""A broker where everything exists once, a right request for each of its routes, and a look at all that is stored."""

import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec

from ainp.client.identity import Identity
from ainp.core.vectors import to_base64
from ainp.http.routes import Route
from support.api import Api, an_api
from support.envelopes import an_envelope
from support.post import right as right_of_messages
from support.post import written
from support.providers import a_coinbase, as_coinbase_writes, signature

ADMIN_TOKEN = "let-me-in"
LOOK = """
SELECT 'SELECT ' || string_agg(
         format('(SELECT count(*) || '':'' || coalesce(sum(hashtext(t::text)), 0) FROM %1$I t) AS %1$I', tablename),
         ', ' ORDER BY tablename)
  FROM pg_tables WHERE schemaname = 'public'
"""


@dataclass(frozen=True)
class Sent:
    """A request that the broker would accept."""

    path: str
    body: Any = None
    headers: Mapping[str, str] | None = None

    @property
    def raw(self) -> bytes:
        """The body's bytes."""
        return b"" if self.body is None else msgspec.json.encode(self.body)


@dataclass
class World:
    """One broker, its agents, an open, an accepted and a settled negotiation, a pending receipt."""

    api: Api
    client: str
    agent: str
    others: Sequence[str]
    opened: str
    accepted: str
    settled: str
    task_id: str
    committee: Sequence[str]
    epoch: int
    payment: str
    mail: str
    group: str
    look: str

    async def send(
        self,
        method: str,
        path: str,
        content: bytes | AsyncIterator[bytes] = b"",
        headers: Mapping[str, str] | Sequence[tuple[bytes, bytes]] | None = None,
    ) -> httpx.Response:
        """One request as it is, with a content type if it has a body."""
        given = httpx.Headers(headers)
        if content and "content-type" not in given:
            given["content-type"] = "application/json"
        return await self.api.client.request(method, path, content=content, headers=given)

    async def stored(self) -> Mapping[str, str]:
        """For each table how many rows it has, and a sum over all that stands in them."""
        row = await self.api.broker.database.fetchrow(self.look)
        assert row is not None
        return dict(row)

    @asynccontextmanager
    async def nothing_written(self, *, but: str = "") -> AsyncIterator[None]:
        """Fail if anything in any table is different afterwards; *but* names one that may be."""
        before = await self.stored()
        yield
        after = await self.stored()
        assert {table for table in after if after[table] != before[table]} <= {but}

    def right(self, route: Route) -> Sent:
        """A request to *route* with every field of its body that would be accepted."""
        key = route.method, route.path
        if key in _RIGHT:
            return _RIGHT[key](self)
        path, body = right_of_messages(self.client, self.mail)[key]
        return Sent(path, body, {"x-ainp-did": self.client} if "/mail/" in path or "/contacts" in path else None)


@asynccontextmanager
async def a_world(database_url: str, **settings: object) -> AsyncIterator[World]:
    """A broker on *database_url* in which one of each exists."""
    on = {"memory_distiller_enabled": True, "ainp_env": "test"}
    rich = {"admin_token": ADMIN_TOKEN, "initial_credits": 50_000_000, **on}
    async with a_coinbase() as coinbase, an_api(database_url, **{**rich, **coinbase.settings(), **settings}) as api:
        client, agent, *others = await api.register(8)
        opened = await api.initiate(client, agent)
        accepted = await api.accepted(client, agent)
        settled = await api.settled(client, agent)
        for staker in others[:2]:
            await api.call("POST", "/api/stakes", {"agent_did": staker, "amount_atomic": 10_000})
        await api.call("POST", "/api/stakes/unstake", {"agent_did": others[1], "amount_atomic": 5000})
        together = {"intent_id": "meet", "participants": others[:2], "proposal": {"price": 1}, "opener_did": client}
        group = await api.call("POST", "/api/groups", {**together, "timeout_per_round_ms": 3_600_000}, status=201)
        body = {"owner_did": client, "amount_atomic": 1000, "method": "coinbase"}
        payment = await api.call("POST", "/api/payments/requests", body, status=201)
        yield World(
            api=api,
            client=client,
            agent=agent,
            others=others,
            opened=opened["id"],
            accepted=accepted["id"],
            settled=settled["negotiation_id"],
            task_id=settled["task_id"],
            committee=settled["receipt"]["committee"],
            epoch=settled["receipt"]["committee_epoch"],
            payment=payment["request_id"],
            mail=await written(api.client, client),
            group=group["id"],
            look=await api.broker.database.fetchval(LOOK),
        )


def a_webhook() -> Sent:
    """A webhook that changes nothing."""
    event = {"id": "1", "type": "charge:created", "created_at": as_coinbase_writes(datetime.now(UTC)), "data": {}}
    body = {"event": event}
    return Sent("/api/payments/webhooks/coinbase", body, signature(msgspec.json.encode(body)))


_PROPOSAL = {"price": 100, "delivery_time": 60_000, "quality_sla": 0.9, "custom_terms": {"tone": {"style": ["plain"]}}}
_EMBEDDING = {
    "b64": to_base64([1.0] + [0.0] * 255),
    "dim": 256,
    "dtype": "f32",
    "model": "wordllama:l2_supercat_256",
}
_CAPABILITY = {
    "description": "translates",
    "tags": ["text"],
    "version": "1.0.0",
    "evidence": "https://example.com",
    "embedding": _EMBEDDING,
    "latency_ms": 250,
    "cost": 0.5,
}

_RIGHT: dict[tuple[str, str], Callable[[World], Sent]] = {
    ("POST", "/api/negotiations/{id}/settle"): lambda w: Sent(
        f"/api/negotiations/{w.accepted}/settle",
        {"settler_did": w.client, "validator_did": w.client, "usefulness_proof_id": "p"},
    ),
    ("POST", "/api/receipts/{task_id}/attestations"): lambda w: Sent(
        f"/api/receipts/{w.task_id}/attestations",
        {
            "type": "QUALITY_HIGH",
            "score": 0.9,
            "confidence": 0.9,
            "evidence_ref": "https://example.com",
            "by_did": w.client,
            "task_id": w.task_id,
            "signature": None,
        },
    ),
    ("GET", "/api/receipts/{task_id}/attestations"): lambda w: Sent(f"/api/receipts/{w.task_id}/attestations"),
    ("GET", "/api/receipts/{task_id}"): lambda w: Sent(f"/api/receipts/{w.task_id}"),
    ("GET", "/api/receipts/{task_id}/committee"): lambda w: Sent(f"/api/receipts/{w.task_id}/committee"),
    ("GET", "/api/receipts/{task_id}/statement"): lambda w: Sent(f"/api/receipts/{w.task_id}/statement"),
    ("POST", "/api/receipts/{task_id}/finalize"): lambda w: Sent(f"/api/receipts/{w.task_id}/finalize", {}),
    ("GET", "/api/receipts"): lambda _: Sent("/api/receipts"),
    ("POST", "/api/negotiations"): lambda w: Sent(
        "/api/negotiations",
        {
            "intent_id": "translate",
            "responder_did": w.agent,
            "initial_proposal": _PROPOSAL,
            "initiator_did": w.client,
            "max_rounds": 10,
            "ttl_minutes": 60,
            "terms_signature": None,
        },
    ),
    ("GET", "/api/negotiations"): lambda w: Sent(f"/api/negotiations?agent_did={w.client}"),
    ("GET", "/api/negotiations/{id}"): lambda w: Sent(f"/api/negotiations/{w.opened}"),
    ("POST", "/api/negotiations/{id}/propose"): lambda w: Sent(
        f"/api/negotiations/{w.opened}/propose",
        {"proposal": _PROPOSAL, "proposer_did": w.agent, "terms_signature": None},
    ),
    ("POST", "/api/negotiations/{id}/accept"): lambda w: Sent(
        f"/api/negotiations/{w.opened}/accept",
        {"acceptor_did": w.agent, "terms_hash": None, "round_number": 1, "terms_signature": None},
    ),
    ("POST", "/api/negotiations/{id}/reject"): lambda w: Sent(
        f"/api/negotiations/{w.opened}/reject", {"rejector_did": w.agent, "reason": "too dear"}
    ),
    ("POST", "/api/negotiations/{id}/cancel"): lambda w: Sent(
        f"/api/negotiations/{w.opened}/cancel", {"canceller_did": w.client, "reason": "done elsewhere"}
    ),
    ("POST", "/api/negotiations/{id}/deliver"): lambda w: Sent(
        f"/api/negotiations/{w.accepted}/deliver",
        {"deliverer_did": w.agent, "outputs_ref": "https://example.com", "metrics": {"words": {"count": [1]}}},
    ),
    ("POST", "/api/groups"): lambda w: Sent(
        "/api/groups",
        {
            "intent_id": "meet",
            "participants": list(w.others[:2]),
            "proposal": _PROPOSAL,
            "opener_did": w.client,
            "voting_mechanism": "majority",
            "convergence_threshold": 0.75,
            "max_rounds": 2,
            "timeout_per_round_ms": 60_000,
            "terms_signature": None,
        },
    ),
    ("GET", "/api/groups"): lambda w: Sent(f"/api/groups?agent_did={w.client}"),
    ("GET", "/api/groups/{id}"): lambda w: Sent(f"/api/groups/{w.group}"),
    ("POST", "/api/groups/{id}/votes"): lambda w: Sent(
        f"/api/groups/{w.group}/votes",
        {
            "vote": "REJECT",
            "voter_did": w.others[0],
            "round_number": 1,
            "terms_hash": None,
            "proposal": _PROPOSAL,
            "terms_signature": None,
        },
    ),
    ("POST", "/api/groups/{id}/abort"): lambda w: Sent(
        f"/api/groups/{w.group}/abort", {"opener_did": w.client, "reason": "done elsewhere"}
    ),
    ("POST", "/api/agents/register"): lambda w: Sent(
        "/api/agents/register",
        {
            "address": {"did": w.client, "capabilities": [_CAPABILITY]},
            "ttl": 60_000,
            "did": w.client,
            "capabilities": [_CAPABILITY],
            "semantic_address": {"capabilities": ["translate"], "description": "translates"},
        },
    ),
    ("POST", "/api/discovery/envelope"): lambda _: Sent(
        "/api/discovery/envelope", msgspec.json.decode(an_envelope(Identity.new()))
    ),
    ("POST", "/api/discovery/search"): lambda _: Sent(
        "/api/discovery/search",
        {
            "description": "translates",
            "embedding": _EMBEDDING,
            "tags": ["text"],
            "min_trust": 0,
            "minTrust": 0,
            "limit": 5,
            "max_latency_ms": 1000,
            "maxLatency": 1000,
            "max_cost": 2.5,
            "maxCost": 2.5,
        },
    ),
    ("GET", "/api/agents/discovery"): lambda _: Sent("/api/agents/discovery?description=translates"),
    ("GET", "/api/agents/{did}"): lambda w: Sent(f"/api/agents/{w.client}"),
    ("GET", "/api/reputation/{did}"): lambda w: Sent(f"/api/reputation/{w.client}"),
    ("GET", "/api/reputation/{did}/history"): lambda w: Sent(f"/api/reputation/{w.client}/history"),
    ("GET", "/api/credits/{did}"): lambda w: Sent(f"/api/credits/{w.client}"),
    ("GET", "/api/credits/{did}/transactions"): lambda w: Sent(f"/api/credits/{w.client}/transactions"),
    ("POST", "/api/credits/deposit"): lambda w: Sent(
        "/api/credits/deposit",
        {"agent_did": w.client, "amount": 1000},
        {"authorization": f"Bearer {ADMIN_TOKEN}"},
    ),
    ("POST", "/api/payments/requests"): lambda w: Sent(
        "/api/payments/requests",
        {
            "amount_atomic": "100",
            "method": "credits",
            "owner_did": w.client,
            "to_did": w.agent,
            "currency": "credits",
            "description": "tea",
            "expires_in_seconds": 600,
        },
    ),
    ("GET", "/api/payments/requests/{id}"): lambda w: Sent(f"/api/payments/requests/{w.payment}"),
    ("POST", "/api/payments/requests/{id}/cancel"): lambda w: Sent(
        f"/api/payments/requests/{w.payment}/cancel", {"owner_did": w.client}
    ),
    ("POST", "/api/payments/requests/{id}/confirm"): lambda w: Sent(
        f"/api/payments/requests/{w.payment}/confirm", {"owner_did": w.client}
    ),
    ("POST", "/api/payments/webhooks/coinbase"): lambda _: a_webhook(),
    ("POST", "/api/stakes"): lambda w: Sent("/api/stakes", {"agent_did": w.client, "amount_atomic": "1000"}),
    ("POST", "/api/stakes/unstake"): lambda w: Sent(
        "/api/stakes/unstake", {"agent_did": w.others[0], "amount_atomic": 1000}
    ),
    ("POST", "/api/stakes/cancel-unstake"): lambda w: Sent("/api/stakes/cancel-unstake", {"agent_did": w.others[1]}),
    ("POST", "/api/usefulness/proofs"): lambda w: Sent(
        "/api/usefulness/proofs",
        {
            "work_type": "compute",
            "metrics": {"compute_ms": 5},
            "trace_id": "a trace",
            "timestamp": time.time() * 1000,
            "intent_id": "translate",
            "receipt_id": None,
            "attestations": ["vouched"],
            "agent_did": w.client,
        },
    ),
    ("POST", "/api/usefulness/aggregate"): lambda _: Sent("/api/usefulness/aggregate", {}),
    ("GET", "/api/usefulness/agents/{did}"): lambda w: Sent(f"/api/usefulness/agents/{w.client}"),
    ("GET", "/api/stakes/{did}"): lambda w: Sent(f"/api/stakes/{w.client}"),
    ("POST", "/api/admin/slash"): lambda w: Sent(
        "/api/admin/slash",
        {
            "agent_did": w.others[0],
            "amount_atomic": "1000",
            "reason": "lied about the tests",
            "evidence_ref": "https://example.com",
        },
        {"authorization": f"Bearer {ADMIN_TOKEN}"},
    ),
    ("POST", "/api/dev/embed"): lambda _: Sent("/api/dev/embed", {"text": "hello"}),
    ("POST", "/api/dev/embed_batch"): lambda _: Sent("/api/dev/embed_batch", {"texts": ["hello", "world"]}),
    ("GET", "/api/admin/memories"): lambda w: Sent(
        f"/api/admin/memories?agent_did={w.client}", headers={"authorization": f"Bearer {ADMIN_TOKEN}"}
    ),
    ("POST", "/api/admin/memories/search"): lambda w: Sent(
        "/api/admin/memories/search",
        {"agent_did": w.client, "query": "hello", "min_similarity": 0.5, "limit": 5},
        {"authorization": f"Bearer {ADMIN_TOKEN}"},
    ),
    ("GET", "/api/admin/audit"): lambda _: Sent("/api/admin/audit", headers={"authorization": f"Bearer {ADMIN_TOKEN}"}),
    ("GET", "/api/committee-epochs/{id}"): lambda w: Sent(f"/api/committee-epochs/{w.epoch}"),
    ("GET", "/api/broker"): lambda _: Sent("/api/broker"),
    ("GET", "/health"): lambda _: Sent("/health"),
    ("GET", "/health/ready"): lambda _: Sent("/health/ready"),
    ("GET", "/health/detailed"): lambda _: Sent("/health/detailed"),
    ("GET", "/metrics"): lambda _: Sent("/metrics"),
}
COVERED = frozenset(_RIGHT) | frozenset(right_of_messages("", ""))
