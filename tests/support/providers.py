"""
Stand-ins for payment providers: servers on loopback that speak the wire formats of Coinbase Commerce and of LND's REST.

They are not these providers and take no money: a test says that an invoice was paid, and they say so then, in the words
of the real ones. What is tested against them is the broker's side of the wire.
"""

import asyncio
import base64
import hmac
import json
import secrets
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import uuid4

API_KEY, WEBHOOK_SECRET = "a key of the stand-in's", "what the stand-in signs with"
MACAROON = "0201036c6e64" + "ab" * 32
Json = Any
Respond = Callable[[str, str, Mapping[str, str], Json], tuple[int, Json]]


def as_coinbase_writes(at: datetime) -> str:
    """A time as Coinbase writes it."""
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


@dataclass
class Server:
    """One HTTP server; *broken* is what it answers instead, as raw bytes, and *slow* holds answers back."""

    respond: Respond
    port: int = 0
    asked: list[tuple[str, str, Json]] = field(default_factory=list)
    broken: bytes | None = None
    slow: asyncio.Event | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            request, *lines = head.strip().split("\r\n")
            verb, path, _ = request.split(" ")
            headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            self.asked.append((verb, path, json.loads(body) if body else None))
            if self.slow is not None:
                await self.slow.wait()
            status, answer = self.respond(verb, path, headers, self.asked[-1][2])
            content = json.dumps(answer).encode()
            raw = b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (
                status,
                len(content),
            )
            writer.write(self.broken if self.broken is not None else raw + content)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving(respond: Respond) -> AsyncIterator[Server]:
    server = Server(respond)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    async with listening:
        yield server


@dataclass
class CoinbaseStandIn:
    """Charges by their ids, and the webhooks that would be sent of them."""

    server: Server = field(init=False)
    charges: dict[str, Json] = field(default_factory=dict)
    lifetime: timedelta = timedelta(hours=1)

    def settings(self) -> dict[str, object]:
        """What a broker needs to use it."""
        return {
            "payments_enabled": True,
            "coinbase_commerce_enabled": True,
            "coinbase_commerce_api_key": API_KEY,
            "coinbase_commerce_webhook_secret": WEBHOOK_SECRET,
            "coinbase_commerce_url": self.server.url,
        }

    def respond(self, verb: str, path: str, headers: Mapping[str, str], body: Json) -> tuple[int, Json]:
        """Make a charge, as POST /charges does."""
        if headers.get("x-cc-api-key") != API_KEY:
            return 401, {"error": {"type": "authorization_error", "message": "Unauthorized"}}
        if (verb, path) != ("POST", "/charges"):
            return 404, {"error": {"type": "not_found", "message": "Not found"}}
        now, id_, code = datetime.now(UTC), str(uuid4()), secrets.token_hex(4).upper()
        charge = {
            "id": id_,
            "resource": "charge",
            "code": code,
            "name": body["name"],
            "description": body["description"],
            "hosted_url": f"https://commerce.coinbase.com/charges/{code}",
            "created_at": as_coinbase_writes(now),
            "expires_at": as_coinbase_writes(now + self.lifetime),
            "timeline": [{"time": as_coinbase_writes(now), "status": "NEW"}],
            "metadata": body["metadata"],
            "pricing_type": body["pricing_type"],
            "pricing": {"local": body["local_price"]},
            "payments": [],
        }
        self.charges[id_] = charge
        return 201, {"data": charge}

    def paid(self, id_: str, amount: str | None = None, *, currency: str = "USD", at: datetime | None = None) -> None:
        """Say that a charge was paid, by default what it asks for."""
        charge, seen = self.charges[id_], as_coinbase_writes(at or datetime.now(UTC))
        charge["payments"].append(
            {
                "network": "ethereum",
                "transaction_id": f"0x{secrets.token_hex(32)}",
                "status": "CONFIRMED",
                "detected_at": seen,
                "value": {
                    "local": {"amount": amount or charge["pricing"]["local"]["amount"], "currency": currency},
                    "crypto": {"amount": "0.1", "currency": "ETH"},
                },
            }
        )
        charge["timeline"].append({"time": seen, "status": "PENDING"})

    def webhook(self, id_: str, kind: str = "charge:confirmed", *, at: datetime | None = None) -> bytes:
        """The webhook of a charge as it is."""
        event = {
            "id": str(uuid4()),
            "resource": "event",
            "type": kind,
            "api_version": "2018-03-22",
            "created_at": as_coinbase_writes(at or datetime.now(UTC)),
            "data": self.charges[id_],
        }
        return json.dumps({"id": 1, "scheduled_for": as_coinbase_writes(datetime.now(UTC)), "event": event}).encode()


def signature(raw: bytes, secret: str = WEBHOOK_SECRET) -> dict[str, str]:
    """The header fields that a webhook is sent with."""
    made = hmac.new(secret.encode(), raw, sha256).hexdigest()
    return {"content-type": "application/json", "x-cc-webhook-signature": made}


@dataclass
class LightningStandIn:
    """Invoices by the hex of their hashes."""

    server: Server = field(init=False)
    invoices: dict[str, Json] = field(default_factory=dict)
    preimages: dict[str, bytes] = field(default_factory=dict)

    def settings(self) -> dict[str, object]:
        """What a broker needs to use it."""
        return {
            "payments_enabled": True,
            "lightning_enabled": True,
            "lightning_node_url": self.server.url,
            "lightning_macaroon": MACAROON,
        }

    def respond(self, verb: str, path: str, headers: Mapping[str, str], body: Json) -> tuple[int, Json]:
        """Make an invoice, or say how one is."""
        if headers.get("grpc-metadata-macaroon") != MACAROON:
            return 500, {"code": 2, "message": "verification failed: signature mismatch after caveat verification"}
        if (verb, path) == ("POST", "/v1/invoices"):
            return 200, self._add(body)
        found = self.invoices.get(path.removeprefix("/v1/invoice/"))
        return (200, found) if found is not None else (404, {"code": 5, "message": "unable to locate invoice"})

    def _add(self, body: Json) -> Json:
        preimage = secrets.token_bytes(32)
        digest = sha256(preimage).digest()
        self.preimages[digest.hex()] = preimage
        made = {
            "r_hash": base64.b64encode(digest).decode(),
            "payment_request": f"lnbcrt{body['value']}n1p{secrets.token_hex(40)}",
            "add_index": str(len(self.invoices) + 1),
        }
        self.invoices[digest.hex()] = {
            **made,
            "memo": body["memo"],
            "value": body["value"],
            "state": "OPEN",
            "settled": False,
            "settle_date": "0",
            "amt_paid_msat": "0",
            "r_preimage": "",
            "expiry": body["expiry"],
        }
        return made

    def paid(self, reference: str, *, msats: int | None = None, at: datetime | None = None) -> str:
        """Say that an invoice was paid, by default what it asks for; the preimage that the payer has got."""
        invoice = self.invoices[reference]
        invoice |= {
            "state": "SETTLED",
            "settled": True,
            "settle_date": str(int((at or datetime.now(UTC)).timestamp())),
            "amt_paid_msat": str(int(invoice["value"]) * 1000 if msats is None else msats),
            "r_preimage": base64.b64encode(self.preimages[reference]).decode(),
        }
        return self.preimages[reference].hex()


@contextmanager
def a_coinbase_beside() -> Iterator[CoinbaseStandIn]:
    """The same for tests that are not asynchronous, in a thread."""
    started: Future[CoinbaseStandIn] = Future()
    ended = threading.Event()

    async def run() -> None:
        async with a_coinbase() as stand_in:
            started.set_result(stand_in)
            while not ended.is_set():  # noqa: ASYNC110 - of another thread
                await asyncio.sleep(0.05)

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    try:
        yield started.result(timeout=10)
    finally:
        ended.set()
        thread.join()


@asynccontextmanager
async def a_coinbase() -> AsyncIterator[CoinbaseStandIn]:
    stand_in = CoinbaseStandIn()
    async with serving(stand_in.respond) as stand_in.server:
        yield stand_in


@asynccontextmanager
async def a_node() -> AsyncIterator[LightningStandIn]:
    stand_in = LightningStandIn()
    async with serving(stand_in.respond) as stand_in.server:
        yield stand_in
