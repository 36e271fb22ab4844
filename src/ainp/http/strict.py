"""
Strict mode: who speaks has proven it, by a signature over the request (RFC 9421).

What the signature must cover is in `core/http_signature`. Here: which addresses a request can rightly have been sent
to, whose key it is, and that nothing else in the request says otherwise.
"""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import urlsplit

from ainp.core import http_signature
from ainp.core.did import AgentDid
from ainp.core.errors import Forbidden, UntrustedRequest
from ainp.core.http_signature import Message
from ainp.core.keys import VerificationKey
from ainp.http.compat import header_did
from ainp.http.fields import Fields
from ainp.operations.keys import Keys
from ainp.settings import Settings
from ainp.store.db import Session
from ainp.store.nonces import Nonce, nonce_of


class Proof(NamedTuple):
    """Who has signed a request, with which key; its nonce counts once."""

    did: AgentDid
    key: VerificationKey
    nonce: Nonce


def check_way(headers: Fields, bases: Sequence[str]) -> None:
    """Refuse what a web page of another origin sends, and header fields that a proxy could take for ours."""
    origin = headers.get("origin")
    if origin is not None and origin.lower() not in {_origin(base) for base in bases}:
        raise UntrustedRequest(f"requests of web pages from {origin[:100]!r} are not taken")
    for name in headers:
        if "_" in name and name.replace("_", "-").startswith("x-ainp-"):
            raise UntrustedRequest(f"found the header {name[:100]!r}, expected {name.replace('_', '-')[:100]!r}")


def signed(headers: Fields) -> bool:
    """Whether a request says that it is signed."""
    return headers.get("signature-input") is not None or headers.get("signature") is not None


async def prove(message: Message, db: Session, keys: Keys, *, new: bool) -> Proof:
    """Verify a request's signature; *new* if its signer may be one that is not registered yet."""
    found = http_signature.read(message, now=await db.clock())
    key = await keys.of(db, found.signer, key_id=found.key_id, new=new)
    http_signature.verify(message, found, key=key.raw)
    return Proof(found.signer, key, nonce_of(found.signer, found.nonce, until=found.void_from))


def check_claims(signer: str, headers: Fields, claimed: str | None) -> None:
    """Refuse a request that names somebody else than its *signer*."""
    for named, where in ((header_did(headers), "X-AINP-DID"), (claimed, "the body")):
        if named is not None and named != signer:
            raise Forbidden(f"{where} names {named[:100]!r}, the request was signed by {signer[:100]!r}")


def bases_of(settings: Settings, *, port: int) -> tuple[str, ...]:
    """
    The addresses under which this broker is reached, without a slash at the end.

    PUBLIC_BASE_URL where it is set; else the one that it listens on, by all of its names if that is loopback.
    """
    if settings.public_base_url is not None:
        return (settings.public_base_url,)
    scheme = "http" if settings.ainp_tls_cert is None else "https"
    if settings.on_loopback:
        return tuple(f"{scheme}://{host}:{port}" for host in ("127.0.0.1", "localhost", "[::1]"))
    host = settings.host.strip("[]")
    return (f"{scheme}://{f'[{host}]' if _is_v6(host) else host}:{port}",)


def targets_of(bases: tuple[str, ...], path: bytes, query: bytes, *, host: str | None) -> list[str]:
    """
    The absolute URIs that a request can have been meant for.

    The Host header only chooses the one to begin with: it can add none.
    """
    tail = path.decode("latin-1") + (f"?{query.decode('latin-1')}" if query else "")
    return [base + tail for base in _likely_first(bases, host)]


@lru_cache(maxsize=16)
def _likely_first(bases: tuple[str, ...], host: str | None) -> tuple[str, ...]:
    return tuple(sorted(bases, key=lambda base: not base.endswith(f"//{host}")))


def _origin(base: str) -> str:
    parts = urlsplit(base)
    return f"{parts.scheme}://{parts.netloc}".lower()


def _is_v6(host: str) -> bool:
    try:
        return ip_address(host).version == 6  # noqa: PLR2004 - the address family
    except ValueError:
        return False
