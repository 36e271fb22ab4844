"""
Finalization: when a receipt's status is decided, when its window is extended, and when it is judged.

The *status* is decided by the voice that completes the quorum. The *judgement* (reputation, rewards) closes once:
when the whole committee and the client have spoken, or when the window is over. Silence extends the committee by the
next seats of the same draw, and in the end fails the receipt: nothing waits for ever.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from msgspec import structs

from ainp.core import ledger
from ainp.core.attestation import (
    COMMITTEE_VERDICTS,
    EFFICIENCY_HIGH,
    SAFETY_PASS,
    Attestation,
    Verdict,
    millionths,
    verdicts_of,
)
from ainp.core.committee import DRAWS, seat
from ainp.core.did import AgentDid
from ainp.core.quorum import Tally, tally
from ainp.core.receipt import Failure, JudgingPolicy, NamedEpoch, ReceiptStatus, TaskReceipt
from ainp.core.reputation import ONE, Dimension, Observation, median, timeliness


@dataclass(frozen=True)
class Case:
    """A receipt and all that was said about it; what follows from it is worked out once."""

    receipt: TaskReceipt
    attestations: Sequence[Attestation]

    @cached_property
    def verdicts(self) -> tuple[Verdict, ...]:
        """What the committee and the client found."""
        return verdicts_of(self.attestations)

    @cached_property
    def tally(self) -> Tally:
        """How the quorum stands."""
        r = self.receipt
        return tally(self.verdicts, committee=r.committee, client=r.client, needed=r.quorum, mode=r.mode)

    @property
    def everyone_spoke(self) -> bool:
        """Whether no drawn member and no client can add a verdict any more."""
        spoke = {verdict.by for verdict in self.verdicts}
        awaited = {*self.receipt.committee, *(() if self.receipt.client is None else (self.receipt.client,))}
        return bool(self.receipt.committee) and awaited <= spoke


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is due: the receipt as it becomes, and whether it was decided, extended or judged by this."""

    receipt: TaskReceipt
    decided: bool = False
    extended: bool = False
    judged: bool = False

    @property
    def due(self) -> bool:
        """Whether anything changed."""
        return self.decided or self.extended or self.judged


def decide(case: Case, *, now: datetime) -> Outcome:
    """Decide the status if the voices do; a status once decided never changes here."""
    receipt = case.receipt
    if receipt.status is not ReceiptStatus.PENDING or not case.tally.decided:
        return Outcome(receipt)
    if case.tally.reached:
        changed = _next(receipt, now, status=ReceiptStatus.FINALIZED, finalized_at=now, decidable=False)
    else:
        changed = _next(receipt, now, status=ReceiptStatus.FAILED, failure=Failure.VERDICTS, decidable=False)
    return Outcome(changed, decided=True)


def review(case: Case, *, now: datetime, policy: JudgingPolicy) -> Outcome:
    """Decide, extend or judge, whatever is due at *now*; the route and the job both call this."""
    if case.receipt.judged_at is not None:
        return Outcome(case.receipt)
    outcome = decide(case, now=now)
    window_over = now >= case.receipt.window_ends_at
    if outcome.receipt.status is not ReceiptStatus.PENDING:
        if not (window_over or case.everyone_spoke):
            return outcome
        return replace(outcome, receipt=_next(outcome.receipt, now, judged_at=now), judged=True)
    return _silence(case.receipt, now=now, policy=policy) if window_over else outcome


def _silence(receipt: TaskReceipt, *, now: datetime, policy: JudgingPolicy) -> Outcome:
    """Another window, or the end."""
    if receipt.extensions < policy.max_extensions:
        ends = now + policy.window
        extended = _next(receipt, now, extensions=receipt.extensions + 1, window_ends_at=ends, decidable=False)
        return Outcome(extended, extended=True)
    ended = {"status": ReceiptStatus.FAILED, "failure": Failure.NO_VERDICT, "judged_at": now}
    failed = _next(receipt, now, **ended, decidable=False)
    return Outcome(failed, decided=True, judged=True)


def extend_committee(case: Case, *, to: TaskReceipt, named: NamedEpoch) -> TaskReceipt:
    """Give an extended receipt the next seats of its own draw: one for every member that stayed silent."""
    silent = len(set(to.committee) - {verdict.by for verdict in case.verdicts})
    assert to.seed is not None
    members = DRAWS[to.draw](
        named.epoch.registered_before(to.created_at),
        seed=to.seed,
        seats=len(to.committee) + silent,
        parties=to.contractors,
    )
    return structs.replace(to, committee=members)


def seat_late(receipt: TaskReceipt, *, named: NamedEpoch, now: datetime, policy: JudgingPolicy) -> TaskReceipt | None:
    """
    Seat a committee on a receipt that opened without one, or None while there are too few.

    At least m eligible agents must have been registered before the receipt: nobody registers for a seat on a task
    that is already known.
    """
    if receipt.committee or receipt.seed is None or receipt.status is not ReceiptStatus.PENDING:
        return None
    epoch = named.epoch.registered_before(receipt.created_at)
    if epoch.eligible(receipt.contractors) < receipt.size:
        return None
    seating = seat(
        epoch,
        seed=receipt.seed,
        parties=receipt.contractors,
        policy=receipt.draw,
        quorum=receipt.quorum,
        size=receipt.size,
    )
    return _next(
        receipt,
        now,
        committee=seating.members,
        short=seating.short,
        epoch_id=named.id,
        window_ends_at=now + policy.window,
    )


@dataclass(frozen=True, slots=True)
class Judgement:
    """What follows when a receipt is judged: observations of the worker, rewards, the auditors' own record."""

    observations: tuple[Observation, ...]
    rewards: tuple[ledger.Entry, ...]
    agreed: tuple[AgentDid, ...]
    disagreed: tuple[AgentDid, ...]
    silent: tuple[AgentDid, ...]


def judge(case: Case, receipt: TaskReceipt) -> Judgement:
    """Conclude from *receipt*, which has been judged, and all that was said about it."""
    heard = [v for v in case.verdicts if v.type in COMMITTEE_VERDICTS and v.by in receipt.committee]
    spoke = {v.by for v in heard}
    held = receipt.failure is not Failure.NO_VERDICT
    with_outcome = {v.by for v in heard if held and v.passes == (receipt.status is ReceiptStatus.FINALIZED)}
    validator_share = int(receipt.distribution.get("reward", "0"))
    return Judgement(
        observations=_observations(case, receipt, heard) if receipt.counts and held else (),
        rewards=ledger.close_reward(receipt.id, validator_share, sorted(spoke)),
        agreed=tuple(sorted(with_outcome)),
        disagreed=tuple(sorted(spoke - with_outcome)) if held else (),
        silent=tuple(sorted(set(receipt.committee) - spoke)),
    )


def _observations(case: Case, receipt: TaskReceipt, heard: Sequence[Verdict]) -> tuple[Observation, ...]:
    finalized = receipt.status is ReceiptStatus.FINALIZED
    reliability = Observation(
        Dimension.RELIABILITY, ONE if finalized else 0, f"the receipt was {receipt.status} by its committee"
    )
    quality = Observation(Dimension.QUALITY, *_quality(case, receipt, heard))
    beliefs = [(ONE + v.confidence if v.passes else ONE - v.confidence) // 2 for v in heard]
    truthfulness = Observation(
        Dimension.TRUTHFULNESS, median(beliefs), f"median belief of {len(beliefs)} committee verdicts"
    )
    special = _special(case.attestations, {*receipt.committee, receipt.client})
    latency, agreed = receipt.metrics.get("latency_ms"), receipt.metrics.get("delivery_time_ms")
    audited = (
        (
            Observation(
                Dimension.FINAL_TIMELINESS,
                timeliness(latency, agreed if isinstance(agreed, int) else None),
                "timeliness of a finalized receipt",
            ),
        )
        if finalized and isinstance(latency, int)
        else ()
    )
    return (reliability, quality, truthfulness, *special, *audited)


def _quality(case: Case, receipt: TaskReceipt, heard: Sequence[Verdict]) -> tuple[int, str]:
    found = median(v.score for v in heard)
    of_client = [v.score for v in case.verdicts if v.by == receipt.client]
    if not of_client:
        return found, f"median score of {len(heard)} committee verdicts"
    # The client's word counts a fifth: it has paid and may want its money's worth in spite.
    return (8 * found + 2 * of_client[0]) // 10, f"0.8 median of {len(heard)} committee verdicts + 0.2 client"


def _special(attestations: Iterable[Attestation], heard: Collection[AgentDid | None]) -> tuple[Observation, ...]:
    found = []
    for kind, dimension in ((SAFETY_PASS, Dimension.SAFETY), (EFFICIENCY_HIGH, Dimension.EFFICIENCY)):
        scores = [millionths(a.score) for a in attestations if a.type == kind and a.by in heard and a.score is not None]
        if scores:
            found.append(Observation(dimension, median(scores), f"median of {len(scores)} {kind}"))
    return tuple(found)


def _next(receipt: TaskReceipt, now: datetime, **changes: object) -> TaskReceipt:
    return structs.replace(receipt, updated_at=now, **changes)
