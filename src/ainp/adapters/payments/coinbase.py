"""
Coinbase Commerce: charges, and webhooks signed over their bytes.

A webhook counts if its HMAC-SHA256 by the shared secret is right. Then it is Coinbase's word: which charge, what was
paid in which currency, and when it was seen.
"""

import hmac
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, Decimal, InvalidOperation

import msgspec
from msgspec import Struct, field

from ainp.adapters.payments.calls import Calls
from ainp.core.payment import Invoice, Method, Notice, PaymentRequest, ProviderUnavailable, WebhookError
from ainp.core.payment_limits import MAX_WEBHOOK_AGE

_VERSION = "2018-03-22"
_CENT = Decimal("0.01")
_FUTURE = timedelta(minutes=5)
_LONGEST = 200  # characters of a charge's names, of an amount, of a currency
_MOST = 30
_URL = re.compile(r"https?://[\x21\x23-\x3b\x3d\x3f-\x7e]{1,2000}")  # it goes into a header
_PAID = frozenset({"charge:confirmed", "charge:resolved", "charge:delayed"})
_OVER = "charge:failed"  # nobody has paid in time
_CONFIRMED = frozenset({"confirmed", "completed"})


class _Money(Struct):
    amount: str
    currency: str


class _Value(Struct):
    local: _Money


class _Payment(Struct):
    status: str
    value: _Value
    transaction_id: str | None = None
    detected_at: datetime | None = None


class _Step(Struct):
    status: str
    time: datetime


class _Charge(Struct):
    id: str
    hosted_url: str = ""
    expires_at: datetime | None = None
    metadata: dict[str, object] = field(default_factory=dict)
    payments: list[_Payment] = field(default_factory=list)
    timeline: list[_Step] = field(default_factory=list)


class _Made(Struct):
    data: _Charge


class _Event(Struct):
    id: str
    type: str
    created_at: datetime
    data: msgspec.Raw


class _Webhook(Struct):
    event: _Event


class Coinbase:
    """Charges in *currency*, of which a unit buys *atomic_per_unit* atomic units."""

    def __init__(self, *, url: str, api_key: str, secret: str, currency: str, atomic_per_unit: int) -> None:
        self._calls = Calls(Method.COINBASE, url, headers={"X-CC-Api-Key": api_key, "X-CC-Version": _VERSION})
        self._secret = secret.encode()
        self._currency = currency
        self._atomic_per_unit = atomic_per_unit

    async def open(self, request: PaymentRequest) -> Invoice:
        """Make a charge of a request."""
        price = (Decimal(request.amount) / self._atomic_per_unit).quantize(_CENT, ROUND_CEILING)
        body = {
            "name": "AINP credits",
            "description": request.description or f"{request.amount} atomic units of credits",
            "pricing_type": "fixed_price",
            "local_price": {"amount": str(price), "currency": self._currency},
            "metadata": {"request_id": str(request.id)},
        }
        made = (await self._calls.call("POST", "/charges", _Made, body)).data
        if not (0 < len(made.id) <= _LONGEST and _URL.fullmatch(made.hosted_url)):
            raise ProviderUnavailable("coinbase: an answer without a charge's id and address; try again")
        if made.expires_at is not None and made.expires_at.tzinfo is None:
            raise ProviderUnavailable("coinbase: an answer with a time of no zone; try again")
        price_said = f"{price} {self._currency}"
        return Invoice(made.id, made.hosted_url, made.expires_at, {"price": price_said})

    def notice(self, raw: bytes, signature: str | None, *, now: datetime) -> Notice | None:
        """What a webhook says; None if that changes nothing. WebhookError if it is not Coinbase's."""
        expected = hmac.digest(self._secret, raw, "sha256").hex()
        if signature is None or not hmac.compare_digest(signature.encode(), expected.encode()):
            raise WebhookError("X-CC-Webhook-Signature: found none, or one that is not over these bytes")
        try:
            event = msgspec.json.decode(raw, type=_Webhook).event
            _check_time(event.created_at, now)
            if event.type != _OVER and event.type not in _PAID:
                return None
            charge = msgspec.json.decode(event.data, type=_Charge)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise WebhookError(f"the body is no event of Coinbase Commerce: {error}") from error
        return self._said(event, charge)

    def _said(self, event: _Event, charge: _Charge) -> Notice:
        confirmed = [one for one in charge.payments if one.status.lower() in _CONFIRMED]
        return Notice(
            method=Method.COINBASE,
            reference=charge.id,
            tx_ref=charge.id,
            paid=event.type in _PAID,
            amount=int(sum((self._money(one.value.local) for one in confirmed), Decimal(0)) * self._atomic_per_unit),
            seen_at=_first_seen(charge, confirmed) or event.created_at,
            facts={
                "event_id": event.id[:_LONGEST],
                "event_type": event.type,
                "request_id": str(charge.metadata.get("request_id"))[:_LONGEST],
                "transactions": [str(one.transaction_id)[:_LONGEST] for one in confirmed[:_MOST]],
                "paid": [
                    f"{one.value.local.amount} {one.value.local.currency}"[:_LONGEST] for one in confirmed[:_MOST]
                ],
            },
        )

    def _money(self, paid: _Money) -> Decimal:
        """What was paid, as far as it is of the currency that was asked for."""
        if paid.currency != self._currency:
            return Decimal(0)
        try:
            amount = Decimal(paid.amount) if len(paid.amount) <= _MOST else Decimal("NaN")
        except InvalidOperation:
            amount = Decimal("NaN")
        if not amount.is_finite() or amount < 0 or amount > 10**15:
            raise WebhookError(f"amount: found {paid.amount[:_MOST]!r}, expected a decimal number")
        return amount


def _first_seen(charge: _Charge, confirmed: Sequence[_Payment]) -> datetime | None:
    """When the last of the payments was first seen, or the charge was found to be pending."""
    detected = [one.detected_at for one in confirmed if one.detected_at is not None]
    pending = [step.time for step in charge.timeline if step.status == "PENDING"]
    found = max(detected) if len(detected) == len(confirmed) and detected else min(pending, default=None)
    if found is not None and found.tzinfo is None:
        raise WebhookError("a time without a zone")
    return found


def _check_time(created_at: datetime, now: datetime) -> None:
    if created_at.tzinfo is None or not now - MAX_WEBHOOK_AGE <= created_at <= now + _FUTURE:
        raise WebhookError(f"created_at: found {created_at}, expected the last {MAX_WEBHOOK_AGE.days} days")
