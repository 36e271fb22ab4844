"""The whole database as it was at one moment, streamed: what is wrong by set, and what is proven row by row."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from ainp.core.audit import Check, Finding, Origin
from ainp.core.audit_statements import KeptAttestation
from ainp.core.committee import Epoch
from ainp.core.credits import Credits
from ainp.core.finalization import Case
from ainp.core.ledger import Account, Entry, Reason, reward
from ainp.core.receipt import NamedEpoch
from ainp.store.db import Row, translated
from ainp.store.queries import load
from ainp.store.receipts import case_of

_SQL = load("fsck")
# Statements that name what is wrong, by what they look at.
ACCOUNTS = ("ledger_sum", "accounts", "pending_accounts")
RESERVATIONS = ("reserved_accounts", "entry_accounts", "movements")
SETTLEMENTS = ("receipts_of_negotiations", "distributions", "reward_accounts")
STAKES = ("staked_accounts", "stake_entries", "withdrawals", "slashes")
PAYMENTS = ("payment_entries", "payment_receipts")
USEFULNESS = ("reward_hours", "reward_entries", "usefulness_totals")
REPUTATIONS = ("reputations", "reputation_clients")
RECORDS = ("known_clients", "auditor_records")
COHORTS = ("cohorts",)
SEATS = ("seats",)
# Statements whose rows are looked at one by one, each with the one that counts them.
COUNTS = {
    "negotiations": "count_negotiations",
    "epochs": "count_epochs",
    "receipts": "count_receipts",
    "attestations": "count_attestations",
}
PAGE = 200  # rows held at a time; a receipt brings at most a few hundred attestations, a negotiation 20 rounds
EPOCH_PAGE = 1  # a list of candidates is as long as the network is large
_PATIENCE_S = 86_400.0  # the pool's own limit is for requests


@dataclass(frozen=True, slots=True)
class ReceiptFile:
    """A receipt with everything it can be compared with."""

    case: Case
    origin: Origin | None
    paid: tuple[Entry, ...]


class Snapshot:
    """A read-only transaction that sees one moment; nothing is kept of what it streams."""

    def __init__(self, connection: Any) -> None:  # noqa: ANN401 - asyncpg has no types
        self._connection = connection

    async def wrong(self, statement: str) -> AsyncIterator[list[Finding]]:
        """What *statement* finds, in pages."""
        async for rows in self.pages(statement):
            yield [Finding(Check(row["proof"]), row["subject"], row["found"], row["expected"]) for row in rows]

    async def pages(self, statement: str, *, size: int = PAGE) -> AsyncIterator[list[Row]]:
        """The rows of *statement* as the server finds them, *size* at a time."""
        cursor = await translated(self._connection.cursor, _SQL[statement], timeout=_PATIENCE_S)
        while rows := await translated(cursor.fetch, size, timeout=_PATIENCE_S):
            yield rows

    async def count(self, statement: str) -> int:
        """How many rows *statement*, one of COUNTS, will bring."""
        return int(await translated(self._connection.fetchval, _SQL[COUNTS[statement]], timeout=_PATIENCE_S))

    async def epoch(self, number: int) -> NamedEpoch | None:
        """One list of candidates."""
        row = await translated(self._connection.fetchrow, load("epochs")["get"], number, timeout=_PATIENCE_S)
        return None if row is None else epoch_of(row)[0]


@asynccontextmanager
async def snapshot(connection: Any) -> AsyncIterator[Snapshot]:  # noqa: ANN401
    """Open a snapshot on *connection*, which has no transaction."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        await connection.execute(_SQL["begin"])
        yield Snapshot(connection)


def epoch_of(row: Row) -> tuple[NamedEpoch, bytes]:
    """Read a row of `epochs`: the list, and the hash it was published under."""
    epoch = Epoch(tuple(row["members"]), tuple(row["weights"]), tuple(row["registered_at"]), row["population"])
    return NamedEpoch(row["id"], epoch), row["hash"]


def receipt_file(row: Row) -> ReceiptFile:
    """Read a row of `receipts`."""
    case = case_of(row)
    source = reward(case.receipt.id)
    paid = tuple(_paid(entry, source) for entry in row["paid"])
    return ReceiptFile(case, None if row["origin_id"] is None else _origin(row), paid)


def kept_attestation(row: Row) -> KeptAttestation:
    """Read a row of `attestations`."""
    return KeptAttestation(
        id=row["id"],
        task_id=row["task_id"],
        by=row["by_did"],
        type=row["type"],
        score=row["score"],
        confidence=row["confidence"],
        evidence_ref=row["evidence_ref"],
        signature=row["signature"],
        public_key=row["public_key"],
        statement=row["statement"],
        statement_hash=row["statement_hash"],
    )


def _paid(entry: Mapping[str, Any], source: Account) -> Entry:
    return Entry(entry["key"], source, Account(entry["target"]), Credits(entry["amount"]), Reason(entry["reason"]))


def _origin(row: Row) -> Origin:
    proposed = row["proposer_did"] == row["initiator_did"]
    acceptor = row["responder_did"] if proposed else row["initiator_did"]
    return Origin(
        intent_id=row["origin_intent_id"],
        initiator=row["initiator_did"],
        responder=row["responder_did"],
        reserved=row["reserved_atomic"],
        outputs_ref=row["delivered_ref"],
        seed=row["origin_seed"],
        terms_hash=row["terms_hash"],
        accepted_at=row["accepted_at"],
        terms_signatures={row["proposer_did"]: row["terms_signature"], acceptor: row["terms_countersignature"]},
        delivered_at=row["delivered_at"],
        closed_at=row["closed_at"],
    )
