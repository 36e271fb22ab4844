"""A network that has lived: every way a negotiation and a receipt can end, and some that are still open."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from nacl.signing import SigningKey

from ainp.core.attestation import Attestation
from ainp.core.canonical import canonical, digest
from ainp.core.did import AgentDid, did_of_key
from ainp.core.ids import TaskId
from ainp.core.payment import Method
from ainp.core.terms import Proposal
from ainp.core.usefulness import HOUR, Submission, WorkType
from ainp.operations import accounts, cohorts, negotiations, payments, rewards, stakes, usefulness
from ainp.operations.payments import Wanted
from ainp.operations.rewards import RewardPolicy
from ainp.operations.stakes import Slash
from ainp.worker import finalizer
from support.api import Api, Json, a_configuration, an_api
from support.builders import agents
from support.migrating import connected
from support.providers import a_coinbase, signature


@dataclass
class Network:
    """A broker with agents whose keys are known; the first is the client, the second works."""

    api: Api
    url: str
    keys: Mapping[str, SigningKey]

    @property
    def agents(self) -> Sequence[str]:
        """Their DIDs, sorted."""
        return sorted(self.keys)

    async def attest(self, task_id: str, by: str, type_: str, **said: Any) -> None:  # noqa: ANN401 - score, confidence
        """A signed attestation."""
        statement = Attestation(TaskId(UUID(task_id)), AgentDid(by), type_, **said).statement
        await self.api.attest(task_id, by, type_, signature=self._sign(statement, by), **said)

    def signed(self, proposal: Proposal, by: str) -> str:
        """A party's signature over terms."""
        return self._sign(digest(canonical(proposal)), by)

    async def sql(self, statement: str, *arguments: object) -> None:
        """Make something true that would take time."""
        async with connected(self.url) as db:
            await db.execute(statement, *arguments)

    def _sign(self, data: bytes, by: str) -> str:
        return base64.b64encode(self.keys[by].sign(data).signature).decode()


async def live(url: str) -> None:
    """Play everything that can happen on the empty, migrated database at *url*."""
    keys = [SigningKey(hashlib.sha256(f"lived {number}".encode()).digest()) for number in range(16)]
    async with an_api(url) as api:
        network = Network(api, url, {did_of_key(bytes(key.verify_key)): key for key in keys})
        for did in network.agents:
            await api.call("POST", "/api/agents/register", {"address": {"did": did, "capabilities": []}})
        await _stakes(network)
        await _opens_without_a_committee(network)
        await _is_seated_late(network)
        await _ends_without_settlement(network)
        await _is_finalized(network)
        await _is_useful(network)
        await _pays(network)
        await _was_apart(network)
        await accounts.roll_up(api.broker.database)
        await _fails(network)
        await _is_extended(network)
        await _is_open(network)


async def _stakes(network: Network) -> None:
    """One stakes, one takes some back, one has taken all, two are slashed, one of whom has nothing staked."""
    *_, keeps, leaves, left, lied, poor = (AgentDid(did) for did in network.agents)
    db, epochs = network.api.broker.database, network.api.broker.epochs
    for did in (keeps, leaves, left, lied):
        await stakes.stake(db, did, 5000, epochs=epochs)
    await stakes.unstake(db, left, 5000, delay=timedelta(0), epochs=epochs)
    assert await stakes.pay_out_due(db) == 1
    for did in (leaves, lied):
        await stakes.unstake(db, did, 2000, delay=timedelta(hours=168), epochs=epochs)
    for did in (lied, poor):
        await stakes.slash(db, Slash(did=did, amount=4000, reason="lied", by="a test"), epochs=epochs)


async def _opens_without_a_committee(network: Network) -> None:
    client, agent, *others = network.agents
    await network.sql("UPDATE agents SET last_seen_at = now() - interval '30 days' WHERE did = ANY ($1)", others)
    settled = await network.api.settled(client, agent)

    assert settled["receipt"]["committee"] == []


async def _is_seated_late(network: Network) -> None:
    broker = network.api.broker
    await network.sql("UPDATE agents SET last_seen_at = now()")
    await broker.epochs.rebuild(broker.database)
    await finalizer.run(broker)
    (seated,) = (await network.api.get("/api/receipts"))["receipts"]

    assert len(seated["committee"]) == 5
    for member in seated["committee"][:3]:
        await network.attest(seated["id"], member, "AUDIT_PASS", score=0.8, confidence=0.7)


async def _ends_without_settlement(network: Network) -> None:
    client, agent, *_ = network.agents
    api = network.api
    await api.accepted(client, agent, price=5)
    await network.sql("UPDATE negotiations SET settle_by = now() - interval '1 hour' WHERE state = 'accepted'")
    assert (await negotiations.expire_due(api.broker.database)).released == 1
    cancelled = await api.accepted(client, agent, price=6)
    await api.call("POST", f"/api/negotiations/{cancelled['id']}/cancel", {"canceller_did": agent})
    rejected = await api.initiate(client, agent)
    await api.call("POST", f"/api/negotiations/{rejected['id']}/reject", {"rejector_did": agent})


async def _is_finalized(network: Network) -> None:
    """After two rounds of signed terms and a delivery; one with a paid validator; one for nothing."""
    client, agent, validator, *_ = network.agents
    api = network.api
    opened = await api.initiate(client, agent, price=1e-3)
    terms = {"price": 12.345, "delivery_time": 60_000, "custom_terms": {"exact": 1e23}}
    path = f"/api/negotiations/{opened['id']}"
    await api.call(
        "POST", f"{path}/propose", {"proposal": terms, "terms_signature": network.signed(terms, agent)}, by=agent
    )
    await api.call("POST", f"{path}/accept", {"terms_signature": network.signed(terms, client)}, by=client)
    delivery = {"outputs_ref": "https://example.org/result", "metrics": {"tokens": 1e23, "ratio": 0.1, "ok": True}}
    await api.call("POST", f"{path}/deliver", delivery, by=agent)
    settled = await api.call("POST", f"{path}/settle", {}, by=client)
    task_id = settled["task_id"]
    await network.attest(task_id, client, "ACCEPTED", score=0.9, confidence=1.0)
    await network.attest(task_id, client, "SAFETY_PASS", score=0.75)
    await network.attest(task_id, validator, "QUALITY_HIGH")
    passed, failed = settled["receipt"]["committee"][:4], settled["receipt"]["committee"][4]
    for member in passed:
        await network.attest(task_id, member, "AUDIT_PASS", score=0.876543, confidence=0.5)
    await network.attest(task_id, failed, "AUDIT_FAIL", score=0.1)
    assert (await api.get(f"/api/receipts/{task_id}"))["judged_at"] is not None
    await api.settled(client, agent, price=7, validator_did=validator)
    await api.settled(client, agent, price=0)


async def _pays(network: Network) -> None:
    """One has bought credits, one waits to, one has not in time, and one has paid another with its own."""
    client, agent, *_ = (AgentDid(did) for did in network.agents)
    db, hour = network.api.broker.database, timedelta(hours=1)
    async with a_coinbase() as stand_in:
        configured = a_configuration(**stand_in.settings()).providers
        assert configured is not None
        assert configured.coinbase is not None
        for amount in (7000, 8000, 9000):
            wanted = Wanted(owner=client, amount=amount, method=Method.COINBASE, time=hour)
            kept = await payments.open_request(db, wanted, configured)
            assert kept.request.invoice is not None
            if amount == 7000:
                stand_in.paid(kept.request.invoice.reference)
                raw = stand_in.webhook(kept.request.invoice.reference)
                said = signature(raw)["x-cc-webhook-signature"]
                notice = configured.coinbase.notice(raw, said, now=await db.clock())
                assert notice is not None
                await payments.receive(db, notice)
        wanted = Wanted(owner=client, amount=500, method=Method.CREDITS, time=hour, payee=agent)
        await payments.open_request(db, wanted, configured)
    await network.sql("UPDATE payment_requests SET expires_at = now() - interval '1 second' WHERE amount_atomic = 8000")
    assert len(await payments.expire_due(db, before=await db.clock(), methods=list(Method))) == 1


async def _is_useful(network: Network) -> None:
    """One has proven work that was finalized, another some of its own; an hour by each rule, and one for nothing."""
    client, agent, *_ = (AgentDid(did) for did in network.agents)
    db = network.api.broker.database
    (finalized,) = (await network.api.get("/api/receipts?status=finalized&limit=1"))["receipts"]
    for did, receipt in ((agent, TaskId(UUID(finalized["id"]))), (client, None)):
        said = Submission(
            work_type=WorkType.COMPUTE,
            metrics={"compute_ms": 5000},
            trace_id="lived",
            said_at=await db.clock(),
            receipt=receipt,
        )
        await usefulness.submit(db, said, by=did, most_per_hour=100)
    assert await usefulness.aggregate(db) == 2
    hour = rewards.hour_before(datetime.fromisoformat(finalized["finalized_at"])) + HOUR
    earned = await rewards.pay(db, hour, RewardPolicy())
    given = await rewards.pay(db, hour - HOUR, RewardPolicy(by_receipts=False))
    nothing = await rewards.pay(db, hour - 2 * HOUR, RewardPolicy())

    assert (earned.recipients, earned.from_pool) == (1, earned.total)
    assert (given.recipients, given.total > given.from_pool > 0) == (2, True)
    assert nothing.total == 0


async def _fails(network: Network) -> None:
    """One by verdicts alone, not judged yet; one that everybody spoke on."""
    client, agent, *_ = network.agents
    for everybody in (False, True):
        settled = await network.api.settled(client, agent, price=20)
        committee = settled["receipt"]["committee"]
        for member in committee if everybody else committee[:3]:
            await network.attest(settled["task_id"], member, "AUDIT_FAIL", score=0.2, confidence=0.9)
        if everybody:
            await network.attest(settled["task_id"], client, "REJECTED", score=0.0, confidence=0.9)


async def _is_extended(network: Network) -> None:
    """One is finalized by its extension, one is extended to the end and nobody decides it."""
    client, agent, *_ = network.agents
    by_extension = await network.api.settled(client, agent, price=30)
    await _pass_a_window(network)
    extended = await network.api.get(f"/api/receipts/{by_extension['task_id']}")
    for member in extended["committee"][5:8]:
        await network.attest(by_extension["task_id"], member, "AUDIT_PASS", score=0.7, confidence=0.6)
    unheard = await network.api.settled(client, agent, price=40)
    await network.attest(unheard["task_id"], unheard["receipt"]["committee"][0], "AUDIT_PASS", score=0.7)
    for _ in range(3):
        await _pass_a_window(network)
    failed = await network.api.get(f"/api/receipts/{unheard['task_id']}")

    assert len(extended["committee"]) == 10
    assert (failed["status"], len(failed["committee"])) == ("failed", 14)


async def _pass_a_window(network: Network) -> None:
    await network.sql(
        "UPDATE task_receipts SET window_ends_at = now() - interval '1 second' WHERE status = 'pending'"
        " AND amount_atomic"
        " IN (30000, 40000)"
    )
    await finalizer.run(network.api.broker)


async def _is_open(network: Network) -> None:
    """An offer, a promise, a receipt that one has passed, one that its job must still decide."""
    client, agent, *_ = network.agents
    await network.api.initiate(client, agent)
    await network.api.accepted(client, agent, price=8)
    settled = await network.api.settled(client, agent, price=9)
    await network.attest(settled["task_id"], settled["receipt"]["committee"][0], "AUDIT_PASS", score=0.7)
    async with an_api(network.url, pou_finalizer_enabled=False) as lazy:
        waiting: Json = await lazy.settled(client, agent, price=10)
        for member in waiting["receipt"]["committee"][:3]:
            await lazy.attest(waiting["task_id"], member, "AUDIT_PASS")


async def _was_apart(network: Network) -> None:
    """A cohort that died before its task was judged; all its money went back."""
    broker = network.api.broker
    members = agents(7, "apart")
    await cohorts.begin(broker.database, members, lent=100_000, lifetime=timedelta(seconds=-1))
    await network.api.settled(*members[:2], price=60)
    await cohorts.close_overdue(broker.database, policy=broker.terms.judging, epochs=broker.epochs)
