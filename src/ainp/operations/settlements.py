"""Settlement: a negotiation is paid, and its receipt opened, in one transaction."""

import secrets
from dataclasses import dataclass, replace
from datetime import datetime

from ainp.core.did import AgentDid
from ainp.core.errors import AgentNotFound, NotFound
from ainp.core.events import negotiation_event, receipt_event
from ainp.core.ids import NegotiationId, TaskId, uuid7
from ainp.core.negotiation import Negotiation, NegotiationState
from ainp.core.receipt import JudgingPolicy, TaskReceipt, latency_ms, open_receipt
from ainp.core.reputation import Change, Dimension, Observation, Reputation, impact, timeliness
from ainp.core.settlement import SettlementPolicy, pay, validator_of
from ainp.operations.committees import Epochs
from ainp.operations.retry import until_fresh
from ainp.store import negotiations, receipts, settlements
from ainp.store.db import Session
from ainp.store.epochs import EpochMark
from ainp.store.negotiations import Settleable
from ainp.store.settlements import SettlementRows


@dataclass(frozen=True, slots=True)
class Settled:
    """A settled negotiation and its receipt; *again* if it had been settled before."""

    negotiation: Negotiation
    receipt: TaskReceipt
    validator: AgentDid | None
    again: bool
    changes: tuple[Change, ...] = ()  # what it showed of the worker


@dataclass(frozen=True, slots=True)
class Terms:
    """Everything a settlement is decided by, beside the negotiation."""

    settlement: SettlementPolicy
    judging: JudgingPolicy
    epochs: Epochs


async def settle(db: Session, id: NegotiationId, *, by: AgentDid, terms: Terms) -> Settled:  # noqa: A002
    """Pay a negotiation out and open its receipt; settling again changes nothing and gives the same answer."""

    async def attempt(db: Session) -> Settled:
        found = await negotiations.get_to_settle(db, id, broker=terms.settlement.broker)
        if found is None:
            raise NotFound(f"Negotiation not found: {id}")
        read, now = found
        if read.negotiation.state is NegotiationState.SETTLED:
            return await _again(db, read, by=by, now=now, policy=terms.settlement)
        return await _settle(db, read, by=by, now=now, terms=terms)

    return await until_fresh(db, attempt)


async def _settle(db: Session, read: Settleable, *, by: AgentDid, now: datetime, terms: Terms) -> Settled:
    task_id = TaskId(uuid7(now, secrets.token_bytes(10)))
    settled = read.negotiation.settle(by=by, now=now, grace=terms.settlement.grace, task_id=task_id)
    if read.responder_id is None:
        raise AgentNotFound(f"Agent not found: {settled.responder}, the responder", did=settled.responder)
    validator = validator_of(settled, registered=read.validator_registered)
    broker = terms.settlement.broker if read.broker_registered and read.cohort is None else None
    settlement = pay(settled, task_id=task_id, broker=broker, validator=validator)
    named = await terms.epochs.for_task(db, _mark(read, now), cohort=read.cohort)
    receipt = open_receipt(settled, settlement, named=named, policy=terms.judging, now=now)
    reputation, changes = _observed(read.reputation, settled, receipt, now=now, alpha=terms.judging.alpha)
    await settlements.settle(
        db,
        SettlementRows(
            negotiation=settled,
            receipt=receipt,
            entries=settlement.entries,
            agent_id=read.responder_id,
            reputation=reputation,
            changes=changes,
            events=[
                negotiation_event(settled, "settled", by=by, now=now),
                receipt_event(receipt, "opened", now=now, committee=receipt.committee),
            ],
        ),
    )
    return Settled(settled, receipt, validator, again=False, changes=changes)


async def _again(db: Session, read: Settleable, *, by: AgentDid, now: datetime, policy: SettlementPolicy) -> Settled:
    if by != read.negotiation.closed_by:
        read.negotiation.require_settler(by, now=now, grace=policy.grace)
    receipt = await receipts.get_of_negotiation(db, read.negotiation.id)
    if receipt is None:
        raise NotFound(f"the receipt of negotiation {read.negotiation.id} is gone")
    # The share went to the reward account, or else to whom the terms name.
    unpaid = int(receipt.distribution.get("reward", "0")) > 0
    validator = None if unpaid else validator_of(read.negotiation, registered=read.validator_registered)
    return Settled(read.negotiation, receipt, validator, again=True)


def _observed(
    reputation: Reputation, settled: Negotiation, receipt: TaskReceipt, *, now: datetime, alpha: float
) -> tuple[Reputation, tuple[Change, ...]]:
    """What settlement itself shows; a price that is too small moves nothing but the time."""
    if not receipt.counts:
        return replace(reputation, updated_at=now), ()
    latency, agreed = latency_ms(settled, now), settled.terms.delivery_time_ms
    yardstick = "no agreed time" if agreed is None else f"{agreed} ms agreed"
    seen = (
        Observation(Dimension.TIMELINESS, timeliness(latency, agreed), f"took {latency} ms, {yardstick}"),
        Observation(Dimension.IMPACT, impact(settled.reserved), f"{settled.reserved} atomic units were paid"),
    )
    return reputation.observe(seen, now=now, alpha=alpha)


def _mark(read: Settleable, now: datetime) -> EpochMark | None:
    if read.epoch_id is None or read.epoch_at is None:
        return None
    return EpochMark(read.epoch_id, read.epoch_at, read.population, read.newest_sign_at, now)
