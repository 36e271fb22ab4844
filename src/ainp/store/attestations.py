"""Attestations: written once, read in pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from ainp.core.attestation import VERDICTS, Attestation, millionths, verdict_of
from ainp.core.canonical import digest
from ainp.core.did import AgentDid
from ainp.core.events import Event
from ainp.core.ids import TaskId
from ainp.core.keys import VerificationKey
from ainp.store.db import Row, Session, Stale
from ainp.store.posting import event_rows
from ainp.store.queries import load
from ainp.store.together import Together

_SQL = load("attestations")
JCS = "C"  # the scheme of an attestation's signature: over its canonical JSON (RFC 8785), not hashed


class StoredAttestation(NamedTuple):
    """An attestation as it is kept, score and confidence as they count: what the statement `page` selects, in order."""

    id: UUID
    task_id: TaskId
    by: AgentDid
    type: str
    score: float | None
    confidence: float | None
    evidence_ref: str | None
    signature: str | None
    scheme: str | None
    key_id: str | None
    public_key: bytes | None
    late: bool
    statement: bytes | None
    statement_hash: bytes | None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """An attestation to be written on a receipt as read at *version*, and the events that tell of it."""

    attestation: Attestation
    id: UUID
    version: int
    signature: str | None
    key: VerificationKey | None
    late: bool
    decidable: bool
    events: Sequence[Event]


async def insert(db: Session, spoken: Spoken) -> None:
    """Write an attestation, or raise Stale and write nothing."""
    if not await db.together(_INSERT, spoken):
        raise Stale(spoken.attestation.task_id)


async def _insert(db: Session, speaking: Sequence[Spoken]) -> list[bool]:
    rows = await db.fetch(
        _SQL["insert"],
        [_row(spoken) for spoken in speaking],
        [row for spoken in speaking for row in event_rows(spoken.events, of=spoken.attestation.task_id)],
    )
    heard = {row["id"] for row in rows}
    return [spoken.attestation.task_id in heard for spoken in speaking]


def _row(spoken: Spoken) -> dict[str, object]:
    attestation = spoken.attestation
    statement = attestation.statement
    score, confidence = _effective(attestation)
    return {
        "id": spoken.id,
        "task_id": attestation.task_id,
        "version": spoken.version,
        "by": attestation.by,
        "type": attestation.type,
        "score": score,
        "confidence": confidence,
        "evidence_ref": attestation.evidence_ref,
        "signature": spoken.signature,
        "scheme": None if spoken.key is None else JCS,
        "key_id": None if spoken.key is None else spoken.key.id,
        "public_key": None if spoken.key is None else spoken.key.raw.hex(),
        "late": spoken.late,
        "statement": statement.decode(),
        "statement_hash": digest(statement).hex(),
        "decidable": spoken.decidable,
    }


_INSERT = Together(_insert, apart=lambda spoken: [spoken.attestation.task_id], writes=True)


async def page(db: Session, task_id: TaskId, *, above: tuple[datetime, UUID], limit: int) -> list[StoredAttestation]:
    """A receipt's attestations, oldest first, after the cursor *above*."""
    return [StoredAttestation(*row[1:]) for row in await db.together(_PAGE, (task_id, above, limit))]


async def _page(db: Session, asked: Sequence[tuple[TaskId, tuple[datetime, UUID], int]]) -> list[list[Row]]:
    pages: list[list[Row]] = [[] for _ in asked]
    rows = await db.fetch(
        _SQL["page"],
        [task_id for task_id, _, _ in asked],
        [at for _, (at, _), _ in asked],
        [id_ for _, (_, id_), _ in asked],
        [limit for _, _, limit in asked],
    )
    for row in rows:
        pages[row["place"] - 1].append(row)
    return pages


_PAGE = Together(_page)


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
