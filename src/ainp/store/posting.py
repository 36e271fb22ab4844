"""Entries and events as statement parameters: every write that carries them passes them the same way."""

from collections.abc import Iterable, Sequence

from ainp.core.events import Event
from ainp.core.ids import TaskId
from ainp.core.ledger import Entry


def entry_columns(entries: Sequence[Entry]) -> tuple[list[object], ...]:
    """Six arrays: key, from_account, to_account, amount, reason, reference."""
    return (
        [entry.key for entry in entries],
        [entry.source for entry in entries],
        [entry.target for entry in entries],
        [entry.amount for entry in entries],
        [entry.reason.value for entry in entries],
        [entry.reference for entry in entries],
    )


def event_rows(events: Iterable[Event], *, task_id: TaskId | None = None) -> list[dict[str, object]]:
    """One JSON object an event; *task_id* ties it to a receipt that may turn out not to be written."""
    return [
        {"name": event.name, "recipients": event.recipients, "body": event.body, "task_id": task_id} for event in events
    ]
