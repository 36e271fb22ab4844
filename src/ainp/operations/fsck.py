"""
Prove that what is stored is true: one read-only snapshot, looked at part by part, while the broker runs.

What is wrong is told as it is found, and how far it is. Nothing is kept, so the size of the database does not matter.
"""

from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field

from ainp.core import audit, audit_statements
from ainp.core.audit import Check, Finding
from ainp.core.errors import BrokerError
from ainp.core.receipt import NamedEpoch
from ainp.store import fsck as stored
from ainp.store import migrate
from ainp.store.db import Database, Row
from ainp.store.fsck import Snapshot
from ainp.store.migration_state import Status
from ainp.store.negotiations import negotiation_of

_KEPT_EPOCHS = 4  # receipts come in the order they were opened, so the next one is mostly of the same list
# What reading a row can stumble over when somebody wrote it by hand.
_MALFORMED = (LookupError, TypeError, ValueError, ArithmeticError, AttributeError, RecursionError, BrokerError)
_Look = Callable[[Snapshot], AsyncIterator["Progress | Finding"]]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a part is: *done* of *total* things it looks at."""

    done: int
    total: int
    of: str


@dataclass(frozen=True, slots=True)
class Part:
    """What is looked at together, what that proves, and the numbers of the migrations that it takes."""

    name: str
    proves: str
    needs: frozenset[int]
    look: _Look


@dataclass(frozen=True, slots=True)
class Skipped:
    """A part that can't be looked at, for the want of migrations."""

    part: Part
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Begun:
    """From here on it is about this part."""

    part: Part


Event = Begun | Skipped | Progress | Finding


async def run(db: Database) -> AsyncGenerator[Event, None]:
    """Look at everything there is, in one snapshot; what migrations are missing for is skipped, and said."""
    async with db.connection() as place:
        standing = await migrate.missing(place)
        lacking = {one.number: f"{one.name} ({one.state})" for one in standing if _in_the_way(one)}
        async with stored.snapshot(place.connection) as seen:
            for part in PARTS:
                if missing := sorted(part.needs & lacking.keys()):
                    yield Skipped(part, tuple(lacking[number] for number in missing))
                    continue
                yield Begun(part)
                if part is SCHEMA:
                    for finding in _schema(standing, whole=not lacking):
                        yield finding
                async for event in part.look(seen):
                    yield event


def _in_the_way(one: Status) -> bool:
    return any(what.startswith(("table ", "column ")) for what in one.missing)


def _schema(standing: list[Status], *, whole: bool) -> Iterator[Finding]:
    """What guards the data is there; where tables are gone, what went with them is no news."""
    for one in standing:
        if whole and one.missing:
            lost = ", ".join(one.missing)
            yield Finding(Check.SCHEMA, f"migration {one.name}", f"{one.state}, without {lost}", "all that it provides")


async def _nothing(_: Snapshot) -> AsyncIterator[Progress | Finding]:
    yield Progress(1, 1, "schema")


def _by_set(*statements: str) -> _Look:
    """Look with statements that name what is wrong themselves."""

    async def look(seen: Snapshot) -> AsyncIterator[Progress | Finding]:
        for done, statement in enumerate(statements):
            yield Progress(done, len(statements), "statements")
            async for findings in seen.wrong(statement):
                for finding in findings:
                    yield finding
        yield Progress(len(statements), len(statements), "statements")

    return look


def _by_row(statement: str, check: Callable[[Row], Iterator[Finding]], *, page: int = stored.PAGE) -> _Look:
    """Look at each row of *statement*."""

    async def look(seen: Snapshot) -> AsyncIterator[Progress | Finding]:
        done, total = 0, await seen.count(statement)
        yield Progress(done, total, statement)
        async for rows in seen.pages(statement, size=page):
            for row in rows:
                for finding in _readable(f"{statement} {row['id']}", check(row)):
                    yield finding
            done += len(rows)
            yield Progress(done, total, statement)

    return look


def _readable(subject: str, findings: Iterator[Finding]) -> Iterator[Finding]:
    """All of *findings*; a row that can't even be read is one."""
    try:
        yield from findings
    except _MALFORMED as error:
        yield Finding(Check.UNREADABLE, subject, f"{type(error).__name__}: {error}", "a row that can be read")


def _negotiation(row: Row) -> Iterator[Finding]:
    yield from audit.check_negotiation(negotiation_of(row))


def _epoch(row: Row) -> Iterator[Finding]:
    named, stored_hash = stored.epoch_of(row)
    yield from audit.check_epoch(named.id, named.epoch, stored_hash=stored_hash)


def _attestation(row: Row) -> Iterator[Finding]:
    yield from audit_statements.check_attestation(stored.kept_attestation(row))


async def _receipts(seen: Snapshot) -> AsyncIterator[Progress | Finding]:
    epochs = _Epochs(seen)
    done, total = 0, await seen.count("receipts")
    yield Progress(done, total, "receipts")
    async for rows in seen.pages("receipts"):
        for row in rows:
            named = await epochs.named(row["epoch_id"])
            for finding in _receipt_findings(row, named):
                yield finding
        done += len(rows)
        yield Progress(done, total, "receipts")


def _receipt_findings(row: Row, named: NamedEpoch | None) -> Iterator[Finding]:
    subject = f"receipts {row['id']}"
    try:
        file = stored.receipt_file(row)
    except _MALFORMED as error:
        yield Finding(Check.UNREADABLE, subject, f"{type(error).__name__}: {error}", "a row that can be read")
        return
    case, receipt = file.case, file.case.receipt
    looks = [
        audit.check_draw(receipt, named),
        audit.check_course(receipt),
        audit.check_quorum(case),
        audit.check_voices(case),
        audit.check_rewards(case, file.paid),
    ]
    if file.origin is not None:
        looks.append(audit.check_origin(receipt, file.origin))
        looks.append(audit_statements.check_statement(receipt, file.origin, named))
    for findings in looks:
        yield from _readable(subject, findings)


@dataclass
class _Epochs:
    """The lists that receipts name, the last few of them kept; one that can't be read counts as missing."""

    seen: Snapshot
    _kept: OrderedDict[int, NamedEpoch | None] = field(default_factory=OrderedDict)

    async def named(self, number: int | None) -> NamedEpoch | None:
        if number is None:
            return None
        if number not in self._kept:
            self._kept[number] = await self.seen.epoch(number)
        self._kept.move_to_end(number)
        while len(self._kept) > _KEPT_EPOCHS:
            self._kept.popitem(last=False)
        return self._kept[number]


_AGENTS, _LEDGER, _NEGOTIATIONS, _RECEIPTS, _ATTESTATIONS, _REPUTATION, _STATUS = 1, 2, 4, 17, 18, 19, 20
_STAKES, _JUDGEMENT, _OBSERVATIONS, _WITHDRAWALS, _USEFULNESS, _PAYMENTS, _COHORTS = 21, 22, 23, 28, 34, 38, 41
_SEATS = 52
_JUDGED = frozenset({_NEGOTIATIONS, _RECEIPTS, _STATUS, _JUDGEMENT})
SCHEMA = Part("schema", "every trigger, index and function is there", frozenset(), _nothing)
PARTS = (
    SCHEMA,
    Part(
        "accounts",
        "they sum to 0, none but the mint owes, each is what its entries add up to",
        frozenset({_LEDGER}),
        _by_set(*stored.ACCOUNTS),
    ),
    Part(
        "reservations",
        "what is reserved was promised; what ended was given back or paid",
        frozenset({_LEDGER, _NEGOTIATIONS}),
        _by_set(*stored.RESERVATIONS),
    ),
    Part(
        "settlements",
        "one receipt each, paid as it says; rewards wait until it is judged",
        _JUDGED | {_LEDGER},
        _by_set(*stored.SETTLEMENTS),
    ),
    Part(
        "stakes",
        "what is staked is in its accounts; withdrawals are paid once, slashes went to the pool and into reputations",
        frozenset({_AGENTS, _LEDGER, _STAKES, _OBSERVATIONS, _WITHDRAWALS}),
        _by_set(*stored.STAKES),
    ),
    Part(
        "payments",
        "what was paid is one receipt of a provider and one entry of the same amount; nothing else was credited",
        frozenset({_LEDGER, _PAYMENTS}),
        _by_set(*stored.PAYMENTS),
    ),
    Part(
        "usefulness",
        "each hour's rewards are what its entries add up to, each entry once; proofs are counted as they are",
        frozenset({_LEDGER, _USEFULNESS}),
        _by_set(*stored.USEFULNESS),
    ),
    Part(
        "negotiations",
        "turns alternate, terms hash as they stand, the price was reserved",
        frozenset({_NEGOTIATIONS}),
        _by_row("negotiations", _negotiation),
    ),
    Part(
        "epochs",
        "each list of candidates hashes to its hash",
        frozenset({_JUDGEMENT}),
        _by_row("epochs", _epoch, page=stored.EPOCH_PAGE),
    ),
    Part(
        "receipts",
        "the draw repeats, the quorum is its committee's, the statement says what the row says",
        _JUDGED | {_LEDGER, _ATTESTATIONS},
        _receipts,
    ),
    Part(
        "attestations",
        "the statement hashes and says what the row says; signatures verify",
        frozenset({_RECEIPTS, _ATTESTATIONS}),
        _by_row("attestations", _attestation),
    ),
    Part(
        "reputation",
        "values and counts are what observations left",
        frozenset({_AGENTS, _REPUTATION, _OBSERVATIONS}),
        _by_set(*stored.REPUTATIONS),
    ),
    Part(
        "records",
        "known clients and auditors' records follow from judged receipts",
        _JUDGED | {_AGENTS, _ATTESTATIONS, _OBSERVATIONS},
        _by_set(*stored.RECORDS),
    ),
    Part(
        "cohorts",
        "agents that were apart have given back what they were lent",
        frozenset({_AGENTS, _LEDGER, _COHORTS}),
        _by_set(*stored.COHORTS),
    ),
    Part(
        "seats",
        "a committee member's pages leave none out",
        frozenset({_RECEIPTS, _STATUS, _SEATS}),
        _by_set(*stored.SEATS),
    ),
)
