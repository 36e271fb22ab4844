"""Cohorts: opened by whoever has the database, closed by the same or by a job, with all their money back."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from msgspec import structs

from ainp.core.cohort import LIFETIME, give_back, lend, list_of
from ainp.core.did import AgentDid, key_of_did
from ainp.core.errors import Expired, Forbidden, InvalidState
from ainp.core.finalization import Case, Outcome, review
from ainp.core.receipt import JudgingPolicy
from ainp.operations import judging, negotiations
from ainp.operations.committees import Epochs
from ainp.operations.judging import Concluded
from ainp.store import cohorts, receipts, rewards
from ainp.store import ledger as accounts
from ainp.store.cohorts import Lent
from ainp.store.db import Session

_BATCH = 20
_REASON = "its cohort has ended"


async def begin(db: Session, members: Sequence[AgentDid], *, lent: int, lifetime: timedelta = LIFETIME) -> int:
    """Register *members* as agents apart, lend the first of them credits, and tell the cohort's number."""
    keys = [(did, key_of_did(did).hex()) for did in members]
    async with db.transaction() as tx:
        number, now = await cohorts.begin(tx, lent=lent, lifetime=lifetime)
        await cohorts.publish(tx, number, list_of(members, now))
        await cohorts.enroll(tx, number, keys, lifetime=lifetime)
        await accounts.post(tx, [lend(number, members[0], lent)])
    return number


async def close(db: Session, number: int, *, policy: JudgingPolicy, epochs: Epochs) -> Lent:
    """
    End a cohort: what it began is withdrawn or judged, its money goes back, its agents expire.

    One that is closed stays as it was.
    """
    for negotiation, responder in await cohorts.unsettled(db, number):
        with suppress(Expired, Forbidden, InvalidState):  # ended in between
            await negotiations.cancel(db, negotiation, by=responder, reason=_REASON)
    async with db.transaction() as tx:
        if await cohorts.lock(tx, number):
            await _judge(tx, number, policy=policy, epochs=epochs)
            await _give_back(tx, number)
        found = await cohorts.state(tx, number)
    assert found is not None
    return found


async def close_overdue(db: Session, *, policy: JudgingPolicy, epochs: Epochs) -> list[int]:
    """Close what nobody has closed in time; the numbers."""
    numbers = await cohorts.overdue(db, limit=_BATCH)
    for number in numbers:
        await close(db, number, policy=policy, epochs=epochs)
    return numbers


async def _judge(db: Session, number: int, *, policy: JudgingPolicy, epochs: Epochs) -> Concluded:
    """Judge its receipts now, as at the end of their last windows."""
    cases, now = await receipts.unjudged(db, number)
    if now is None:
        return Concluded()
    due = [(case, _at_the_end(case, now=now, policy=policy)) for case in cases]
    return await judging.conclude(db, due, now=now, policy=policy, epochs=epochs)


def _at_the_end(case: Case, *, now: datetime, policy: JudgingPolicy) -> Outcome:
    over = structs.replace(case.receipt, window_ends_at=min(case.receipt.window_ends_at, now))
    return review(replace(case, receipt=over), now=now, policy=replace(policy, max_extensions=0))


async def _give_back(db: Session, number: int) -> None:
    await rewards.one_at_a_time(db)  # who else takes from the pool
    held, paid = await cohorts.held(db, number), await cohorts.paid(db, number)
    entries = give_back(number, held, paid, pool=await rewards.pool(db))
    if entries:
        await accounts.post(db, entries)
    await cohorts.close(db, number, returned=sum(entry.amount for entry in entries))
