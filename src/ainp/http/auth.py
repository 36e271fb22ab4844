"""
Who is speaking.

In compat mode nothing is proven, so a request counts only if it came the way it must: on loopback, straight from this
machine's own programs; or through a proxy that shows a secret. Whoever acts is named by the body, else by the header
X-AINP-DID; behind a proxy by the header alone. Strict mode, where the acting DID is the one that signed, will be
another function beside `_compat_guard` and another branch of `actor`.
"""

import hmac
from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import urlsplit

from pydantic import SecretStr

from ainp.core.did import AgentDid, parse_did
from ainp.core.errors import Forbidden, Unauthenticated, UntrustedRequest
from ainp.http.call import Call
from ainp.http.fields import Fields
from ainp.settings import Settings

METRICS = "/metrics"
DID_HEADER = "x-ainp-did"
PROXY_HEADER = "x-ainp-proxy-secret"
_FORWARDED = frozenset({"forwarded", "via", "x-real-ip"})


def check_way(path: str, headers: Fields, settings: Settings) -> None:
    """
    Refuse a request that did not come the way it must.

    A probe may come from anywhere, as it is told nothing; so may a scrape that has to show a token, which is less than
    the proxy's secret: with that one could act as anybody.
    """
    open_to_all = path.lower()
    if open_to_all.startswith("/health") or (open_to_all == METRICS and settings.metrics_token is not None):
        return
    check_origin(headers, settings)


def check_origin(headers: Fields, settings: Settings) -> None:
    """Refuse a request that did not come the way compat mode trusts."""
    if settings.ainp_proxy_secret is not None:
        _check_proxy(headers, settings.ainp_proxy_secret.get_secret_value())
    else:
        _check_loopback(headers)


def actor(call: Call, claimed: str | None) -> AgentDid:
    """Who acts: *claimed* is the DID in the body, if the body carries one."""
    header = _header_did(call.headers)
    if call.broker.settings.ainp_proxy_secret is not None:
        named = _authenticated(header, claimed)
    else:
        named = claimed if claimed is not None else header
    if named is None:
        raise Unauthenticated("Missing DID: name the acting agent in the header X-AINP-DID")
    did = parse_did(named)
    call.broker.notice(did)
    return did


def receiver_of(headers: Fields, claimed: str | None, settings: Settings) -> AgentDid:
    """Whose events a socket may be told: *claimed* is the DID in its address, if there is one."""
    proxied = settings.ainp_proxy_secret is not None
    named = _authenticated(_header_did(headers), claimed) if proxied else claimed
    if not named:
        raise Unauthenticated("Missing DID parameter")
    return parse_did(named)


def require_admin(call: Call) -> None:
    """Refuse whoever does not show the admin token."""
    token = call.broker.settings.admin_token
    if token is None or not _shows(call, token):
        raise Forbidden("an administrator's token is needed: Authorization: Bearer <ADMIN_TOKEN>")


def require_metrics_token(call: Call) -> None:
    """Refuse whoever does not show the token of METRICS_TOKEN, if there is one."""
    token = call.broker.settings.metrics_token
    if token is not None and not _shows(call, token):
        raise Unauthenticated("a token is needed: Authorization: Bearer <METRICS_TOKEN>")


def _shows(call: Call, token: SecretStr) -> bool:
    shown = call.headers.get("authorization") or ""
    return hmac.compare_digest(shown.encode(), f"Bearer {token.get_secret_value()}".encode())


def _authenticated(header: str | None, claimed: str | None) -> str | None:
    if header is not None and claimed is not None and claimed != header:
        raise Forbidden(f"the request names {claimed[:100]!r}, the proxy has authenticated {header!r}")
    return header


def _header_did(headers: Fields) -> str | None:
    sent = headers.all(DID_HEADER)
    if len(set(sent)) > 1:
        raise Forbidden("X-AINP-DID: found twice with different values, expected one")
    return sent[0] if sent else None


def _check_proxy(headers: Fields, secret: str) -> None:
    if not hmac.compare_digest((headers.get(PROXY_HEADER) or "").encode(), secret.encode()):
        raise UntrustedRequest("X-AINP-Proxy-Secret is missing or wrong: requests reach this broker by its proxy alone")


def _check_loopback(headers: Fields) -> None:
    for name in headers:
        if name in _FORWARDED or name.startswith("x-forwarded-"):
            raise UntrustedRequest(f"AUTH_MODE=compat takes no forwarded requests, found the header {name[:100]!r}")
    hosts = headers.all("host")
    if len(hosts) != 1 or not _is_loopback(hosts[0]):
        raise UntrustedRequest(f"AUTH_MODE=compat answers loopback only, found Host {', '.join(hosts)[:100]!r}")
    origin = headers.get("origin")
    if origin is not None and not _same_origin(origin, hosts[0]):
        raise UntrustedRequest(f"AUTH_MODE=compat takes no requests of web pages, found Origin {origin[:100]!r}")


def _same_origin(origin: str, host: str) -> bool:
    try:
        return urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:
        return False


@lru_cache(maxsize=64)  # it is nearly always the same, and takes 10 µs to be read
def _is_loopback(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    if name == "localhost":
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
