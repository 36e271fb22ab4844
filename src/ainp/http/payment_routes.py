"""The routes of payments."""

from dataclasses import replace

from ainp.core import errors as e
from ainp.core import payment as p
from ainp.http import payments
from ainp.http.route import ACTS, Route, post, private
from ainp.wire.payments import OwnerBody, PaymentBody, PaymentChallenge, PaymentReply, WebhookReply

_PAYS = (*ACTS, e.FeatureDisabled)
_PAYMENT = "/api/payments/requests/{id}"

PAYMENT_ROUTES: tuple[Route, ...] = (
    replace(
        post(
            "/api/payments/requests",
            payments.open_request,
            PaymentChallenge,
            PaymentBody,
            "owner_did",
            *(*_PAYS, p.InvalidMethod, e.AgentNotFound, e.InsufficientCredits, p.TooManyPayments),
            p.ProviderUnavailable,
        ),
        status=201,
        asks=payments.ask,
    ),
    private(_PAYMENT, payments.get, PaymentReply, e.NotFound, e.FeatureDisabled),
    post(
        f"{_PAYMENT}/cancel",
        payments.cancel,
        PaymentReply,
        OwnerBody,
        "owner_did",
        *(*_PAYS, e.NotFound, e.InvalidState),
    ),
    replace(
        post(
            f"{_PAYMENT}/confirm",
            payments.confirm,
            PaymentReply,
            OwnerBody,
            "owner_did",
            *(*_PAYS, e.InvalidSignature, e.NotFound, p.PaymentRefused, p.ProviderUnavailable),
        ),
        asks=payments.look,
    ),
    replace(
        post(
            "/api/payments/webhooks/coinbase",
            payments.receive_coinbase,
            WebhookReply,
            None,
            None,
            *(p.WebhookError, e.FeatureDisabled),
        ),
        hook=True,
    ),
)
