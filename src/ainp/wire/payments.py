"""Bodies of the payment routes; amounts are atomic units, as whole numbers or decimal strings in, as strings out."""

from typing import Annotated

from msgspec import Meta, Struct

from ainp.wire.stakes import Atomic
from ainp.wire.values import Did, Text


class PaymentBody(Struct):
    """What is to be paid, and how."""

    amount_atomic: Annotated[Atomic, Meta(description="atomic units, 1000 to a credit")] | None = None
    method: Annotated[str, Meta(max_length=40, description="coinbase, lightning or credits")] | None = None
    owner_did: Did | None = None
    to_did: Annotated[Did, Meta(description="method credits: whom the owner pays")] | None = None
    currency: Annotated[str, Meta(max_length=40, description="credits")] = "credits"
    description: Text | None = None
    expires_in_seconds: int | None = None


class OwnerBody(Struct):
    """Whose payment request it is."""

    owner_did: Did | None = None


class PaymentChallenge(Struct, omit_defaults=True):
    """A payment request, and how to pay it; `headers` are those of the answer."""

    request_id: str
    amount_atomic: str
    currency: str
    method: str
    status: str
    provider: str | None = None
    provider_id: str | None = None
    payment_url: str | None = None
    expires_at: str | None = None
    headers: dict[str, str] | None = None
    metadata: dict[str, str] | None = None


class PaymentReply(Struct):
    """A payment request as its owner sees it."""

    id: str
    owner_did: str
    payee_did: str | None
    amount_atomic: str
    currency: str
    method: str
    status: str
    provider: str | None
    provider_id: str | None
    provider_metadata: dict[str, str]
    payment_url: str | None
    tx_ref: str | None
    description: str | None
    expires_at: str
    created_at: str
    updated_at: str


class WebhookReply(Struct):
    """The webhook was understood; `request_id` is the payment request that it was about."""

    ok: bool
    request_id: str | None
