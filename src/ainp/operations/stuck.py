"""Receipts that are still open, each with the reasons."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ainp.core.committee import Epoch
from ainp.core.errors import NotFound
from ainp.core.finalization import Case
from ainp.core.ids import TaskId
from ainp.core.receipt import JudgingPolicy
from ainp.core.stuck import Around, Reason, reasons
from ainp.operations.committees import Epochs
from ainp.store import jobs, receipts
from ainp.store.db import Session

FINALIZER = "pou-finalizer"


@dataclass(frozen=True, slots=True)
class Open:
    """A receipt with all that was said, and why it is open; no reasons once it is decided."""

    case: Case
    reasons: Sequence[Reason]


@dataclass(frozen=True, slots=True)
class _Jobs:
    now: datetime
    ended_at: datetime | None


async def find(
    db: Session, *, older: timedelta, policy: JudgingPolicy, every: timedelta, epochs: Epochs, limit: int
) -> list[Open]:
    """Receipts that have been pending for longer than *older*, the oldest first."""
    cases = await receipts.stuck(db, older=older, limit=limit)
    if not cases:
        return []
    ran, epoch = await _ran(db), await epochs.listed(db)
    return [Open(case, reasons(case, _around(case, ran, epoch, policy, every))) for case in cases]


async def look(db: Session, id: TaskId, *, policy: JudgingPolicy, every: timedelta, epochs: Epochs) -> Open:  # noqa: A002 - the protocol's word
    """One receipt, open or not."""
    found = await receipts.get_case(db, id, speaker=None)
    if found is None:
        raise NotFound(f"Receipt not found: {id}")
    case, _, _ = found
    around = _around(case, await _ran(db), await epochs.listed(db), policy, every)
    return Open(case, reasons(case, around))


async def _ran(db: Session) -> _Jobs:
    """When the finalizer last came to an end without an error."""
    ended = next((run.finished_at for run in await jobs.runs(db) if run.job == FINALIZER and run.error is None), None)
    return _Jobs(await db.clock(), ended)


def _around(case: Case, ran: _Jobs, epoch: Epoch, policy: JudgingPolicy, every: timedelta) -> Around:
    before = epoch.registered_before(case.receipt.created_at)
    return Around(
        now=ran.now,
        candidates=before.eligible(case.receipt.contractors),
        finalizer_enabled=policy.immediate,
        finalized_last_at=ran.ended_at,
        finalizer_every=every,
        max_extensions=policy.max_extensions,
    )
