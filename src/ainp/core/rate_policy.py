"""
What is limited, and to how much: the whole table, from which docs/rate-limits.md is made.

A row is a share of what a DID may do in all groups that have no row of their own. An address may do more than a DID,
as many agents may share one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from ainp.core.rate import SECOND_US, Limit

_MINUTE_US = 60 * SECOND_US
_MS_US = 1000


class Group(StrEnum):
    """What is counted together."""

    REGISTRATION = "registration"
    DISCOVERY = "discovery"
    ATTESTATIONS = "attestations"
    NEGOTIATIONS = "negotiations"
    READS = "reads"
    CREDITS = "credits"
    PAYMENTS = "payments"
    MESSAGES = "messages"
    OTHERS = "others"


class Row(NamedTuple):
    """A group's part of RATE_LIMIT_MAX in percent (None: it has settings of its own), what it holds, and why."""

    percent: int | None
    what: str
    why: str


TABLE: Mapping[Group, Row] = {
    Group.REGISTRATION: Row(20, "registrations and their renewals", "each may be paid a grant and be given a seat"),
    Group.DISCOVERY: Row(
        10,
        "searches for agents, and envelopes that advertise one, also among messages",
        "the specification's 10 a minute; a search costs most of all reads",
    ),
    Group.ATTESTATIONS: Row(50, "attestations", "each has a signature to verify and may judge a receipt"),
    Group.NEGOTIATIONS: Row(100, "to open, move, settle and read negotiations", "the specification's 100 a minute"),
    Group.READS: Row(100, "receipts, committees and reputations", "who audits reads more than it says"),
    Group.CREDITS: Row(
        100, "balances, their entries, deposits, stakes", "a group of its own, so reading can't stop trading"
    ),
    Group.PAYMENTS: Row(50, "payment requests, and what providers say of them", "each may be an invoice at a provider"),
    Group.MESSAGES: Row(None, "messages on WebSockets", "the specification's intents: 100 a minute, more at once"),
    Group.OTHERS: Row(100, "everything else, opening a WebSocket included", "nothing is without a limit"),
}


class Limits(NamedTuple):
    """A group's limits."""

    did: Limit
    address: Limit


@dataclass(frozen=True, slots=True)
class RatePolicy:
    """The settings that the table is multiplied with."""

    amount: int = 100
    window_ms: int = 60_000
    messages_per_minute: int = 100
    messages_burst: int = 200
    address_factor: int = 10

    def limits(self) -> Mapping[Group, Limits]:
        """The limits of each group."""
        return {group: self._limits(row) for group, row in TABLE.items()}

    def _limits(self, row: Row) -> Limits:
        if row.percent is None:
            did = Limit(self.messages_per_minute, _MINUTE_US, self.messages_burst)
        else:
            amount = max(1, self.amount * row.percent // 100)
            did = Limit(amount, self.window_ms * _MS_US, amount)
        return Limits(did, Limit(*(did.amount * self.address_factor, did.window_us, did.burst * self.address_factor)))
