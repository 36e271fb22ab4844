"""
What follows when receipts are decided, extended or judged, in the caller's transaction.

The attestation that completes a quorum, the manual route and the job all end here; the job brings a batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from msgspec import structs

from ainp.core.did import AgentDid
from ainp.core.errors import Unavailable
from ainp.core.events import Event, receipt_event
from ainp.core.finalization import Case, Judgement, Outcome, extend_committee, judge, review, seat_late
from ainp.core.ids import TaskId
from ainp.core.ledger import Entry
from ainp.core.receipt import JudgingPolicy, ReceiptStatus, TaskReceipt
from ainp.core.reputation import Change, Reputation
from ainp.operations.committees import Epochs
from ainp.store import receipts, reputation
from ainp.store.db import Session, Stale
from ainp.store.reputation import AuditorRecord, JudgementRows


@dataclass(frozen=True, slots=True)
class Moved:
    """A reputation as a judgement left it."""

    did: AgentDid
    task_id: TaskId
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Concluded:
    """What was written, for whoever logs and counts it."""

    decided: tuple[tuple[TaskReceipt, int], ...] = ()  # with the number of attestations
    extended: tuple[TaskReceipt, ...] = ()
    judged: tuple[TaskReceipt, ...] = ()
    seated: tuple[TaskReceipt, ...] = ()
    moved: tuple[Moved, ...] = ()
    looked_at: int = 0
    postponed: tuple[tuple[TaskId, str], ...] = ()  # with what went wrong


async def conclude(
    db: Session,
    due: Sequence[tuple[Case, Outcome]],
    *,
    now: datetime,
    policy: JudgingPolicy,
    epochs: Epochs,
    ahead: int = 0,
) -> Concluded:
    """Write *due* outcomes and what they entail, or raise Stale if one of the receipts changed in between."""
    written = [(case, await _with_seats(db, case, outcome, epochs)) for case, outcome in due]
    events = [(o.receipt.id, event) for _, o in written for event in _events(o, now)]
    count = await receipts.conclude(db, [o.receipt for _, o in written], events=events, ahead=ahead)
    if count != len(written):
        raise Stale(written[0][1].receipt.id)
    judged = [(case, o.receipt) for case, o in written if o.judged]
    return Concluded(
        decided=tuple((o.receipt, len(case.attestations)) for case, o in written if o.decided),
        extended=tuple(o.receipt for _, o in written if o.extended),
        judged=tuple(receipt for _, receipt in judged),
        moved=await _judge(db, judged, now=now, policy=policy) if judged else (),
        looked_at=len(due),
    )


async def finalize_due(db: Session, *, policy: JudgingPolicy, epochs: Epochs, batch: int) -> Concluded:
    """Take a batch of receipts whose course can go on, and let it."""
    async with db.transaction() as tx:
        cases, now = await receipts.due(tx, limit=batch)
        if now is None:
            return Concluded()
        due = [(case, _settled_for_now(review(case, now=now, policy=policy))) for case in cases]
        try:
            async with tx.transaction() as together:
                return await conclude(together, due, now=now, policy=policy, epochs=epochs)
        except Unavailable:
            raise
        except Exception:  # noqa: BLE001 - one that can't be concluded must not hold up the others
            return await _one_by_one(tx, due, now=now, policy=policy, epochs=epochs)


async def _one_by_one(
    db: Session, due: Sequence[tuple[Case, Outcome]], *, now: datetime, policy: JudgingPolicy, epochs: Epochs
) -> Concluded:
    """Conclude what can be; what can't is put off, so that it is not the first to be looked at for ever."""
    done: list[Concluded] = []
    postponed: list[tuple[TaskId, str]] = []
    for case, outcome in due:
        try:
            async with db.transaction() as alone:
                done.append(await conclude(alone, [(case, outcome)], now=now, policy=policy, epochs=epochs))
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001 - as above; it is reported
            await receipts.postpone(db, case.receipt.id)
            postponed.append((case.receipt.id, f"{type(error).__name__}: {error}"))
    return Concluded(
        decided=tuple(one for each in done for one in each.decided),
        extended=tuple(one for each in done for one in each.extended),
        judged=tuple(one for each in done for one in each.judged),
        moved=tuple(one for each in done for one in each.moved),
        looked_at=len(due),
        postponed=tuple(postponed),
    )


def _settled_for_now(outcome: Outcome) -> Outcome:
    """What turns out not to be due is not looked at again before somebody speaks: it must not starve the others."""
    return outcome if outcome.due else Outcome(structs.replace(outcome.receipt, decidable=False))


@dataclass(frozen=True, slots=True)
class SeatingPass:
    """How far a pass over receipts without a committee got."""

    seated: tuple[TaskReceipt, ...]
    looked_at: int
    last: tuple[datetime, TaskId] | None = None


async def seat_due(
    db: Session, *, after: tuple[datetime, TaskId], policy: JudgingPolicy, epochs: Epochs, batch: int
) -> SeatingPass:
    """Seat committees on a batch of receipts that opened without one, where enough agents were there before."""
    async with db.transaction() as tx:
        waiting, now = await receipts.unseated(tx, above=after, limit=batch)
        if now is None:
            return SeatingPass((), 0)
        named = await epochs.newest(tx)
        seated = [seat_late(receipt, named=named, now=now, policy=policy) for receipt in waiting]
        found = [receipt for receipt in seated if receipt is not None]
        events = [(r.id, receipt_event(r, "seated", now=now, committee=r.committee)) for r in found]
        if found:
            await receipts.conclude(tx, found, events=events)
    return SeatingPass(tuple(found), len(waiting), (waiting[-1].created_at, waiting[-1].id))


async def _with_seats(db: Session, case: Case, outcome: Outcome, epochs: Epochs) -> Outcome:
    receipt = outcome.receipt
    if not outcome.extended or receipt.epoch_id is None:
        return outcome
    named = await epochs.named(db, receipt.epoch_id)
    return Outcome(extend_committee(case, to=receipt, named=named), extended=True)


def _events(outcome: Outcome, now: datetime) -> list[Event]:
    receipt, told = outcome.receipt, []
    if outcome.decided:
        facts = {} if receipt.failure is None else {"reason": receipt.failure}
        told.append(receipt_event(receipt, receipt.status, now=now, **facts))
    if outcome.extended:
        told.append(
            receipt_event(
                receipt, "extended", now=now, committee=receipt.committee, window_ends_at=receipt.window_ends_at
            )
        )
    if outcome.judged:
        told.append(receipt_event(receipt, "judged", now=now))
    return told


@dataclass
class _Folded:
    """Reputations as they become while judgements are applied one after the other."""

    reputations: dict[AgentDid, tuple[UUID, Reputation]]
    changes: list[tuple[UUID, TaskId, Change]] = field(default_factory=list)
    clients: list[tuple[UUID, AgentDid]] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    auditors: dict[AgentDid, list[int]] = field(default_factory=dict)
    moved: list[Moved] = field(default_factory=list)

    def apply(self, receipt: TaskReceipt, judgement: Judgement, *, now: datetime, alpha: float) -> None:
        self.entries.extend(judgement.rewards)
        for column, dids in enumerate((judgement.agreed, judgement.disagreed, judgement.silent)):
            for did in dids:
                self.auditors.setdefault(did, [0, 0, 0])[column] += 1
        if not judgement.observations or receipt.agent not in self.reputations:
            return
        agent_id, before = self.reputations[receipt.agent]
        after, changes = before.observe(judgement.observations, now=now, alpha=alpha)
        self.reputations[receipt.agent] = (agent_id, after)
        self.changes.extend((agent_id, receipt.id, change) for change in changes)
        self.moved.append(Moved(receipt.agent, receipt.id, changes))
        if receipt.status is ReceiptStatus.FINALIZED and receipt.client is not None:
            self.clients.append((agent_id, receipt.client))


async def _judge(
    db: Session, judged: Sequence[tuple[Case, TaskReceipt]], *, now: datetime, policy: JudgingPolicy
) -> tuple[Moved, ...]:
    conclusions = [(receipt, judge(case, receipt)) for case, receipt in judged]
    observed = {receipt.agent for receipt, judgement in conclusions if judgement.observations}
    folded = _Folded(await reputation.lock(db, observed) if observed else {})
    for receipt, judgement in conclusions:
        folded.apply(receipt, judgement, now=now, alpha=policy.alpha)
    await reputation.judge(
        db,
        JudgementRows(
            reputations=list(folded.reputations.values()),
            changes=folded.changes,
            clients=folded.clients,
            auditors=[(did, AuditorRecord(*counts)) for did, counts in sorted(folded.auditors.items())],
            entries=folded.entries,
        ),
    )
    return tuple(folded.moved)
