"""Which refusals are for the audit trail, and what it is told of the request."""

import re
from collections.abc import Mapping
from ipaddress import ip_address, ip_network

from starlette.types import Scope

from ainp.broker import Broker
from ainp.core import errors as e
from ainp.core.did import AgentDid, parse_did
from ainp.core.errors import BrokerError, InvalidDid
from ainp.core.payment import WebhookError
from ainp.core.trail import Refusal, Trace
from ainp.http.fields import Fields
from ainp.telemetry.metrics import AUDIT_LEFT_OUT, UNMATCHED, method_label

# Members of a request's scope: its route, who acts, and what a proxy says where it comes from, once they are known.
ROUTE = "ainp.route"
ACTOR = "ainp.actor"
ADDRESS = "ainp.address"
_TRACES: Mapping[type[BrokerError], Trace] = {
    e.UntrustedRequest: Trace.UNTRUSTED_REQUEST,
    e.UnauthorizedAttestation: Trace.ATTESTATION_REFUSED,
    e.SelfAttestation: Trace.ATTESTATION_REFUSED,
    e.DuplicateAttestation: Trace.ATTESTATION_REFUSED,
    e.AttestationLimit: Trace.ATTESTATION_REFUSED,
    e.ReceiptClosed: Trace.ATTESTATION_REFUSED,
    e.ReplayDetected: Trace.REPLAY,
    e.RateLimited: Trace.RATE_LIMIT,
    WebhookError: Trace.WEBHOOK_REFUSED,
    e.Unauthenticated: Trace.UNAUTHENTICATED,
    e.Forbidden: Trace.FORBIDDEN,
}
_SIGNER = re.compile(r';keyid="(did:[^"#]{1,600})')


def note(broker: Broker, error: BrokerError, scope: Scope) -> None:
    """Note a refusal that is about who asked; a task writes it down."""
    trace = next((_TRACES[base] for base in type(error).__mro__ if base in _TRACES), None)
    if trace is None:
        return
    refusal = Refusal(
        trace=trace,
        code=error.code,
        method=method_label(scope.get("method", "GET")),
        route=scope.get(ROUTE, UNMATCHED),
        named=scope.get(ACTOR) or _named(scope),
        address=address_of(scope),
    )
    if not broker.refusals.note(refusal, error.message):
        AUDIT_LEFT_OUT.of().count()


def address_of(scope: Scope) -> str | None:
    """Where a request comes from: what a proxy that has proven itself says, else the other end of the connection."""
    client = scope.get("client")
    found = scope.get(ADDRESS) or (client[0].split("%", 1)[0] if client else "")
    try:
        return str(ip_network(found)) if "/" in found else str(ip_address(found))
    except ValueError:  # a socket file
        return None


def _named(scope: Scope) -> AgentDid | None:
    """Whom the request names in its header or as its signer, if that is a DID."""
    headers = Fields(scope["headers"])
    signer = _SIGNER.search(headers.get("signature-input") or "")
    named = headers.get("x-ainp-did") or (signer and signer[1])
    try:
        return parse_did(named) if named else None
    except InvalidDid:
        return None
