"""Payment requests: read, held, and written with the receipts, entries and events that go with them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from ainp.core.did import AgentDid
from ainp.core.events import Event
from ainp.core.ledger import Entry
from ainp.core.payment import Invoice, Method, Notice, PaymentRequest, PaymentState
from ainp.store.db import Row, Session
from ainp.store.posting import entry_rows, event_rows
from ainp.store.queries import load

_SQL = load("payments")
FIRST = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Kept:
    """A request as it is kept, at *now*."""

    request: PaymentRequest
    created_at: datetime
    updated_at: datetime
    now: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known before a request is opened."""

    owner: bool
    payee: bool
    open: int
    now: datetime


@dataclass(frozen=True, slots=True)
class Receipt:
    """How a request was paid."""

    request: PaymentRequest
    notice: Notice


async def begin(db: Session, owner: AgentDid) -> None:
    """Take an agent's turn to open requests."""
    await db.execute(_SQL["begin"], owner)


async def standing(db: Session, owner: AgentDid, payee: AgentDid | None) -> Standing:
    """What there is to know before a request is opened; it stays so while one has the turn."""
    row = await db.fetchrow(_SQL["standing"], owner, payee)
    assert row is not None
    return Standing(row["owner"], row["payee"], row["open"], row["now"])


async def available(db: Session, owner: AgentDid, payee: AgentDid) -> int:
    """What *owner* can spend, which stays so until this transaction ends."""
    return int(await db.fetchval(_SQL["available"], owner, payee) or 0)


async def insert(db: Session, request: PaymentRequest) -> None:
    """Write a new request."""
    who = (request.id, request.owner, request.payee)
    what = (request.amount, request.method, request.state, request.description, request.expires_at)
    await db.execute(_SQL["insert"], *who, *what)


async def get(db: Session, id: UUID) -> Kept | None:  # noqa: A002 - what it is
    """A request."""
    return _kept_or_none(await db.fetchrow(_SQL["get"], id))


async def lock(db: Session, id: UUID) -> Kept | None:  # noqa: A002 - what it is
    """Hold a request for this transaction."""
    return _kept_or_none(await db.fetchrow(_SQL["lock"], id))


async def lock_of_provider(db: Session, method: Method, reference: str) -> Kept | None:
    """Hold the request that a provider knows by *reference*."""
    return _kept_or_none(await db.fetchrow(_SQL["lock_of_provider"], method, reference))


async def offered(db: Session, owner: AgentDid, amount: int, method: Method) -> Kept | None:
    """An open request that can be offered once more."""
    return _kept_or_none(await db.fetchrow(_SQL["offered"], owner, amount, method))


async def due(db: Session, *, before: datetime, methods: Sequence[Method], limit: int) -> list[Kept]:
    """Hold requests of *methods* whose time was over by then."""
    return [_kept(row) for row in await db.fetch(_SQL["due"], before, methods, limit)]


async def pending(db: Session, method: Method, *, after: UUID, limit: int) -> list[Kept]:
    """Requests that wait for a provider."""
    return [_kept(row) for row in await db.fetch(_SQL["pending"], method, after, limit)]


async def save(
    db: Session,
    requests: Sequence[PaymentRequest],
    *,
    receipts: Sequence[Receipt] = (),
    entries: Sequence[Entry] = (),
    events: Sequence[Event] = (),
) -> None:
    """Write requests that are held, and what goes with them."""
    received = [
        {
            "request_id": receipt.request.id,
            "provider": receipt.notice.method,
            "tx_ref": receipt.notice.tx_ref,
            "amount": receipt.notice.amount,
            "confirmed_at": receipt.notice.seen_at,
            "raw": receipt.notice.facts,
        }
        for receipt in receipts
    ]
    rows = [_row(request) for request in requests]
    await db.execute(_SQL["save"], rows, received, entry_rows(entries), event_rows(events))


def _row(request: PaymentRequest) -> dict[str, object]:
    invoice = request.invoice
    return {
        "id": request.id,
        "status": request.state,
        "provider": None if invoice is None else request.method,
        "provider_id": None if invoice is None else invoice.reference,
        "metadata": {} if invoice is None else invoice.metadata,
        "url": None if invoice is None else invoice.url,
        "expires_at": request.expires_at,
    }


def _kept_or_none(row: Row | None) -> Kept | None:
    return None if row is None else _kept(row)


def _kept(row: Row) -> Kept:
    invoice = None
    if row["provider_id"] is not None:
        invoice = Invoice(row["provider_id"], row["payment_url"] or "", metadata=row["provider_metadata"])
    request = PaymentRequest(
        id=row["id"],
        owner=AgentDid(row["owner_did"]),
        payee=None if row["payee_did"] is None else AgentDid(row["payee_did"]),
        amount=row["amount_atomic"],
        method=Method(row["method"]),
        state=PaymentState(row["status"]),
        expires_at=row["expires_at"],
        description=row["description"],
        invoice=invoice,
        paid_by=row["tx_ref"],
    )
    return Kept(request, row["created_at"], row["updated_at"], row["now"])
