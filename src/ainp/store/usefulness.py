"""Proofs of usefulness, and what they add up to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from ainp.core.did import AgentDid
from ainp.core.ids import TaskId
from ainp.core.usefulness import NEARLY_FULL, SELF_SAID, WINDOW, History, Usefulness, WorkType
from ainp.store.db import Session
from ainp.store.queries import load

_SQL = load("usefulness")
_AGGREGATION = "300s"  # the one statement that reads a month of proofs; a second for every 100,000 or so


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A proof as it is kept; *score* in hundredths."""

    id: UUID
    agent: AgentDid
    work_type: WorkType
    metrics: Mapping[str, object]
    attestations: Sequence[str] | None
    trace_id: str
    intent_id: str | None
    receipt: TaskId | None
    score: int


async def lock(db: Session, agent: AgentDid) -> datetime | None:
    """Hold an agent until the transaction ends; the time, or None if it is not registered."""
    at: datetime | None = await db.fetchval(_SQL["lock"], agent)
    return at


async def history(db: Session, agent: AgentDid, *, trace_id: str, most: int) -> History:
    """What an agent has submitted, as far as an hour with *most* proofs matters."""
    row = await db.fetchrow(_SQL["history"], agent, trace_id, most, NEARLY_FULL / 100)
    assert row is not None
    return History(row["in_last_hour"], row["nearly_full"], row["first_at"], row["last_at"], row["repeats"])


async def worker_of(db: Session, receipt: TaskId) -> AgentDid | None:
    """Who did the work of a receipt, if there is one."""
    did: AgentDid | None = await db.fetchval(_SQL["worker_of"], receipt)
    return did


async def insert(db: Session, proof: Proof) -> datetime:
    """Keep a proof; when."""
    at: datetime = await db.fetchval(
        _SQL["insert"],
        proof.id,
        proof.intent_id,
        proof.agent,
        proof.work_type,
        proof.metrics,
        proof.attestations,
        proof.trace_id,
        proof.receipt,
        proof.score,
    )
    return at


async def of_agent(db: Session, agent: AgentDid) -> Usefulness | None:
    """An agent's usefulness, if it is registered."""
    row = await db.fetchrow(_SQL["of_agent"], agent)
    if row is None:
        return None
    score = float(row["usefulness_score_cached"])
    return Usefulness(row["did"], score, row["proofs"], row["last_proof_at"], row["breakdown"])


async def aggregate(db: Session) -> int:
    """Bring every agent's score up to date; how many have one, or have lost theirs."""
    async with db.transaction() as tx:
        await tx.execute(_SQL["one_at_a_time"], _AGGREGATION)
        return int(await tx.fetchval(_SQL["aggregate"], WINDOW, SELF_SAID))
