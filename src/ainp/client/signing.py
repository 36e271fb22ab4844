"""Requests signed by an agent's key (RFC 9421), for httpx clients of either kind."""

import secrets
from collections.abc import Generator
from datetime import UTC, datetime

import httpx

from ainp.client.identity import Identity
from ainp.core.http_signature import draft

_NONCE_BYTES = 16


class SignedBy(httpx.Auth):
    """Signs each request anew as it is sent, also when it is sent again: a signature counts once."""

    requires_request_body = True

    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the fields of the signature."""
        url = request.url
        target = f"{url.scheme}://{url.netloc.decode()}{url.raw_path.decode()}"
        signature = draft(
            request.method,
            target,
            request.content or None,
            key_id=self._identity.key_id,
            nonce=secrets.token_urlsafe(_NONCE_BYTES),
            now=datetime.now(UTC),
        )
        request.headers.update(signature.fields(self._identity.sign_raw(signature.base)))
        yield request
