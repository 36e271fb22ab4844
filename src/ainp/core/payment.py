"""
Payments: how credits come in for money, and how an agent pays another with those it has.

created → pending → paid; expired, failed or cancelled instead. Money that was seen in time counts whatever the request
became meanwhile, and once; money that came late, or is less than was asked for, is never credited by itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from ainp.core import ledger
from ainp.core.did import AgentDid
from ainp.core.errors import Conflict, Forbidden, InvalidRequest, InvalidState, Unavailable
from ainp.core.events import Event
from ainp.core.ledger import Entry
from ainp.core.limits import MAX_DEPOSIT
from ainp.core.moments import unix_ms
from ainp.core.payment_limits import MAX_PAYMENT_DESCRIPTION, MAX_PAYMENT_TIME

CURRENCY = "credits"
_SHORTEST = timedelta(minutes=1)


class InvalidMethod(InvalidRequest):
    """The payment can't be made this way: nobody knows the method, or it is not set up here."""

    code = "INVALID_METHOD"


class WebhookError(InvalidRequest):
    """The provider's message does not verify, or what it says can't be credited."""

    code = "WEBHOOK_ERROR"


class PaymentRefused(InvalidRequest):
    """The money is not what was asked for, or came too late; an operator has it on record."""

    code = "PAYMENT_REFUSED"


class TooManyPayments(Conflict):
    """The agent has as many open payment requests as it may have."""

    code = "TOO_MANY_PAYMENTS"


class ProviderUnavailable(Unavailable):
    """The payment provider does not answer, or not as it should."""

    code = "PROVIDER_UNAVAILABLE"


class PaymentState(StrEnum):
    """Where a request is in its life."""

    CREATED = "created"  # the provider is being asked
    PENDING = "pending"  # it has an invoice that can be paid
    PAID = "paid"
    EXPIRED = "expired"
    FAILED = "failed"
    CANCELLED = "cancelled"


OPEN = frozenset({PaymentState.CREATED, PaymentState.PENDING})


class Method(StrEnum):
    """How a request is paid."""

    CREDITS = "credits"
    COINBASE = "coinbase"
    LIGHTNING = "lightning"
    USDC = "usdc"


@dataclass(frozen=True, slots=True)
class Invoice:
    """What a provider has made of a request; *reference* is its own name for it."""

    reference: str
    url: str
    expires_at: datetime | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """
    What a provider says, verified, of the invoice *reference*: paid *amount* atomic units, or that it never will be.

    *tx_ref* is the provider's name for the payment, which counts once; *seen_at* is when it saw the money.
    """

    method: Method
    reference: str
    tx_ref: str
    paid: bool
    amount: int
    seen_at: datetime
    facts: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRequest:
    """A request to pay *amount* atomic units: to the owner's own account, or with its credits to *payee*."""

    id: UUID
    owner: AgentDid
    amount: int
    method: Method
    expires_at: datetime
    state: PaymentState = PaymentState.CREATED
    payee: AgentDid | None = None
    description: str | None = None
    invoice: Invoice | None = None
    paid_by: str | None = None  # the tx_ref

    @property
    def open(self) -> bool:
        """Whether it waits for something."""
        return self.state in OPEN

    def opened(self, invoice: Invoice) -> "PaymentRequest":
        """A provider has made an invoice of it, and ends it where it says when."""
        self._expect(PaymentState.CREATED)
        ends = invoice.expires_at or self.expires_at
        return replace(self, state=PaymentState.PENDING, invoice=invoice, expires_at=ends)

    def failed(self) -> "PaymentRequest":
        """It can't be paid."""
        self._expect(*OPEN)
        return replace(self, state=PaymentState.FAILED)

    def expired(self, now: datetime) -> "PaymentRequest":
        """Its time is over."""
        self._expect(*OPEN)
        if now < self.expires_at:
            raise InvalidState(f"the payment request ends at {self.expires_at}, now is {now}")
        return replace(self, state=PaymentState.EXPIRED)

    def cancelled(self, by: AgentDid) -> "PaymentRequest":
        """Its owner does not want it any more."""
        if by != self.owner:
            raise Forbidden(f"only {self.owner} may cancel this payment request")
        self._expect(*OPEN)
        return replace(self, state=PaymentState.CANCELLED)

    def settled_by(self, notice: Notice) -> "PaymentRequest":
        """What a verified *notice* makes of it: the same, if it was paid, or can't be worse than it is."""
        if self.state is PaymentState.PAID:
            return self
        if self.invoice is None or (self.method, self.invoice.reference) != (notice.method, notice.reference):
            raise PaymentRefused(f"the notice is of {notice.reference[:100]!r}, not of this payment request")
        if not notice.paid:
            return self.failed() if self.open else self
        if notice.amount < self.amount:
            raise PaymentRefused(f"found {notice.amount} atomic units, expected {self.amount}")
        if notice.seen_at > self.expires_at:
            raise PaymentRefused(f"paid at {notice.seen_at}, the payment request ended at {self.expires_at}")
        return replace(self, state=PaymentState.PAID, paid_by=notice.tx_ref)

    def transferred(self) -> "PaymentRequest":
        """Its owner's credits have gone to the payee."""
        self._expect(PaymentState.CREATED)
        assert self.payee is not None
        return replace(self, state=PaymentState.PAID, paid_by=str(self.id))

    @property
    def entries(self) -> tuple[Entry, ...]:
        """What it moves once it is paid."""
        return ledger.payment(self.owner, self.payee, self.amount, self.id, method=self.method)

    def event(self, now: datetime) -> Event:
        """Tell the owner, and who is paid, what has become of it."""
        body = {
            "@type": "NOTIFICATION",
            "type": "payment_event",
            "event": self.state,
            "request_id": str(self.id),
            "owner_did": self.owner,
            "payee_did": self.payee,
            "amount_atomic": str(self.amount),
            "method": self.method,
            "timestamp": unix_ms(now),
        }
        recipients = (self.owner,) if self.payee is None else (self.owner, self.payee)
        return Event(f"payment.{self.state}", recipients, body)

    def _expect(self, *states: PaymentState) -> None:
        if self.state not in states:
            raise InvalidState(f"the payment request is {self.state}, expected {' or '.join(sorted(states))}")


def check_amount(amount: int) -> int:
    """Refuse an amount that nobody can mean."""
    if not 1 <= amount <= MAX_DEPOSIT:
        raise InvalidRequest(
            f"amount_atomic: found {amount}, expected 1 to {MAX_DEPOSIT} atomic units", field="amount_atomic"
        )
    return amount


def check_payee(owner: AgentDid, method: Method, payee: AgentDid | None) -> None:
    """Credits buy no credits: they go to somebody else, and nothing else does."""
    if method is Method.CREDITS and payee is None:
        raise InvalidMethod("method: `credits` pays another agent with credits that you have: name it in to_did")
    if method is not Method.CREDITS and payee is not None:
        raise InvalidMethod(f"to_did: `{method}` buys credits for your own account, expected the method credits")
    if payee == owner:
        raise InvalidRequest("to_did: found your own DID, expected another agent's", field="to_did")


def check_time(seconds: int) -> timedelta:
    """Refuse a time to pay in which nobody can, or that outlives its price."""
    time = timedelta(seconds=seconds) if abs(seconds) < MAX_DEPOSIT // 10**4 else MAX_PAYMENT_TIME * 2
    if not _SHORTEST <= time <= MAX_PAYMENT_TIME:
        raise InvalidRequest(
            f"expires_in_seconds: found {seconds}, expected {_SHORTEST.seconds} to"
            f" {int(MAX_PAYMENT_TIME.total_seconds())}",
            field="expires_in_seconds",
        )
    return time


def check_description(text: str | None) -> str | None:
    """Refuse a description that no provider takes."""
    if text is not None and len(text) > MAX_PAYMENT_DESCRIPTION:
        raise InvalidRequest(
            f"description: found {len(text)} characters, expected at most {MAX_PAYMENT_DESCRIPTION}",
            field="description",
        )
    return text


def method_of(name: str) -> Method:
    """The method of this name."""
    try:
        return Method(name)
    except ValueError as error:
        raise InvalidMethod(f"method: found {name[:40]!r}, expected one of {', '.join(Method)}") from error
