"""Entries and events as statement parameters: every write that carries them passes them the same way."""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import TypeVar

import msgspec

from ainp.core.events import Event
from ainp.core.ledger import Entry

_Owner = TypeVar("_Owner")
_Thing = TypeVar("_Thing")


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


def json_texts(lists: Iterable[Sequence[object]]) -> list[str]:
    """Write JSON arrays: the driver would take a list of lists for one array of two dimensions."""
    return [msgspec.json.encode(each).decode() for each in lists]


def owned(of: Iterable[tuple[_Owner, Sequence[_Thing]]]) -> tuple[list[_Owner], list[_Thing]]:
    """Put things of several owners into one list, beside the list of whose each is."""
    pairs = list(of)
    return [owner for owner, things in pairs for _ in things], list(chain.from_iterable(things for _, things in pairs))
