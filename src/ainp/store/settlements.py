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
from ainp.store.posting import entry_columns, event_columns
from ainp.store.queries import load
from ainp.store.reputation import reputation_columns

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
    n, changes = rows.negotiation, rows.changes
    values, observations, observed_at = reputation_columns(rows.reputation)
    parameters = (
        n.id,
        n.version,
        n.closed_at,
        n.closed_by,
        n.task_id,
        *entry_columns(rows.entries),
        *_receipt_columns(rows.receipt),
        rows.agent_id,
        rows.reputation.version,
        values,
        observations,
        observed_at,
        rows.reputation.clients,
        rows.reputation.updated_at,
        [c.dimension.value for c in changes],
        [c.observed for c in changes],
        [c.before for c in changes],
        [c.after for c in changes],
        [c.reason for c in changes],
        *event_columns(rows.events),
    )
    try:
        saved = await db.fetchval(_SQL["settle"], *parameters)
    except asyncpg.UniqueViolationError as error:
        # Two first settlements of one agent, or two of one negotiation: the other one is stored.
        raise Stale(rows.agent_id) from error
    if not saved:
        raise Stale(rows.agent_id)


def _receipt_columns(r: TaskReceipt) -> tuple[object, ...]:
    return (
        r.intent_id,
        r.intent_type,
        r.agent,
        r.client,
        r.outputs_ref,
        r.metrics,
        r.amount,
        r.distribution,
        r.committee,
        r.quorum,
        r.size,
        r.statement,
        r.statement_hash,
        r.epoch_id,
        r.seed,
        r.draw.value,
        r.mode.value,
        r.short,
        r.counts,
        r.window_ends_at,
    )
