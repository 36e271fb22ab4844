"""A group negotiates: each function is one move, in one transaction. No money moves by any of them."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from ainp.core.delivery import Sent
from ainp.core.did import AgentDid
from ainp.core.envelope import Envelope
from ainp.core.errors import InvalidState, NotFound, TooManyOpen
from ainp.core.events import group_event
from ainp.core.group import Group, GroupOpening, GroupState, Vote, open_group
from ainp.core.group_move import GroupMove
from ainp.core.ids import GroupId, uuid7
from ainp.core.message import Blocked
from ainp.core.message_limits import MAX_OPEN_GROUPS
from ainp.operations import messages
from ainp.operations.messages import MessagePolicy
from ainp.store import groups
from ainp.store.db import Session

NEWEST = (datetime(9999, 1, 1, tzinfo=UTC), UUID(int=2**128 - 1))
ROUND_BATCH = 100
_MILLIONTHS_OF_A_WEIGHT = 100  # trust weighs up to 10,000, as it does for committees


@dataclass(frozen=True, slots=True)
class GroupPolicy:
    """What moves are asked for; *named* if a vote has to say what it is on."""

    min_fee_bp: int
    named: bool


@dataclass(frozen=True, slots=True)
class Moved:
    """A group after a move, and what is told of it."""

    group: Group
    event: str


async def open_(db: Session, opening: GroupOpening, *, policy: GroupPolicy, chosen: GroupId | None = None) -> Moved:
    """Open a group and tell all who take part; its id may have been *chosen* by who opens it."""
    async with db.transaction() as tx:
        now = await tx.clock()
        known = await groups.invited(tx, opening.opener, opening.everybody)
        if refusing := [one.did for one in known if one.blocked]:
            raise Blocked(f"{', '.join(refusing)} takes no messages from {opening.opener}")
        id_ = chosen or GroupId(uuid7(now, secrets.token_bytes(10)))
        weights = {one.did: one.trust // _MILLIONTHS_OF_A_WEIGHT for one in known}
        group = open_group(opening, id=id_, now=now, weights=weights, min_fee_bp=policy.min_fee_bp)
        event = group_event(group, "opened", by=group.opener, now=now)
        if await groups.insert(tx, group, events=[event], most=MAX_OPEN_GROUPS):
            return Moved(group, "opened")
        if chosen is not None and await groups.get(tx, chosen) is not None:
            raise InvalidState(f"there is a group with the id {chosen} already")
        raise TooManyOpen(f"{group.opener} has {MAX_OPEN_GROUPS} open groups, the most", limit=MAX_OPEN_GROUPS)


async def get(db: Session, id: GroupId, *, by: AgentDid | None) -> Group:  # noqa: A002 - the protocol's word
    """A group, for its participants; *by* is None where nobody has to say who they are."""
    group, _ = _found(await groups.get(db, id), id)
    if by is not None:
        group.require_member(by)
    return group


async def list_of_agent(
    db: Session, did: AgentDid, *, state: GroupState | None, before: tuple[datetime, UUID], limit: int
) -> list[Group]:
    """The groups in which an agent takes part, the newest first."""
    return await groups.list_of_agent(db, did, state=state, before=before, limit=limit)


async def vote(db: Session, id: GroupId, said: Vote, *, by: AgentDid, policy: GroupPolicy) -> Moved:  # noqa: A002
    """Vote on the current proposal; what follows from it happens with it."""
    if policy.named:
        said.check_named()

    def move(group: Group, now: datetime) -> Group:
        return group.advance(now).vote(said, by=by, now=now, min_fee_bp=policy.min_fee_bp)

    return await _move(db, id, move, by=by)


async def abort(db: Session, id: GroupId, *, by: AgentDid, reason: str | None) -> Moved:  # noqa: A002
    """End a group without an agreement."""

    def move(group: Group, now: datetime) -> Group:
        return group.advance(now).abort(by=by, now=now, reason=reason)

    return await _move(db, id, move, by=by)


async def end_round(db: Session, id: GroupId, *, by: AgentDid) -> Moved:  # noqa: A002
    """End a round whose time is over, as a participant that does not wait for the job."""

    def move(group: Group, now: datetime) -> Group:
        group.require_member(by)
        if not group.due(now):
            raise InvalidState(f"round {group.current.number} is not due to end", state=group.state)
        return group.advance(now)

    return await _move(db, id, move, by=by)


async def bargain(
    db: Session, envelope: Envelope, said: GroupMove, *, policy: GroupPolicy, messaging: MessagePolicy
) -> tuple[Moved, Sent]:
    """Make the move that a NEGOTIATE envelope says, and hand the envelope to all others; both or neither."""
    async with db.transaction() as tx:
        moved = await _said(tx, envelope.sender, said, policy)
        others = [did for did in moved.group.participants if did != envelope.sender]
        return moved, await messages.send(tx, envelope, policy=messaging, to=others)


async def end_rounds(db: Session) -> list[Moved]:
    """End a batch of rounds whose time is over; everybody in them is told."""
    async with db.transaction() as tx:
        moves = []
        for group, now in await groups.due(tx, limit=ROUND_BATCH):
            advanced = group.advance(now)
            moves.append(await _save(tx, group, advanced, by=None, now=now))
        return moves


async def _said(db: Session, by: AgentDid, said: GroupMove, policy: GroupPolicy) -> Moved:
    if said.opening is not None:
        return await open_(db, said.opening, policy=policy, chosen=said.id)
    assert said.id is not None
    if said.vote is not None:
        return await vote(db, said.id, said.vote, by=by, policy=policy)
    if said.aborts:
        return await abort(db, said.id, by=by, reason=said.reason)
    return await end_round(db, said.id, by=by)


async def _move(
    db: Session,
    id: GroupId,  # noqa: A002
    move: Callable[[Group, datetime], Group],
    *,
    by: AgentDid,
) -> Moved:
    async with db.transaction() as tx:
        group, now = _found(await groups.lock(tx, id), id)
        return await _save(tx, group, move(group, now), by=by, now=now)


async def _save(db: Session, before: Group, after: Group, *, by: AgentDid | None, now: datetime) -> Moved:
    """Write what a move made of a group, and tell of the last thing that it did."""
    ended = after.current.number > before.current.number
    name = after.state.value if after.state is not GroupState.OPEN else "proposed" if ended else "voted"
    await groups.save(db, after, events=[group_event(after, name, by=by, now=now)])
    return Moved(after, name)


def _found(read: tuple[Group, datetime] | None, id: GroupId) -> tuple[Group, datetime]:  # noqa: A002
    if read is None:
        raise NotFound(f"Group not found: {id}")
    return read
