"""What is known of an agent, and why."""

from ainp.core.did import AgentDid
from ainp.core.errors import NotFound
from ainp.store import reputation
from ainp.store.db import Session
from ainp.store.reputation import Explained, Profile


async def get(db: Session, did: AgentDid) -> Profile:
    """An agent's reputation; neutral before anything was observed."""
    profile = await reputation.get(db, did)
    if profile is None:
        raise NotFound(f"Agent not found: {did}")
    return profile


async def history(db: Session, did: AgentDid, *, before: int, limit: int) -> list[Explained]:
    """Every change of an agent's reputation, newest first, older than the change *before*."""
    profile = await get(db, did)
    return await reputation.history(db, profile.agent_id, before=before, limit=limit)
