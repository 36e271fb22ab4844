"""Task receipts: rows to values, lists by cursor, and guarded writes of their course."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ainp.core.attestation import Attestation
from ainp.core.committee import DrawPolicy
from ainp.core.did import AgentDid
from ainp.core.events import Event
from ainp.core.finalization import Case
from ainp.core.ids import NegotiationId, TaskId
from ainp.core.quorum import QuorumMode
from ainp.core.receipt import Failure, ReceiptStatus, TaskReceipt
from ainp.store.db import Row, Session
from ainp.store.posting import event_rows
from ainp.store.queries import load
from ainp.store.together import Together

_SQL = load("receipts")


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which receipts a list shows; None lets all through."""

    agent: AgentDid | None = None
    client: AgentDid | None = None
    member: AgentDid | None = None
    status: ReceiptStatus | None = None


async def get(db: Session, id: TaskId) -> tuple[TaskReceipt, datetime] | None:  # noqa: A002 - the protocol's word
    """A receipt, and the time it was read."""
    row = await db.together(_GET, id)
    return None if row is None else (receipt_of(row), row["now"])


async def get_case(
    db: Session,
    id: TaskId,  # noqa: A002
    *,
    speaker: AgentDid | None,
) -> tuple[Case, bool, datetime] | None:
    """A receipt with all that was said, whether *speaker* is registered, and the time it was read."""
    row = await db.together(_GET_CASE, (id, speaker))
    return None if row is None else (case_of(row), row["registered"], row["now"])


async def get_of_negotiation(db: Session, id: NegotiationId) -> TaskReceipt | None:  # noqa: A002
    """The receipt of a settled negotiation."""
    row = await db.fetchrow(_SQL["get_of_negotiation"], id)
    return None if row is None else receipt_of(row)


async def page(db: Session, wanted: Filter, *, below: tuple[datetime, TaskId], limit: int) -> list[TaskReceipt]:
    """Receipts that *wanted* lets through, newest first, older than the cursor *below*."""
    rows = await db.fetch(
        _SQL[_list_statement(wanted)],
        *below,
        limit,
        wanted.agent,
        wanted.client,
        wanted.member,
        None if wanted.status is None else wanted.status.value,
    )
    return [receipt_of(row) for row in rows]


async def due(db: Session, *, limit: int) -> tuple[list[Case], datetime | None]:
    """Receipts that can be decided, extended or judged, locked for this transaction; and the time."""
    locked = [row["id"] for row in await db.fetch(_SQL["due"], limit)]
    rows = await db.fetch(_SQL["cases"], locked) if locked else []
    return [case_of(row) for row in rows], rows[0]["now"] if rows else None


async def unjudged(db: Session, epoch_id: int) -> tuple[list[Case], datetime | None]:
    """Receipts of one list that are not judged, locked for this transaction; and the time."""
    locked = [row["id"] for row in await db.fetch(_SQL["unjudged"], epoch_id)]
    rows = await db.fetch(_SQL["cases"], locked) if locked else []
    return [case_of(row) for row in rows], rows[0]["now"] if rows else None


async def unseated(
    db: Session, *, above: tuple[datetime, TaskId], limit: int
) -> tuple[list[TaskReceipt], datetime | None]:
    """Receipts without a committee after the cursor *above*, locked for this transaction; and the time."""
    rows = await db.fetch(_SQL["unseated"], *above, limit)
    return [receipt_of(row) for row in rows], rows[0]["now"] if rows else None


async def stuck(db: Session, *, older: timedelta, limit: int) -> list[Case]:
    """Receipts that have been pending for longer than *older*, oldest first, with all that was said."""
    return [case_of(row) for row in await db.fetch(_SQL["stuck"], older, limit)]


async def postpone(db: Session, id: TaskId) -> None:  # noqa: A002
    """Put off a receipt that could not be concluded."""
    await db.execute(_SQL["postpone"], id)


async def conclude(
    db: Session, receipts: Sequence[TaskReceipt], *, events: Sequence[tuple[TaskId, Event]], ahead: int = 0
) -> int:
    """
    Write the course of *receipts* with their *events*; how many were written.

    A receipt that changed since it was read is left alone, except for the *ahead* writes of this transaction.
    """
    rows = [_course(receipt, version=receipt.version + ahead) for receipt in receipts]
    told = [row for task_id, event in events for row in event_rows([event], of=task_id)]
    return int(await db.fetchval(_SQL["conclude"], rows, told))


async def _read(db: Session, ids: Sequence[TaskId]) -> list[Row | None]:
    found = {row["id"]: row for row in await db.fetch(_SQL["get"], ids)}
    return [found.get(id_) for id_ in ids]


async def _read_cases(db: Session, asked: Sequence[tuple[TaskId, AgentDid | None]]) -> list[Row | None]:
    rows = await db.fetch(_SQL["get_case"], [id_ for id_, _ in asked], [speaker for _, speaker in asked])
    found = {row["place"]: row for row in rows}
    return [found.get(place) for place in range(1, len(asked) + 1)]


_GET = Together(_read)
_GET_CASE = Together(_read_cases)


def receipt_of(row: Row) -> TaskReceipt:
    """Read a row."""
    return TaskReceipt(
        id=row["id"],
        negotiation_id=row["negotiation_id"],
        intent_id=row["intent_id"],
        intent_type=row["intent_type"],
        agent=row["agent_did"],
        client=row["client_did"],
        amount=row["amount_atomic"] or 0,
        inputs_ref=row["inputs_ref"],
        outputs_ref=row["outputs_ref"],
        metrics=row["metrics"] or {},
        distribution=row["distribution"] or {},
        status=ReceiptStatus(row["status"]),
        committee=tuple(row["committee"]),
        quorum=row["k"],
        size=row["m"],
        mode=QuorumMode(row["quorum_mode"]),
        draw=DrawPolicy(row["draw_policy"]),
        seed=row["seed"],
        epoch_id=row["epoch_id"],
        short=row["committee_short"],
        counts=row["counts"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        window_ends_at=row["window_ends_at"],
        statement=row["statement"],
        statement_hash=row["statement_hash"],
        extensions=row["extensions"],
        decidable=row["decidable"],
        finalized_at=row["finalized_at"],
        judged_at=row["judged_at"],
        failure=None if row["failure"] is None else Failure(row["failure"]),
        version=row["version"],
    )


def case_of(row: Row) -> Case:
    """Read a row with all that was said."""
    receipt = receipt_of(row)
    return Case(
        receipt,
        [Attestation(receipt.id, said["by"], said["type"], said["score"], said["confidence"]) for said in row["said"]],
    )


def _list_statement(wanted: Filter) -> str:
    """The statement whose index fits: the rarest filter first."""
    if wanted.agent is not None:
        return "list_by_agent"
    if wanted.client is not None:
        return "list_by_client"
    # What is pending is recent, and little of a long history.
    if wanted.member is not None and wanted.status is not ReceiptStatus.PENDING:
        return "list_by_member"
    return "list_all" if wanted.status is None else "list_by_status"


def _course(receipt: TaskReceipt, *, version: int) -> dict[str, object]:
    return {
        "id": receipt.id,
        "version": version,
        "status": receipt.status,
        "failure": receipt.failure,
        "finalized_at": receipt.finalized_at,
        "judged_at": receipt.judged_at,
        "committee": receipt.committee,
        "short": receipt.short,
        "epoch_id": receipt.epoch_id,
        "extensions": receipt.extensions,
        "window_ends_at": receipt.window_ends_at,
        "decidable": receipt.decidable,
        "updated_at": receipt.updated_at,
    }
