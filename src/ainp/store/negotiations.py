"""Negotiations: rows to values, and guarded writes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from ainp.core.did import AgentDid
from ainp.core.events import Event
from ainp.core.ids import NegotiationId
from ainp.core.ledger import Entry
from ainp.core.limits import MAX_PAGE_BYTES
from ainp.core.moments import UNIX_EPOCH, unix_ms
from ainp.core.negotiation import Delivery, Negotiation, NegotiationState, Round
from ainp.core.reputation import Reputation
from ainp.store.db import Row, Session, Stale
from ainp.store.posting import entry_rows, event_rows
from ainp.store.queries import load
from ainp.store.reputation import reputation_of
from ainp.store.together import Together

_SQL = load("negotiations")


@dataclass(frozen=True, slots=True)
class Acceptable:
    """A negotiation with what its acceptance depends on; *available* in atomic units."""

    negotiation: Negotiation
    available: int
    responder_registered: bool


@dataclass(frozen=True, slots=True)
class Settleable:
    """A negotiation with what its settlement depends on."""

    negotiation: Negotiation
    responder_id: UUID | None
    broker_registered: bool
    validator_registered: bool
    reputation: Reputation
    epoch_id: int | None
    epoch_at: datetime | None
    population: int
    newest_sign_at: datetime
    cohort: int | None = None


async def insert(db: Session, negotiation: Negotiation, *, place: int, events: Sequence[Event]) -> bool:
    """Write a new negotiation, unless another open one of these two has its place."""
    return await db.together(_INSERT, _Opened(negotiation, place, events))


async def free_place(db: Session, negotiation: Negotiation, *, most: int) -> int | None:
    """A place among *most* that is free for an open negotiation of these two; None if there is none."""
    pair = negotiation.initiator, negotiation.responder
    place: int | None = await db.fetchval(_SQL["free_place"], *pair, most)
    if place is None and await db.fetch(_SQL["leave_places"], *pair):
        place = await db.fetchval(_SQL["free_place"], *pair, most)
    return place


async def get(db: Session, id: NegotiationId) -> tuple[Negotiation, datetime] | None:  # noqa: A002 - the protocol's word
    """A negotiation, and the time it was read."""
    row = await db.together(_GET, id)
    return None if row is None else (negotiation_of(row), row["now"])


async def get_to_accept(db: Session, id: NegotiationId) -> tuple[Acceptable, datetime] | None:  # noqa: A002
    """A negotiation with what its acceptance depends on, and the time it was read."""
    row = await db.together(_GET_TO_ACCEPT, id)
    if row is None:
        return None
    return Acceptable(negotiation_of(row), row["available"], row["responder_registered"]), row["now"]


async def get_to_settle(
    db: Session,
    id: NegotiationId,  # noqa: A002
    *,
    broker: AgentDid | None,
) -> tuple[Settleable, datetime] | None:
    """A negotiation with what its settlement depends on, and the time it was read."""
    row = await db.together(_GET_TO_SETTLE, (id, broker))
    if row is None:
        return None
    read = Settleable(
        negotiation=negotiation_of(row),
        responder_id=row["responder_id"],
        broker_registered=row["broker_registered"],
        validator_registered=row["validator_registered"],
        reputation=reputation_of(row),
        epoch_id=row["epoch_id"],
        epoch_at=row["epoch_at"],
        population=row["population"] or 0,
        newest_sign_at=row["newest_sign_at"],
        cohort=row["cohort"],
    )
    return read, row["now"]


async def list_of_agent(
    db: Session,
    did: AgentDid,
    *,
    states: Sequence[NegotiationState] | None,
    below: tuple[datetime, UUID],
    limit: int,
) -> list[Negotiation]:
    """An agent's negotiations, newest first, older than the cursor *below*; fewer than *limit* if they are large."""
    wanted = None if states is None else [state.value for state in states]
    rows = await db.fetch(_SQL["list_of_agent"], did, wanted, limit, *below, MAX_PAGE_BYTES)
    return [negotiation_of(row) for row in rows]


async def due(db: Session, *, limit: int) -> tuple[list[Negotiation], datetime | None]:
    """Negotiations whose time is over, locked for this transaction; and the time."""
    rows = await db.fetch(_SQL["due"], limit)
    return [negotiation_of(row) for row in rows], rows[0]["now"] if rows else None


async def save(
    db: Session, negotiation: Negotiation, *, entries: Sequence[Entry] = (), events: Sequence[Event] = ()
) -> None:
    """Write a move with its entries and events, or raise Stale and write nothing."""
    try:
        saved = await db.together(_SAVE, _Move(negotiation, entries, events))
    except asyncpg.CheckViolationError as error:
        # The balance was spent between the read and this write.
        raise Stale from error
    if not saved:
        raise Stale(negotiation.id)


@dataclass(frozen=True, slots=True)
class _Move:
    negotiation: Negotiation
    entries: Sequence[Entry] = ()
    events: Sequence[Event] = ()


@dataclass(frozen=True, slots=True)
class _Opened:
    negotiation: Negotiation
    place: int
    events: Sequence[Event]


async def _insert(db: Session, opened: Sequence[_Opened]) -> list[bool]:
    rows = [
        {
            "id": n.id,
            "intent_id": n.intent_id,
            "initiator": n.initiator,
            "responder": n.responder,
            "state": n.state,
            "rounds": _rounds(n),
            "max_rounds": n.max_rounds,
            "created_at": n.created_at,
            "expires_at": n.expires_at,
            "place": each.place,
        }
        for each in opened
        for n in (each.negotiation,)
    ]
    events = [row for each in opened for row in event_rows(each.events, of=each.negotiation.id)]
    written = {row["id"] for row in await db.fetch(_SQL["insert"], rows, events)}
    return [each.negotiation.id in written for each in opened]


def _read(name: str) -> Together[NegotiationId, Row | None]:
    async def read(db: Session, ids: Sequence[NegotiationId]) -> list[Row | None]:
        found = {row["id"]: row for row in await db.fetch(_SQL[name], ids)}
        return [found.get(id_) for id_ in ids]

    return Together(read)


async def _read_to_settle(db: Session, asked: Sequence[tuple[NegotiationId, AgentDid | None]]) -> list[Row | None]:
    broker = asked[0][1]  # one process has one broker's DID
    found = {row["id"]: row for row in await db.fetch(_SQL["get_to_settle"], [id_ for id_, _ in asked], broker)}
    return [found.get(id_) for id_, _ in asked]


async def _save(db: Session, moves: Sequence[_Move]) -> list[bool]:
    rows = await db.fetch(
        _SQL["save"],
        [_moved(move.negotiation) for move in moves],
        [row for move in moves for row in entry_rows(move.entries, of=move.negotiation.id)],
        [row for move in moves for row in event_rows(move.events, of=move.negotiation.id)],
    )
    saved = {row["id"] for row in rows}
    return [move.negotiation.id in saved for move in moves]


def _moved(n: Negotiation) -> dict[str, object]:
    return {
        "id": n.id,
        "version": n.version,
        "state": n.state,
        "rounds": _rounds(n),
        "convergence": round(n.convergence, 2),
        "updated_at": n.updated_at,
        "reserved": n.reserved,
        "accepted_at": n.accepted_at,
        "settle_by": n.settle_by,
        "delivered_at": n.delivered_at,
        "delivery": _delivery(n),
        "closed_at": n.closed_at,
        "closed_by": n.closed_by,
        "close_reason": n.close_reason,
        "seed": None if n.seed is None else n.seed.hex(),
        "task_id": n.task_id,
    }


_INSERT = Together(_insert, writes=True)
_GET = _read("get")
_GET_TO_ACCEPT = _read("get_to_accept")
_GET_TO_SETTLE = Together(_read_to_settle)
_SAVE = Together(_save, apart=lambda move: [move.negotiation.id], writes=True)


def negotiation_of(row: Row) -> Negotiation:
    """Read a row."""
    delivery = row["delivery"]
    return Negotiation(
        id=row["id"],
        intent_id=row["intent_id"],
        initiator=row["initiator_did"],
        responder=row["responder_did"],
        state=NegotiationState(row["state"]),
        rounds=tuple(
            Round(
                said["round_number"],
                said["proposer_did"],
                said["proposal"],
                UNIX_EPOCH + timedelta(milliseconds=said["timestamp"]),
                said["terms_hash"],
                said.get("convergence_delta"),
                said.get("signature"),
                said.get("countersignature"),
            )
            for said in row["rounds"]
        ),
        max_rounds=row["max_rounds"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        expires_at=row["expires_at"],
        version=row["version"],
        reserved=row["reserved_atomic"],
        accepted_at=row["accepted_at"],
        settle_by=row["settle_by"],
        delivered_at=row["delivered_at"],
        delivery=None if delivery is None else Delivery(delivery["outputs_ref"], delivery["metrics"]),
        closed_at=row["closed_at"],
        closed_by=row["closed_by"],
        close_reason=row["close_reason"],
        seed=row["seed"],
        task_id=row["task_id"],
    )


def _delivery(negotiation: Negotiation) -> dict[str, object] | None:
    delivery = negotiation.delivery
    return None if delivery is None else {"outputs_ref": delivery.outputs_ref, "metrics": delivery.metrics}


def _rounds(negotiation: Negotiation) -> list[dict[str, object]]:
    return [
        {
            "round_number": r.number,
            "proposer_did": r.proposer,
            "proposal": r.proposal,
            "timestamp": unix_ms(r.at),
            "terms_hash": r.terms_hash,
            "convergence_delta": r.convergence_delta,
            "signature": r.signature,
            "countersignature": r.countersignature,
        }
        for r in negotiation.rounds
    ]
