"""Payments: requested, shown to their owner, and confirmed by those who have taken the money."""

from datetime import timedelta
from functools import partial

from ainp.adapters.payments import Providers
from ainp.core.did import parse_did
from ainp.core.errors import FeatureDisabled, Forbidden, InvalidRequest
from ainp.core.payment import CURRENCY, PaymentRefused, PaymentState, WebhookError, check_time, method_of
from ainp.http import paying
from ainp.http.call import Call, Reply
from ainp.http.route import Handler
from ainp.operations import payments
from ainp.operations.payments import Asked, Settled, Wanted
from ainp.store.payments import Kept
from ainp.telemetry import Line
from ainp.telemetry.metrics import BOUGHT, PAYMENTS
from ainp.wire.payments import OwnerBody, PaymentBody, PaymentChallenge, PaymentReply, WebhookReply
from ainp.wire.values import iso

_SIGNATURE = "x-cc-webhook-signature"
_SCHEMES = ("l402 ", "lsat ")


async def open_request(call: Call) -> Reply:
    """Ask for a payment: an invoice of a provider, or, with the method credits, another agent is paid at once."""
    providers, wanted = _providers(call), _wanted(call)
    return _opened(await payments.open_request(call.db, wanted, providers))


async def ask(call: Call) -> Handler:
    """Have the invoice made; what is left to do is to write it."""
    providers, wanted = _providers(call), _wanted(call)
    if wanted.payee is not None:
        return open_request
    return partial(_keep, asked=await payments.ask(call.db, wanted, providers))


async def _keep(call: Call, asked: Asked) -> Reply:
    return _opened(await payments.keep(call.db, asked))


def _opened(kept: Kept) -> Reply:
    request, invoice = kept.request, kept.request.invoice
    said = paying.challenge(request) if request.open else []
    reply = PaymentChallenge(
        request_id=str(request.id),
        amount_atomic=str(request.amount),
        currency=CURRENCY,
        method=request.method,
        status=request.state,
        provider=None if invoice is None else request.method,
        provider_id=None if invoice is None else invoice.reference,
        payment_url=None if invoice is None else invoice.url,
        expires_at=iso(request.expires_at),
        headers={name: ", ".join(v for n, v in said if n == name) for name, _ in said} or None,
        metadata=None if invoice is None else dict(invoice.metadata),
    )
    headers = tuple(paying.lines(request)) if request.open else ()
    return Reply(reply, 201, (_line(kept),), headers=headers)


async def get(call: Call) -> Reply:
    """A payment request, for its owner and whom it pays."""
    _providers(call)
    kept = await payments.get(call.db, call.id("id", what="Payment request"))
    call.check_owner(kept.request.owner, kept.request.payee)
    return Reply(_shown(kept))


async def cancel(call: Call) -> Reply:
    """Leave a request unpaid; money that was sent in time counts all the same."""
    _providers(call)
    call.body(OwnerBody)
    kept = await payments.cancel(call.db, call.id("id", what="Payment request"), by=call.by)
    return Reply(_shown(kept), lines=(_line(kept),))


async def confirm(call: Call) -> Reply:
    """Have the Lightning node asked now whether a request was paid; L402 credentials may say so."""
    return _confirmed(await _looked(call))


async def look(call: Call) -> Handler:
    """Have the node asked, and what it says written: that counts once by itself. What is left to do is to say so."""
    settled = await _looked(call)

    async def show(_: Call) -> Reply:
        return _confirmed(settled)

    return show


async def _looked(call: Call) -> Settled:
    providers = _providers(call)
    call.body(OwnerBody)
    id_ = call.id("id", what="Payment request")
    if (await payments.get(call.db, id_)).request.owner != call.by:
        raise Forbidden("only its owner confirms a payment request")
    return await payments.confirm(call.db, id_, providers.lightning, shown=_credentials(call))


def _confirmed(settled: Settled) -> Reply:
    return Reply(_shown(settled.kept), lines=lines_of(settled))


async def receive_coinbase(call: Call) -> Reply:
    """A webhook of Coinbase Commerce, signed in X-CC-Webhook-Signature; what it pays is credited once."""
    coinbase = _providers(call).coinbase
    if coinbase is None:
        raise FeatureDisabled("Coinbase Commerce is not enabled")
    notice = coinbase.notice(call.raw, call.headers.get(_SIGNATURE), now=await call.db.clock())
    if notice is None:
        return Reply(WebhookReply(ok=True, request_id=None))
    try:
        settled = await payments.receive(call.db, notice)
    except PaymentRefused as error:
        PAYMENTS.of(notice.method, "refused").count()
        raise WebhookError(error.message) from error
    return Reply(WebhookReply(ok=True, request_id=str(settled.kept.request.id)), lines=lines_of(settled))


def lines_of(settled: Settled) -> tuple[Line, ...]:
    """What is logged and counted of it."""
    return (_line(settled.kept),) if settled.changed else ()


def _line(kept: Kept) -> Line:
    request = kept.request
    facts = {"request_id": str(request.id), "owner_did": request.owner, "amount": request.amount}
    counts = [(PAYMENTS.of(request.method, request.state), 1)]
    if request.state is PaymentState.PAID and request.payee is None:
        counts.append((BOUGHT.of(), request.amount))
    return Line(f"Payment request {request.state}", {**facts, "method": request.method}, counts=tuple(counts))


def _wanted(call: Call) -> Wanted:
    body = call.body(PaymentBody)
    if body.amount_atomic is None or body.method is None:
        raise InvalidRequest("amount_atomic and method are required")
    if body.currency != CURRENCY:
        raise InvalidRequest(f"currency: found {body.currency!r}, expected {CURRENCY}", field="currency")
    seconds = body.expires_in_seconds
    usual = timedelta(seconds=call.broker.settings.payments_expire_seconds)
    return Wanted(
        owner=call.by,
        amount=int(body.amount_atomic),
        method=method_of(body.method),
        time=usual if seconds is None else check_time(seconds),
        payee=None if body.to_did is None else parse_did(body.to_did),
        description=body.description,
    )


def _credentials(call: Call) -> str | None:
    """What follows L402 in the header Authorization, or LSAT, as it was called."""
    shown = call.headers.get("authorization") or ""
    return shown[5:].strip() if shown[:5].lower() in _SCHEMES else None


def _providers(call: Call) -> Providers:
    if call.broker.providers is None:
        raise FeatureDisabled("Payments are not enabled")
    return call.broker.providers


def _shown(kept: Kept) -> PaymentReply:
    request, invoice = kept.request, kept.request.invoice
    return PaymentReply(
        id=str(request.id),
        owner_did=request.owner,
        payee_did=request.payee,
        amount_atomic=str(request.amount),
        currency=CURRENCY,
        method=request.method,
        status=request.state,
        provider=None if invoice is None else request.method,
        provider_id=None if invoice is None else invoice.reference,
        provider_metadata={} if invoice is None else dict(invoice.metadata),
        payment_url=None if invoice is None else invoice.url,
        tx_ref=request.paid_by,
        description=request.description,
        expires_at=iso(request.expires_at),
        created_at=iso(kept.created_at),
        updated_at=iso(kept.updated_at),
    )
