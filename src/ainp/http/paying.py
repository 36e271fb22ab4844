"""How to pay, said in header fields (RFC 9110, RFC 8288, L402): in a challenge, and to whoever has too little."""

from datetime import timedelta

from starlette.responses import Response
from starlette.types import Scope

from ainp.broker import Broker
from ainp.core.errors import BrokerError, InsufficientCredits
from ainp.core.payment import Method, PaymentRequest
from ainp.http import problems
from ainp.http.refusals import ACTOR
from ainp.operations import payments
from ainp.operations.payments import Wanted
from ainp.wire.values import iso

_AUTHENTICATE, _LINK = "WWW-Authenticate", "Link"


def challenge(request: PaymentRequest) -> list[tuple[str, str]]:
    """The header fields of an answer that asks for a payment."""
    said = [(_AUTHENTICATE, f'AINP-Pay realm="ainp", request_id="{request.id}", method="{request.method}"')]
    if request.invoice is not None:
        if request.method is Method.LIGHTNING:
            token, invoice = (request.invoice.metadata.get(name, "") for name in ("macaroon", "invoice"))
            said.append((_AUTHENTICATE, f'L402 macaroon="{token}", invoice="{invoice}"'))
        said.append((_LINK, f'<{request.invoice.url}>; rel="payment"'))
    return said


def lines(request: PaymentRequest) -> list[tuple[bytes, bytes]]:
    """The same as they are sent."""
    return [(name.lower().encode(), value.encode()) for name, value in challenge(request)]


async def answer(broker: Broker, error: BrokerError, scope: Scope) -> Response:
    """The answer to a refusal; where too little is there and payments are on, with what would help."""
    offered = await _offered(broker, error, scope) if isinstance(error, InsufficientCredits) else []
    response = problems.answer(error)
    response.raw_headers.extend(offered)
    return response


async def _offered(broker: Broker, error: InsufficientCredits, scope: Scope) -> list[tuple[bytes, bytes]]:
    """
    How to pay what is missing, where that is up to the one who was refused.

    A provider that does not answer changes nothing: too little is too little.
    """
    owner, method = scope.get(ACTOR), None if broker.providers is None else broker.providers.usual
    if broker.providers is None or method is None or owner is None or error.of != owner:
        return []
    time = timedelta(seconds=broker.settings.payments_expire_seconds)
    wanted = Wanted(owner=owner, amount=error.missing, method=method, time=time)
    try:
        request = (await payments.offer(broker.database, wanted, broker.providers)).request
    except BrokerError:
        return []
    error.facts |= {
        "request_id": str(request.id),
        "amount_atomic": str(request.amount),
        "method": request.method,
        "provider": request.method,
        "payment_url": None if request.invoice is None else request.invoice.url,
        "expires_at": iso(request.expires_at),
    }
    return lines(request)
