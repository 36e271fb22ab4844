"""
Compat mode: who speaks is believed, so a request counts only if it came the way it must.

That is on loopback, straight from this machine's own programs; or through a proxy that shows a secret. Whoever acts is
named by the body, else by the header X-AINP-DID; behind a proxy by the header alone.
"""

import hmac
from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import urlsplit

from ainp.core.errors import Forbidden, UntrustedRequest
from ainp.http.fields import Fields
from ainp.settings import Settings

DID_HEADER = "x-ainp-did"
PROXY_HEADER = "x-ainp-proxy-secret"
_FORWARDED = frozenset({"forwarded", "via", "x-real-ip"})


def check_way(headers: Fields, settings: Settings) -> None:
    """Refuse a request that did not come the way compat mode trusts."""
    if settings.ainp_proxy_secret is not None:
        check_proxy(headers, settings.ainp_proxy_secret.get_secret_value())
    else:
        _check_loopback(headers)


def named(headers: Fields, claimed: str | None, settings: Settings) -> str | None:
    """Who is said to act: *claimed* is the DID in the body, if the body carries one."""
    header = header_did(headers)
    if settings.ainp_proxy_secret is not None:
        return _authenticated(header, claimed)
    return claimed if claimed is not None else header


def receiver(headers: Fields, claimed: str | None, settings: Settings) -> str | None:
    """Whose events a socket asks for: *claimed* is the DID in its address, if there is one."""
    return _authenticated(header_did(headers), claimed) if settings.ainp_proxy_secret is not None else claimed


def header_did(headers: Fields) -> str | None:
    """The DID in X-AINP-DID."""
    sent = headers.get(DID_HEADER)
    if sent is not None and len(set(headers.all(DID_HEADER))) > 1:
        raise Forbidden("X-AINP-DID: found twice with different values, expected one")
    return sent


def check_proxy(headers: Fields, secret: str) -> None:
    """Refuse a request that does not show the proxy's secret."""
    if not hmac.compare_digest((headers.get(PROXY_HEADER) or "").encode(), secret.encode()):
        raise UntrustedRequest("X-AINP-Proxy-Secret is missing or wrong: requests reach this broker by its proxy alone")


def _authenticated(header: str | None, claimed: str | None) -> str | None:
    if header is not None and claimed is not None and claimed != header:
        raise Forbidden(f"the request names {claimed[:100]!r}, the proxy has authenticated {header!r}")
    return header


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
