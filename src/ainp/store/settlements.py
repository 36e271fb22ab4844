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
from ainp.store.posting import entry_rows, event_rows
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


async def _settle(db: Session, settling: Sequence[SettlementRows]) -> list[bool]:
    saved = await db.fetch(
        _SQL["settle"],
        [_settled(rows) | _receipt(rows.receipt) | _reputation(rows.reputation) for rows in settling],
        [row for rows in settling for row in entry_rows(rows.entries, of=rows.negotiation.id)],
        [_observed(change, of=rows.negotiation.id) for rows in settling for change in rows.changes],
        [row for rows in settling for row in event_rows(rows.events, of=rows.negotiation.id)],
    )
    written = {row["id"] for row in saved}
    return [rows.negotiation.id in written for rows in settling]


_SETTLE = Together(_settle, apart=lambda rows: [rows.negotiation.id, rows.agent_id], writes=True)


def _settled(rows: SettlementRows) -> dict[str, object]:
    n = rows.negotiation
    return {
        "id": n.id,
        "version": n.version,
        "at": n.closed_at,
        "closed_by": n.closed_by,
        "task_id": n.task_id,
        "agent_id": rows.agent_id,
    }


def _receipt(r: TaskReceipt) -> dict[str, object]:
    assert r.statement is not None and r.statement_hash is not None and r.seed is not None  # noqa: PT018
    return {
        "intent_id": r.intent_id,
        "intent_type": r.intent_type,
        "agent": r.agent,
        "client": r.client,
        "outputs_ref": r.outputs_ref,
        "metrics": r.metrics,
        "amount": r.amount,
        "distribution": r.distribution,
        "committee": r.committee,
        "k": r.quorum,
        "m": r.size,
        "statement": r.statement.decode(),
        "statement_hash": r.statement_hash.hex(),
        "epoch_id": r.epoch_id,
        "seed": r.seed.hex(),
        "draw": r.draw,
        "mode": r.mode,
        "short": r.short,
        "counts": r.counts,
        "window_ends_at": r.window_ends_at,
    }


def _reputation(reputation: Reputation) -> dict[str, object]:
    return {"seen": reputation.version, "clients": reputation.clients, **reputation_columns(reputation)}


def _observed(change: Change, *, of: UUID) -> dict[str, object]:
    return {
        "of": of,
        "dimension": change.dimension,
        "observed": change.observed,
        "before": change.before,
        "after": change.after,
        "reason": change.reason,
    }
