"""Attestations: written once, read in pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from ainp.core.attestation import VERDICTS, Attestation, millionths, verdict_of
from ainp.core.canonical import digest
from ainp.core.did import AgentDid
from ainp.core.events import Event
from ainp.core.ids import TaskId
from ainp.store.db import Session, Stale
from ainp.store.posting import event_columns
from ainp.store.queries import load

_SQL = load("attestations")


@dataclass(frozen=True, slots=True)
class StoredAttestation:
    """An attestation as it is kept; score and confidence as they count."""

    id: UUID
    task_id: TaskId
    by: AgentDid
    type: str
    score: float | None
    confidence: float | None
    evidence_ref: str | None
    signature: str | None
    late: bool
    statement: bytes | None
    statement_hash: bytes | None
    created_at: datetime


async def insert(  # noqa: PLR0913 - the statement's parameters
    db: Session,
    attestation: Attestation,
    *,
    id: UUID,  # noqa: A002 - the protocol's word
    version: int,
    signature: str | None,
    late: bool,
    decidable: bool,
    events: Sequence[Event],
) -> None:
    """Write an attestation on a receipt as read at *version*, or raise Stale and write nothing."""
    statement = attestation.statement
    heard = await db.fetchval(
        _SQL["insert"],
        id,
        attestation.task_id,
        version,
        attestation.by,
        attestation.type,
        *_effective(attestation),
        attestation.evidence_ref,
        signature,
        late,
        statement,
        digest(statement),
        decidable,
        *event_columns(events),
    )
    if not heard:
        raise Stale(attestation.task_id)


async def page(db: Session, task_id: TaskId, *, above: tuple[datetime, UUID], limit: int) -> list[StoredAttestation]:
    """A receipt's attestations, oldest first, after the cursor *above*."""
    return [
        StoredAttestation(
            id=row["id"],
            task_id=row["task_id"],
            by=row["by_did"],
            type=row["type"],
            score=None if row["score"] is None else float(row["score"]),
            confidence=None if row["confidence"] is None else float(row["confidence"]),
            evidence_ref=row["evidence_ref"],
            signature=row["signature"],
            late=row["late"],
            statement=row["statement"],
            statement_hash=row["statement_hash"],
            created_at=row["created_at"],
        )
        for row in await db.fetch(_SQL["page"], task_id, *above, limit)
    ]


def _effective(attestation: Attestation) -> tuple[int | None, int | None]:
    """Score and confidence in millionths as they count; the statement keeps them as they were said."""
    if attestation.type in VERDICTS:
        verdict = verdict_of(attestation)
        return verdict.score, verdict.confidence
    score, confidence = attestation.score, attestation.confidence
    return (
        None if score is None else millionths(score),
        None if confidence is None else millionths(confidence),
    )
