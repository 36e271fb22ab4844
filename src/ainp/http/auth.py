"""
Who is speaking.

In compat mode that is whoever the request names; in strict mode the one who has signed it, or shows an administrator's
token. What each mode asks of a request stands in `compat` and `strict`; here is what a route asks.
"""

import hmac
from collections.abc import Sequence

from pydantic import SecretStr

from ainp.core.did import AgentDid, parse_did
from ainp.core.errors import Forbidden, Unauthenticated
from ainp.core.http_signature import Message
from ainp.http import compat, strict
from ainp.http.call import WRITES, Call
from ainp.http.fields import Fields
from ainp.http.refusals import ACTOR
from ainp.settings import Settings
from ainp.store.once import Once

METRICS = "/metrics"
UNSIGNED = (
    "Missing proof of identity: AUTH_MODE=strict takes signed requests (RFC 9421); the SDK and `ainp call` sign them,"
    " docs/authentication.md says how"
)


def check_way(path: str, headers: Fields, settings: Settings, bases: Sequence[str]) -> None:
    """
    Refuse a request that did not come the way it must.

    A probe may come from anywhere, as it is told nothing; so may a scrape that has to show a token, which is less than
    the proxy's secret: with that one could act as anybody.
    """
    open_to_all = path.lower()
    if open_to_all.startswith("/health") or (open_to_all == METRICS and settings.metrics_token is not None):
        return
    check_origin(headers, settings, bases)


def check_origin(headers: Fields, settings: Settings, bases: Sequence[str]) -> None:
    """Refuse a request that comes from where none should."""
    if settings.strict:
        strict.check_way(headers, bases)
    else:
        compat.check_way(headers, settings)


async def prove(call: Call, message: Message, *, new: bool) -> None:
    """Note who has signed a request, if it is signed; what it writes then uses the signature's nonce."""
    if strict.signed(call.headers):
        call.proof = await strict.prove(message, call.db, call.broker.keys, new=new)
        if call.method in WRITES:
            call.db = Once(call.broker.database, call.proof.nonce)


def act(call: Call, claimed: str | None, *, signed_body: bool = False) -> None:
    """
    Note who acts, or refuse that nobody does: *claimed* is the DID in the body, if the body carries one.

    A *signed_body* proves itself who says it: the operation verifies its signature, by the key of the DID it names.
    Until then it proves nothing, also not that its speaker is alive.
    """
    if not call.broker.settings.strict:
        named = compat.named(call.headers, claimed, call.broker.settings)
        if named is None:
            raise Unauthenticated("Missing DID: name the acting agent in the header X-AINP-DID")
    elif call.proof is not None:
        strict.check_claims(call.proof.did, call.headers, claimed)
        named = call.proof.did
    elif signed_body and claimed is not None:
        strict.check_claims(claimed, call.headers, None)
        named = claimed
    else:
        raise Unauthenticated(UNSIGNED)
    call.actor = call.scope[ACTOR] = parse_did(named)
    call.alive = call.proof is not None or not signed_body


def notice(call: Call) -> None:
    """Note that who acts is alive; once it is done, as anybody can send again what was captured, and is refused."""
    if call.alive:
        call.broker.notice(call.by)


def read_as(call: Call) -> None:
    """Note who reads what is not for everybody: in strict mode its owner, or an administrator; else anybody."""
    if not call.broker.settings.strict or is_admin(call):
        return
    if call.proof is None:
        raise Unauthenticated(UNSIGNED)
    strict.check_claims(call.proof.did, call.headers, None)
    call.reader = call.proof.did


def receiver_of(headers: Fields, claimed: str | None, settings: Settings) -> AgentDid:
    """Whose events a socket is for: *claimed* is the DID in its address, if there is one."""
    named = claimed if settings.strict else compat.receiver(headers, claimed, settings)
    if not named:
        raise Unauthenticated("Missing DID parameter")
    return parse_did(named)


def require_admin(call: Call) -> None:
    """Refuse whoever does not show the admin token."""
    if not is_admin(call):
        raise Forbidden("an administrator's token is needed: Authorization: Bearer <ADMIN_TOKEN>")


def is_admin(call: Call) -> bool:
    """Whether the request shows the admin token."""
    token = call.broker.settings.admin_token
    return token is not None and _shows(call, token)


def require_metrics_token(call: Call) -> None:
    """Refuse whoever does not show the token of METRICS_TOKEN, if there is one."""
    token = call.broker.settings.metrics_token
    if token is not None and not _shows(call, token):
        raise Unauthenticated("a token is needed: Authorization: Bearer <METRICS_TOKEN>")


def _shows(call: Call, token: SecretStr) -> bool:
    shown = call.headers.get("authorization") or ""
    return hmac.compare_digest(shown.encode(), f"Bearer {token.get_secret_value()}".encode())
