"""
Entries and events as statement parameters: every write that carries them passes them the same way.

They go as one JSON text, and so do the rows that they belong to: the driver's arrays cost this process two to three
times as much, and PostgreSQL about as much as taking the text apart does.
"""

from collections.abc import Iterable
from uuid import UUID

from ainp.core.events import Event
from ainp.core.ledger import Entry

Rows = list[dict[str, object]]


def entry_rows(entries: Iterable[Entry], *, of: UUID | None = None) -> Rows:
    """One object an entry; *of* is the row it belongs to, where a statement writes several."""
    return [
        {
            "of": of,
            "key": entry.key,
            "source": entry.source,
            "target": entry.target,
            "amount": entry.amount,
            "reason": entry.reason,
            "reference": entry.reference,
        }
        for entry in entries
    ]


def event_rows(events: Iterable[Event], *, of: UUID | None = None) -> Rows:
    """One object an event; *of* is the row it belongs to, where a statement writes several."""
    return [{"of": of, "event": event.name, "recipients": event.recipients, "body": event.body} for event in events]
