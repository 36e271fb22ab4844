"""Usefulness: proofs are submitted, added up, shown."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from ainp.core.did import AgentDid
from ainp.core.errors import AgentNotFound, DuplicateProof, Forbidden, NotFound
from ainp.core.ids import TaskId, uuid7
from ainp.core.usefulness import Submission, Usefulness, check_history, check_time, score_of
from ainp.store import usefulness
from ainp.store.db import Session
from ainp.store.usefulness import Proof


@dataclass(frozen=True, slots=True)
class Submitted:
    """A proof that was kept; *score* in hundredths."""

    id: UUID
    score: int
    at: datetime


async def submit(db: Session, submission: Submission, *, by: AgentDid, most_per_hour: int) -> Submitted:
    """
    Keep a proof of usefulness.

    Proofs of one agent come one after the other: its row is held, so what it has submitted before is all there is.
    """
    async with db.transaction() as tx:
        now = await usefulness.lock(tx, by)
        if now is None:
            raise AgentNotFound(f"Agent not found: {by}", did=by)
        check_time(submission.said_at, now=now)
        score = score_of(submission.work_type, submission.metrics)
        before = await usefulness.history(tx, by, trace_id=submission.trace_id, most=most_per_hour)
        check_history(score, before, agent=by, trace_id=submission.trace_id, most=most_per_hour, now=now)
        await _check_receipt(tx, submission.receipt, by=by)
        proof = Proof(
            id=uuid7(now, secrets.token_bytes(10)),
            agent=by,
            work_type=submission.work_type,
            metrics=submission.metrics,
            attestations=submission.attestations,
            trace_id=submission.trace_id,
            intent_id=submission.intent_id,
            receipt=submission.receipt,
            score=score,
        )
        try:
            at = await usefulness.insert(tx, proof)
        except asyncpg.UniqueViolationError as error:  # the agent is held, so it is not the trace
            raise DuplicateProof(f"Duplicate proof: receipt {submission.receipt} has one already") from error
    return Submitted(proof.id, score, at)


async def of_agent(db: Session, did: AgentDid) -> Usefulness:
    """An agent's usefulness, as it was last aggregated."""
    found = await usefulness.of_agent(db, did)
    if found is None:
        raise AgentNotFound("Agent not found", did=did)
    return found


async def aggregate(db: Session) -> int:
    """Bring every agent's score up to date; how many have one, or have lost theirs."""
    return await usefulness.aggregate(db)


async def _check_receipt(db: Session, receipt: TaskId | None, *, by: AgentDid) -> None:
    if receipt is None:
        return
    worker = await usefulness.worker_of(db, receipt)
    if worker is None:
        raise NotFound(f"Receipt not found: {receipt}")
    if worker != by:
        raise Forbidden(f"receipt {receipt} is of another agent's work")
