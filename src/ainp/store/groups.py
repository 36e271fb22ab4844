"""Groups that negotiate: rows to values, and writes of those that are held."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from ainp.core.did import AgentDid
from ainp.core.events import Event
from ainp.core.group import Ballot, Choice, Group, GroupRound, GroupState, Mechanism, Member
from ainp.core.ids import GroupId
from ainp.core.moments import UNIX_EPOCH, unix_ms
from ainp.store.db import Row, Session
from ainp.store.posting import event_rows
from ainp.store.queries import load

_SQL = load("groups")
_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Invited:
    """Somebody who is to take part: trust as a lower bound in millionths, 0 for who is not registered."""

    did: AgentDid
    trust: int
    blocked: bool


async def invited(db: Session, opener: AgentDid, dids: Sequence[AgentDid]) -> list[Invited]:
    """What is known of those who are to take part."""
    rows = await db.fetch(_SQL["invited"], opener, list(dids))
    return [Invited(row["did"], row["trust_rank"] or 0, row["blocked"]) for row in rows]


async def insert(db: Session, group: Group, *, events: Sequence[Event], most: int) -> bool:
    """Write a new group, unless its opener has as many open ones as it may, or the id is used."""
    row: dict[str, object] = {
        "id": group.id,
        "intent_id": group.intent_id,
        "opener": group.opener,
        "members": [{"did": member.did, "weight": member.weight} for member in group.members],
        "mechanism": group.mechanism,
        "threshold_bp": group.threshold_bp,
        "max_rounds": group.max_rounds,
        "round_ms": group.round_time // _MILLISECOND,
        "state": group.state,
        "rounds": _rounds(group),
        "round_ends_at": group.current.ends_at,
        "created_at": group.created_at,
    }
    found = await db.fetchval(_SQL["insert"], [row], list(group.participants), event_rows(events), most)
    return found is not None


async def get(db: Session, id: GroupId) -> tuple[Group, datetime] | None:  # noqa: A002 - the protocol's word
    """A group, and the time it was read."""
    row = await db.fetchrow(_SQL["get"], id)
    return None if row is None else (_group(row), row["now"])


async def lock(db: Session, id: GroupId) -> tuple[Group, datetime] | None:  # noqa: A002
    """Hold a group for this transaction."""
    row = await db.fetchrow(_SQL["lock"], id)
    return None if row is None else (_group(row), row["now"])


async def due(db: Session, *, limit: int) -> list[tuple[Group, datetime]]:
    """Hold groups whose round is over."""
    return [(_group(row), row["now"]) for row in await db.fetch(_SQL["due"], limit)]


async def save(db: Session, group: Group, *, events: Sequence[Event]) -> None:
    """Write a group that is held, and what is told of it."""
    await db.execute(
        _SQL["save"],
        group.id,
        _rounds(group),
        group.state,
        group.current.ends_at,
        group.reason,
        group.closed_by,
        group.updated_at,
        event_rows(events),
    )


async def list_of_agent(
    db: Session, did: AgentDid, *, state: GroupState | None, before: tuple[datetime, UUID], limit: int
) -> list[Group]:
    """The groups in which an agent takes part, the newest first."""
    return [_group(row) for row in await db.fetch(_SQL["list_of_agent"], did, *before, limit, state)]


def _rounds(group: Group) -> list[dict[str, object]]:
    return [
        {
            "number": one.number,
            "proposer": one.proposer,
            "proposal": one.proposal,
            "terms_hash": one.terms_hash,
            "opened_at": unix_ms(one.opened_at),
            "ends_at": unix_ms(one.ends_at),
            "ballots": [
                {
                    "by": ballot.by,
                    "choice": ballot.choice,
                    "at": unix_ms(ballot.at),
                    "proposal": ballot.proposal,
                    "signature": ballot.signature,
                }
                for ballot in one.ballots
            ],
        }
        for one in group.rounds
    ]


def _group(row: Row) -> Group:
    return Group(
        id=row["id"],
        intent_id=row["intent_id"],
        opener=row["opener_did"],
        members=tuple(Member(said["did"], said["weight"]) for said in row["members"]),
        mechanism=Mechanism(row["mechanism"]),
        threshold_bp=row["threshold_bp"],
        max_rounds=row["max_rounds"],
        round_time=row["round_ms"] * _MILLISECOND,
        state=GroupState(row["state"]),
        rounds=tuple(
            GroupRound(
                number=said["number"],
                proposer=said["proposer"],
                proposal=said["proposal"],
                terms_hash=said["terms_hash"],
                opened_at=_moment(said["opened_at"]),
                ends_at=_moment(said["ends_at"]),
                ballots=tuple(
                    Ballot(one["by"], Choice(one["choice"]), _moment(one["at"]), one["proposal"], one["signature"])
                    for one in said["ballots"]
                ),
            )
            for said in row["rounds"]
        ),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        closed_at=row["closed_at"],
        closed_by=row["closed_by"],
        reason=row["close_reason"],
    )


def _moment(milliseconds: int) -> datetime:
    return UNIX_EPOCH + milliseconds * _MILLISECOND
