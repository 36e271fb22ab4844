"""
Lightning: invoices of an LND node, and L402 (https://github.com/lightninglabs/L402) to say that one was paid.

The node is asked whether an invoice is settled, and for how much. A preimage shows that its holder has paid, so a
client may show one to be believed at once; without the node's word it moves nothing.
"""

import base64
import binascii
import hmac
import re
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Literal
from uuid import UUID

from msgspec import Struct

from ainp.adapters.payments.calls import Calls
from ainp.core.errors import InvalidSignature
from ainp.core.payment import Invoice, Method, Notice, PaymentRequest, ProviderUnavailable

_HASH_BYTES = 32
_VERSION = b"\0\0"
_TOKEN_BYTES = len(_VERSION) + _HASH_BYTES + 16 + _HASH_BYTES
_INVOICE = re.compile(r"ln[a-z0-9]{1,4000}")  # BOLT 11
_MSATS = 1000
_LATEST_S = 2**37
_MOST_MSATS = 21 * 10**17  # there are no more
_SAFE_S = 30  # before a request ends the node takes no payment any more, so that none comes late


class _Added(Struct):
    r_hash: str
    payment_request: str


class _Looked(Struct):
    state: Literal["OPEN", "SETTLED", "CANCELED", "ACCEPTED"]
    r_preimage: str = ""
    amt_paid_msat: str = "0"
    settle_date: str = "0"


class Lightning:
    """The invoices of the node at *url*, in satoshis, of which each buys *atomic_per_sat* atomic units."""

    def __init__(self, *, url: str, macaroon: str, atomic_per_sat: int, ca_file: Path | None = None) -> None:
        headers = {"Grpc-Metadata-macaroon": macaroon}
        self._calls = Calls(Method.LIGHTNING, url, headers=headers, ca_file=ca_file)
        self._key = hmac.digest(macaroon.encode(), b"AINP L402", "sha256")
        self._atomic_per_sat = atomic_per_sat

    async def open(self, request: PaymentRequest) -> Invoice:
        """Have the node make an invoice of a request."""
        sats = -(-request.amount // self._atomic_per_sat)
        left = max(1, int((request.expires_at - datetime.now(UTC)).total_seconds()) - _SAFE_S)
        body = {"value": str(sats), "memo": request.description or "AINP credits", "expiry": str(left)}
        added = await self._calls.call("POST", "/v1/invoices", _Added, body)
        digest = _bytes(added.r_hash)
        if digest is None or not _INVOICE.fullmatch(added.payment_request):
            raise ProviderUnavailable("lightning: an answer without an invoice; try again")
        token = self._token(digest, request.id)
        metadata = {"invoice": added.payment_request, "macaroon": token, "price": f"{sats} sat"}
        return Invoice(digest.hex(), f"lightning:{added.payment_request}", metadata=metadata)

    async def look(self, request: PaymentRequest) -> Notice | None:
        """What the node says of a request's invoice; None if it waits."""
        assert request.invoice is not None
        reference = request.invoice.reference
        found = await self._calls.call("GET", f"/v1/invoice/{reference}", _Looked)
        if found.state not in ("SETTLED", "CANCELED"):
            return None
        preimage, paid = _bytes(found.r_preimage), found.state == "SETTLED"
        if paid and (preimage is None or sha256(preimage).hexdigest() != reference):
            raise ProviderUnavailable("lightning: a settled invoice without its preimage; try again")
        return Notice(
            method=Method.LIGHTNING,
            reference=reference,
            tx_ref=reference,
            paid=paid,
            amount=_number(found.amt_paid_msat, _MOST_MSATS) // _MSATS * self._atomic_per_sat,
            seen_at=datetime.fromtimestamp(_number(found.settle_date, _LATEST_S), UTC),
            facts={"amt_paid_msat": found.amt_paid_msat[:20]},
        )

    def check_credentials(self, shown: str, request: PaymentRequest) -> None:
        """Refuse what a client shows as L402 (`<macaroon>:<preimage>`) if it is not of this request and its payment."""
        token, _, preimage = shown.partition(":")
        assert request.invoice is not None
        digest = bytes.fromhex(request.invoice.reference)
        expected = self._token(digest, request.id)
        try:
            paid = sha256(bytes.fromhex(preimage)).digest()
        except ValueError:
            paid = b""
        if not (hmac.compare_digest(token.encode(), expected.encode()) and hmac.compare_digest(paid, digest)):
            raise InvalidSignature(
                "Authorization: the L402 is not of this payment request, or its preimage is another's"
            )

    def _token(self, digest: bytes, request: UUID) -> str:
        """The macaroon: what it is for, and that we have made it. To a client it is just a text."""
        said = _VERSION + digest + request.bytes
        token = base64.b64encode(said + hmac.digest(self._key, said, "sha256")).decode()
        assert len(base64.b64decode(token)) == _TOKEN_BYTES
        return token


def _bytes(text: str) -> bytes | None:
    try:
        found = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return found if len(found) == _HASH_BYTES else None


def _number(text: str, most: int) -> int:
    """A whole number as LND's JSON has it, in a string."""
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(most)) and int(text) <= most):
        raise ProviderUnavailable(f"lightning: found the number {text[:20]!r}; try again")
    return int(text)
