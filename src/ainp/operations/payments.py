"""
Payments: requests are opened, paid once, expired.

A provider is asked outside of a transaction: between two of them, or before the one of a request that has a key. What
it says is written under the request's lock. So a process that dies leaves a request that expires, or an invoice that
nobody knows, never a credit without a receipt or one too many.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from ainp.adapters.payments import Lightning, Providers
from ainp.core.did import AgentDid
from ainp.core.errors import AgentNotFound, BrokerError, InsufficientCredits, NotFound
from ainp.core.ids import uuid7
from ainp.core.payment import (
    Invoice,
    Method,
    Notice,
    PaymentRefused,
    PaymentRequest,
    PaymentState,
    ProviderUnavailable,
    TooManyPayments,
    check_amount,
    check_description,
    check_payee,
)
from ainp.core.payment_limits import MAX_OPEN_PAYMENTS
from ainp.core.trail import Record, Trace
from ainp.store import audit, payments
from ainp.store.db import Session
from ainp.store.payments import Kept, Receipt, Standing

EXPIRY_BATCH = 200
LOOK_BATCH = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What an agent asks for."""

    owner: AgentDid
    amount: int
    method: Method
    time: timedelta
    payee: AgentDid | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that is not written yet, and the invoice that a provider has made of it."""

    wanted: Wanted
    request: PaymentRequest
    invoice: Invoice


@dataclass(frozen=True, slots=True)
class Settled:
    """What a provider's word has changed; *changed* is False if it was known."""

    kept: Kept
    changed: bool


async def open_request(db: Session, wanted: Wanted, providers: Providers) -> Kept:
    """Ask a provider for an invoice, or pay another agent at once."""
    _check(wanted)
    if wanted.payee is not None:
        return await _transfer(db, wanted, wanted.payee)
    provider = providers.of(wanted.method)
    async with db.transaction() as tx:
        request = await _begin(tx, wanted)
        await payments.insert(tx, request)
    try:
        invoice = await provider.open(request)
    except ProviderUnavailable:
        await _give_up(db, request.id)
        raise
    async with db.transaction() as tx:
        held = await _hold(tx, request.id)
        after = held.request.opened(invoice)
        await payments.save(tx, [after], events=[after.event(held.now)])
    return await get(db, request.id)


async def ask(db: Session, wanted: Wanted, providers: Providers) -> Asked:
    """
    Ask a provider for an invoice of a request that `keep` writes, in a transaction that could not begin before.

    If nobody does, an invoice is left of which nobody was told.
    """
    _check(wanted)
    provider = providers.of(wanted.method)
    request = _request(wanted, await _standing(db, wanted))
    return Asked(wanted, request, await provider.open(request))


async def keep(db: Session, asked: Asked) -> Kept:
    """Write a request with the invoice that its provider has made."""
    async with db.transaction() as tx:
        await payments.begin(tx, asked.wanted.owner)
        now = (await _standing(tx, asked.wanted)).now
        await payments.insert(tx, asked.request)
        after = asked.request.opened(asked.invoice)
        await payments.save(tx, [after], events=[after.event(now)])
    return await get(db, asked.request.id)


async def offer(db: Session, wanted: Wanted, providers: Providers) -> Kept:
    """The invoice that would help whoever has too little: the one they have, or a new one."""
    found = await payments.offered(db, wanted.owner, wanted.amount, wanted.method)
    return found or await open_request(db, wanted, providers)


async def get(db: Session, id: UUID) -> Kept:  # noqa: A002 - what it is
    """A request."""
    found = await payments.get(db, id)
    if found is None:
        raise _unknown(id)
    return found


async def cancel(db: Session, id: UUID, *, by: AgentDid) -> Kept:  # noqa: A002 - what it is
    """Its owner does not want it any more."""
    async with db.transaction() as tx:
        held = await _hold(tx, id)
        after = held.request.cancelled(by)
        await payments.save(tx, [after], events=[after.event(held.now)])
    return await get(db, id)


async def receive(db: Session, notice: Notice) -> Settled:
    """
    Write what a provider says of one of its invoices: credited once, however often it is said.

    Money that can't be credited is on record, as somebody has paid it.
    """
    async with db.transaction() as tx:
        held = await payments.lock_of_provider(tx, notice.method, notice.reference)
        outcome = await _decide(tx, held, notice)
    if isinstance(outcome, PaymentRefused):
        raise outcome
    return Settled(await get(db, outcome.id), changed=held is None or outcome is not held.request)


async def confirm(db: Session, id: UUID, lightning: Lightning | None, *, shown: str | None) -> Settled:  # noqa: A002
    """Ask the node whether a request was paid; *shown* is the L402 of whoever says so."""
    kept = await get(db, id)
    request = kept.request
    if request.method is not Method.LIGHTNING or request.invoice is None or lightning is None:
        return Settled(kept, changed=False)
    if shown is not None:
        lightning.check_credentials(shown, request)
    if request.state is PaymentState.PAID:
        return Settled(kept, changed=False)
    notice = await lightning.look(request)
    return Settled(kept, changed=False) if notice is None else await receive(db, notice)


async def look(db: Session, lightning: Lightning, *, after: UUID) -> tuple[list[Settled], UUID | None]:
    """Ask the node of a batch of requests that wait for it; where the next begins."""
    waiting = await payments.pending(db, Method.LIGHTNING, after=after, limit=LOOK_BATCH)
    settled = [done for kept in waiting if (done := await _look(db, lightning, kept)) is not None]
    return settled, waiting[-1].request.id if len(waiting) == LOOK_BATCH else None


async def expire_due(db: Session, *, before: datetime, methods: Sequence[Method]) -> list[PaymentRequest]:
    """End a batch of requests of *methods* whose time was over by then."""
    async with db.transaction() as tx:
        due = await payments.due(tx, before=before, methods=methods, limit=EXPIRY_BATCH)
        ended = [kept.request.expired(kept.now) for kept in due]
        if due:
            await payments.save(tx, ended, events=[request.event(due[0].now) for request in ended])
    return ended


async def _look(db: Session, lightning: Lightning, kept: Kept) -> Settled | None:
    notice = await lightning.look(kept.request)
    try:
        return None if notice is None else await receive(db, notice)
    except PaymentRefused:
        return None  # on record


async def _decide(tx: Session, held: Kept | None, notice: Notice) -> PaymentRequest | PaymentRefused:
    """Write what a notice makes of a request, or that it is refused."""
    try:
        after = _found(held, notice).request.settled_by(notice)
    except PaymentRefused as error:
        if notice.paid:
            await _record(tx, notice, None if held is None else held.request, error)
        return error
    if held is not None and after is not held.request:
        await _settle(tx, held, after, notice)
    return after


def _found(held: Kept | None, notice: Notice) -> Kept:
    if held is None:
        raise PaymentRefused(f"no payment request has the invoice {notice.reference[:100]!r}")
    return held


async def _settle(tx: Session, held: Kept, after: PaymentRequest, notice: Notice) -> None:
    paid = after.state is PaymentState.PAID
    await payments.save(
        tx,
        [after],
        receipts=[Receipt(after, notice)] if paid else (),
        entries=after.entries if paid else (),
        events=[after.event(held.now)],
    )


async def _transfer(db: Session, wanted: Wanted, payee: AgentDid) -> Kept:
    async with db.transaction() as tx:
        request = await _begin(tx, wanted)
        have = await payments.available(tx, wanted.owner, payee)
        if have < wanted.amount:
            raise InsufficientCredits(needed=wanted.amount, have=have, of=wanted.owner)
        await payments.insert(tx, request)
        after, now = request.transferred(), await tx.clock()
        notice = Notice(
            method=Method.CREDITS,
            reference=str(request.id),
            tx_ref=str(request.id),
            paid=True,
            amount=request.amount,
            seen_at=now,
        )
        receipt, events = Receipt(after, notice), [after.event(now)]
        await payments.save(tx, [after], receipts=[receipt], entries=after.entries, events=events)
    return await get(db, request.id)


async def _begin(tx: Session, wanted: Wanted) -> PaymentRequest:
    await payments.begin(tx, wanted.owner)
    return _request(wanted, await _standing(tx, wanted))


async def _standing(db: Session, wanted: Wanted) -> Standing:
    """What is known before a request is opened, unless that refuses it."""
    standing = await payments.standing(db, wanted.owner, wanted.payee)
    for did, known in ((wanted.owner, standing.owner), (wanted.payee, standing.payee)):
        if not known:
            raise AgentNotFound(f"Agent not found: {did}", did=did)
    if standing.open >= MAX_OPEN_PAYMENTS:
        raise TooManyPayments(f"found {standing.open} open payment requests, expected fewer than {MAX_OPEN_PAYMENTS}")
    return standing


def _check(wanted: Wanted) -> None:
    check_amount(wanted.amount)
    check_description(wanted.description)
    check_payee(wanted.owner, wanted.method, wanted.payee)


def _request(wanted: Wanted, standing: Standing) -> PaymentRequest:
    return PaymentRequest(
        id=uuid7(standing.now, secrets.token_bytes(10)),
        owner=wanted.owner,
        payee=wanted.payee,
        amount=wanted.amount,
        method=wanted.method,
        expires_at=standing.now + wanted.time,
        description=wanted.description,
    )


async def _give_up(db: Session, id: UUID) -> None:  # noqa: A002 - what it is
    async with db.transaction() as tx:
        held = await _hold(tx, id)
        after = held.request.failed()
        await payments.save(tx, [after], events=[after.event(held.now)])


async def _hold(tx: Session, id: UUID) -> Kept:  # noqa: A002 - what it is
    held = await payments.lock(tx, id)
    if held is None:
        raise _unknown(id)
    return held


async def _record(tx: Session, notice: Notice, request: PaymentRequest | None, error: BrokerError) -> None:
    facts = {
        "method": notice.method,
        "reference": notice.reference[:200],
        "paid": notice.paid,
        "amount": str(notice.amount),
        "request_id": None if request is None else str(request.id),
        "reason": error.message,
        **notice.facts,
    }
    await audit.insert(tx, [Record(Trace.PAYMENT_REFUSED, None if request is None else request.owner, None, facts)])


def _unknown(id: UUID) -> NotFound:  # noqa: A002 - what it is
    return NotFound(f"Payment request not found: {id}")
