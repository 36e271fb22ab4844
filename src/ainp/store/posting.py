"""Entries and events as statement parameters: every write that carries them passes them the same way."""

from collections.abc import Sequence

from ainp.core.events import Event
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


def event_columns(events: Sequence[Event]) -> tuple[list[object], ...]:
    """Three arrays: event, recipients (a space between them: no DID has one), body."""
    return (
        [event.name for event in events],
        [" ".join(event.recipients) for event in events],
        [event.body for event in events],
    )
