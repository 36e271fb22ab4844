"""What attacks are aimed at: a broker in strict mode on a real port, where agents have something to lose."""

import asyncio
import base64
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from ainp.client.identity import Identity
from ainp.core.audit import Finding
from ainp.core.http_signature import USUAL, draft
from ainp.operations import fsck
from support.providers import a_coinbase
from support.signing import SignedApi, a_strict_broker, committee_of, identity
from support.socket import Answer, Raw
from support.world import LOOK

ALICE, BOB, CAROL = identity("alice"), identity("bob"), identity("carol")
AUDITORS = tuple(identity(f"auditor {n}") for n in range(5))
NONCES = "used_nonces"
Lines = tuple[tuple[str, str], ...]


_BY_ITSELF = {"broker_nodes"}  # a process says every few seconds that it is there


@dataclass(frozen=True)
class Sent:
    """A request, byte for byte."""

    method: str
    path: str
    body: bytes
    lines: Lines

    @property
    def raw(self) -> bytes:
        """As it goes over the wire."""
        length = [("Content-Length", str(len(self.body)))] if self.body or self.method == "POST" else []
        head = [f"{self.method} {self.path} HTTP/1.1", *(f"{name}: {value}" for name, value in (*self.lines, *length))]
        return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + self.body

    def get(self, name: str) -> str:
        """A field's value."""
        return next(value for given, value in self.lines if given.lower() == name.lower())

    def put(self, name: str, value: str | None) -> "Sent":
        """The same with another value in a field, a field more, or, for None, one less."""
        kept = tuple(line for line in self.lines if line[0].lower() != name.lower())
        return replace(self, lines=kept if value is None else (*kept, (name, value)))

    def add(self, name: str, value: str) -> "Sent":
        """The same with one more line, whatever is there."""
        return replace(self, lines=(*self.lines, (name, value)))

    def but(self, **changes: Any) -> "Sent":  # noqa: ANN401 - the fields of this class
        """The same with another method, path or body, and nothing signed anew."""
        return replace(self, **changes)


def signed(  # noqa: PLR0913 - what there is in a signature
    by: Identity,
    method: str,
    target: str,
    body: bytes = b"",
    *,
    key_id: str | None = None,
    at: datetime | None = None,
    lasts: timedelta = USUAL,
    parameters: tuple[tuple[str, str], ...] = (),
) -> Sent:
    """
    Sign a request to the absolute URI *target*.

    *parameters* are replacements in what is signed, so that it is a signature, but another than the broker wants.
    """
    nonce, now = secrets.token_urlsafe(16), at or datetime.now(UTC)
    made = draft(method, target, body or None, key_id=key_id or by.key_id, nonce=nonce, now=now)
    base, given = made.base.decode(), made.parameters
    expires = int(now.timestamp()) + int(USUAL.total_seconds())
    lasting = (f"expires={expires}", f"expires={int(now.timestamp()) + int(lasts.total_seconds())}")
    for old, new in (lasting, *parameters):
        assert old in given, f"{old} is not in {given}"
        base, given = base.replace(given, given.replace(old, new)), given.replace(old, new)
    signature = by.sign_raw(base.encode("latin-1"))
    return _sent(method, target, body, replace(made, parameters=given).fields(signature))


def signed_over(by: Identity, method: str, target: str, body: bytes, components: Mapping[str, str], rest: str) -> Sent:
    """Sign whatever *components* say, in the form of RFC 9421, with the parameters *rest*."""
    given = f"({' '.join(components)}){rest}"
    base = "".join(f"{name}: {value}\n" for name, value in components.items()) + f'"@signature-params": {given}'
    signature = base64.b64encode(by.sign_raw(base.encode())).decode()
    return _sent(method, target, body, {"Signature-Input": f"ainp={given}", "Signature": f"ainp=:{signature}:"})


def _sent(method: str, target: str, body: bytes, fields: Mapping[str, str]) -> Sent:
    scheme, _, rest = target.partition("://")
    host, slash, path = rest.partition("/")
    assert scheme
    kind = (("Content-Type", "application/json"),) if body else ()
    return Sent(method, slash + path, body, (("Host", host), ("Connection", "close"), *kind, *fields.items()))


@dataclass
class Target:
    """The broker, and what is there to be taken: an open negotiation, a receipt, money."""

    api: SignedApi
    raw: Raw
    opened: Mapping[str, Any]
    other: Mapping[str, Any]
    task_id: str
    other_task_id: str
    member: Identity

    @property
    def base(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.raw.port}"

    @property
    def negotiation(self) -> str:
        """The path of the open negotiation, whose next step is Bob's."""
        return f"/api/negotiations/{self.opened['id']}"

    @property
    def acceptance(self) -> bytes:
        """What Bob would say to accept."""
        return b'{"acceptor_did":"%s","round_number":1}' % BOB.did.encode()

    @property
    def attestations(self) -> str:
        """The path where a receipt is attested."""
        return f"/api/receipts/{self.task_id}/attestations"

    def accept(self, by: Identity = BOB, **how: Any) -> Sent:  # noqa: ANN401 - as `signed`
        """Bob's acceptance: the one request that would do something, and that all attacks are made of."""
        return signed(by, "POST", f"{self.base}{self.negotiation}/accept", self.acceptance, **how)

    def read(self, path: str, by: Identity = BOB) -> Sent:
        """A signed read."""
        return signed(by, "GET", self.base + path)

    async def send(self, sent: Sent) -> Answer:
        """Send it over a connection of its own."""
        return await self.raw.send(sent.raw)

    async def refuses(self, sent: Sent | bytes, status: int, code: str, *, writes: str = "") -> str:
        """Fail unless it is refused so and leaves nothing behind, but in the table *writes*; the reason."""
        async with self.untouched(but=writes):
            answer = await self.raw.send(sent if isinstance(sent, bytes) else sent.raw)
        found = answer.json
        assert (answer.status, found["error"]) == (status, code), answer.body
        return str(found["message"])

    @asynccontextmanager
    async def untouched(self, *, but: str = "") -> AsyncIterator[None]:
        """Fail if anything in any table is different afterwards; *but* names one that may be."""
        await self._quiet()
        before, noticed = await self._stored(), set(self.api.api.broker._seen)
        yield
        after = await self._stored()
        written = {table for table in after if after[table] != before[table]} - _BY_ITSELF
        assert written <= {but}, f"written: {written}"
        assert but or self.api.api.broker._seen == noticed, "who is alive decides who is drawn"

    async def check_books(self) -> None:
        """Prove that all that is stored fits together."""
        assert [f async for f in fsck.run(self.api.api.broker.database) if isinstance(f, Finding)] == []

    async def _stored(self) -> Mapping[str, str]:
        database = self.api.api.broker.database
        row = await database.fetchrow(await database.fetchval(LOOK))
        assert row is not None
        return dict(row)

    async def _quiet(self) -> None:
        """Wait until all events are published, so that nothing moves by itself."""
        database = self.api.api.broker.database
        async with asyncio.timeout(20):
            while await database.fetchval("SELECT 1 FROM outbox LIMIT 1"):  # noqa: ASYNC110 - PostgreSQL tells nobody
                await asyncio.sleep(0.01)


@asynccontextmanager
async def a_target(database_url: str, **settings: Any) -> AsyncIterator[Target]:  # noqa: ANN401 - settings
    """Start a broker and give its agents something to lose."""
    on = {"memory_distiller_enabled": True, "ainp_env": "test"}
    async with (
        a_coinbase() as coinbase,
        a_strict_broker(database_url, **{**coinbase.settings(), **on, **settings}) as (api, port),
    ):
        await api.register(ALICE, BOB, *AUDITORS)
        settled, second = await api.settled(ALICE, BOB), await api.settled(ALICE, BOB)
        await api.register(CAROL)  # too late to be drawn
        opened, other = await api.initiate(ALICE, BOB), await api.initiate(ALICE, BOB, price=50)
        yield Target(
            api=api,
            raw=Raw(port),
            opened=opened,
            other=other,
            task_id=settled["task_id"],
            other_task_id=second["task_id"],
            member=committee_of(settled, AUDITORS)[0],
        )
