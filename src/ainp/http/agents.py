"""Agents and their reputation."""

from datetime import UTC, datetime
from functools import partial

from ainp.core.errors import SchemaBehind
from ainp.core.reputation import Reputation
from ainp.core.vectors import to_base64
from ainp.http.call import Call, Reply
from ainp.http.discovery import EMBEDDINGS
from ainp.http.route import Handler
from ainp.operations import agents, discovery, reputation
from ainp.store.reputation import Profile
from ainp.telemetry import Line
from ainp.telemetry.metrics import REGISTRATIONS
from ainp.wire.agents import (
    AgentName,
    AgentReply,
    CreditsReply,
    RegisterBody,
    RegisteredReply,
    TrustReply,
)
from ainp.wire.discovery import capability_reply
from ainp.wire.reputation import (
    AuditorReply,
    ChangeReply,
    HistoryReply,
    ReputationReply,
    reputation_reply,
    trust_reply,
)
from ainp.wire.values import iso, iso_or_none, part

_NEWEST = 2**62


async def register(call: Call) -> Reply:
    """Register an agent, or renew it with exactly these capabilities."""
    return await _enter(call, await _described(call))


async def describe(call: Call) -> Handler:
    """Have what an agent says of itself embedded, and return what registers it."""
    return partial(_enter, known=await _described(call))


async def _described(call: Call) -> agents.Described:
    body = call.body(RegisterBody)
    said = agents.Description(body.described(), body.embeddings(), body.ttl)
    return await agents.described(call.db, said, call.broker.discovery)


async def _enter(call: Call, known: agents.Described) -> Reply:
    done = await agents.enter(call.db, call.by, known, policy=call.broker.grant)
    held = done.balance
    credits_ = None if held is None else CreditsReply(str(held.available + held.reserved), str(held.reserved))
    reply = RegisteredReply(
        message="Agent registered successfully",
        agent=AgentName(done.did),
        credits=credits_,
        status="registered",
        did=done.did,
        id=str(done.id),
        expires_at=iso(done.expires_at),
    )
    return Reply(reply, lines=(Line("Agent registered", {"agent_did": done.did}, counts=((REGISTRATIONS.of(), 1),)),))


async def get(call: Call) -> Reply:
    """An agent that is registered now, with what it can do and how far it is trusted."""
    agent = await agents.get(call.db, call.did())
    vectors = {}
    if call.flag(EMBEDDINGS):
        vectors = await discovery.embeddings(call.db, call.broker.discovery, [agent.did])
    return Reply(
        AgentReply(
            did=agent.did,
            capabilities=[
                capability_reply(c, to_base64(vectors.get((agent.did, c.description), ()))) for c in agent.capabilities
            ],
            credentials=[agent.public_key],
            trust=await _trust(call),
            usefulness_score_cached=agent.usefulness_score,
            usefulness_last_updated=iso_or_none(agent.usefulness_updated_at),
            created_at=iso(agent.created_at),
            expires_at=iso_or_none(agent.expires_at),
        )
    )


async def get_reputation(call: Call) -> Reply:
    """Seven dimensions from 0 to 1, trust, and the agent's record as an auditor."""
    return Reply(_reputation(await reputation.get(call.db, call.did())))


async def get_history(call: Call) -> Reply:
    """Every change of an agent's reputation and why, newest first."""
    did, limit = call.did(), call.limit()
    before = call.number_in_query("cursor", default=_NEWEST, most=_NEWEST)
    changes = await reputation.history(call.db, did, before=before, limit=limit)
    shown = [
        ChangeReply(
            id=c.id,
            task_id=str(c.task_id),
            dimension=c.change.dimension,
            name=c.change.dimension.name.lower(),
            observed=part(c.change.observed),
            before=part(c.change.before),
            after=part(c.change.after),
            reason=c.change.reason,
            created_at=iso(c.at),
        )
        for c in changes
    ]
    return Reply(HistoryReply(did, shown, str(changes[-1].id) if len(changes) == limit else None))


async def _trust(call: Call) -> TrustReply:
    try:
        profile = await reputation.get(call.db, call.did())
    except SchemaBehind:  # an agent is an agent, also before the tables of its reputation exist
        return trust_reply(Reputation(), now=datetime.now(UTC))
    return trust_reply(profile.reputation, now=profile.now)


def _reputation(profile: Profile) -> ReputationReply:
    auditor = AuditorReply(profile.auditor.agreed, profile.auditor.disagreed, profile.auditor.silent)
    return reputation_reply(profile.did, profile.reputation, auditor, now=profile.now)
