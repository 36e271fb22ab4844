"""Settlement: everything it changes, in one statement."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from ainp.core.events import Event
from ainp.core.ledger import Entry
from ainp.core.negotiation import Negotiation
from ainp.core.receipt import TaskReceipt
from ainp.core.reputation import Change, Reputation
from ainp.store.db import Session, Stale
from ainp.store.posting import entry_columns, event_columns, json_texts, owned
from ainp.store.queries import load
from ainp.store.reputation import reputation_columns
from ainp.store.together import Together

_SQL = load("settlements")


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementRows:
    """What one settlement writes; *reputation* as it becomes, still with the version it was read at."""

    negotiation: Negotiation
    receipt: TaskReceipt
    entries: Sequence[Entry]
    agent_id: UUID
    reputation: Reputation
    changes: Sequence[Change]
    events: Sequence[Event]


async def settle(db: Session, rows: SettlementRows) -> None:
    """Write a settlement, or raise Stale and write nothing."""
    try:
        saved = await db.together(_SETTLE, rows)
    except asyncpg.UniqueViolationError as error:
        # Two first settlements of one agent, or two of one negotiation: the other one is stored.
        raise Stale(rows.agent_id) from error
    if not saved:
        raise Stale(rows.agent_id)


async def _settle(db: Session, all_rows: Sequence[SettlementRows]) -> list[bool]:
    of, receipts = [rows.negotiation for rows in all_rows], [rows.receipt for rows in all_rows]
    paid, entries = owned((rows.negotiation.id, rows.entries) for rows in all_rows)
    seen, changes = owned((rows.negotiation.id, rows.changes) for rows in all_rows)
    told, events = owned((rows.negotiation.id, rows.events) for rows in all_rows)
    saved = await db.fetch(
        _SQL["settle"],
        [n.id for n in of],
        [n.version for n in of],
        [n.closed_at for n in of],
        [n.closed_by for n in of],
        [n.task_id for n in of],
        *_receipt_columns(receipts),
        [rows.agent_id for rows in all_rows],
        [rows.reputation.version for rows in all_rows],
        *reputation_columns([rows.reputation for rows in all_rows]),
        [rows.reputation.clients for rows in all_rows],
        [rows.reputation.updated_at for rows in all_rows],
        paid,
        *entry_columns(entries),
        seen,
        [c.dimension.value for c in changes],
        [c.observed for c in changes],
        [c.before for c in changes],
        [c.after for c in changes],
        [c.reason for c in changes],
        told,
        *event_columns(events),
    )
    written = {row["id"] for row in saved}
    return [n.id in written for n in of]


_SETTLE = Together(_settle, apart=lambda rows: [rows.negotiation.id, rows.agent_id])


def _receipt_columns(of: Sequence[TaskReceipt]) -> tuple[Sequence[object], ...]:
    return (
        [r.intent_id for r in of],
        [r.intent_type for r in of],
        [r.agent for r in of],
        [r.client for r in of],
        [r.outputs_ref for r in of],
        [r.metrics for r in of],
        [r.amount for r in of],
        [r.distribution for r in of],
        json_texts(r.committee for r in of),
        [r.quorum for r in of],
        [r.size for r in of],
        [r.statement for r in of],
        [r.statement_hash for r in of],
        [r.epoch_id for r in of],
        [r.seed for r in of],
        [r.draw.value for r in of],
        [r.mode.value for r in of],
        [r.short for r in of],
        [r.counts for r in of],
        [r.window_ends_at for r in of],
    )
