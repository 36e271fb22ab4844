"""Groups that negotiate: decode, act, show."""

from datetime import timedelta

from ainp.core.delivery import Sent
from ainp.core.did import parse_did
from ainp.core.errors import InvalidRequest
from ainp.core.group import DEFAULT_ROUND_TIME, GroupOpening, GroupRules, GroupState, Vote
from ainp.core.group_move import read_group_move, read_threshold
from ainp.core.ids import GroupId
from ainp.http.call import Call, Reply
from ainp.http.cursor import read_cursor, write_cursor
from ainp.operations import groups
from ainp.operations.groups import NEWEST, GroupPolicy, Moved
from ainp.telemetry import Line
from ainp.telemetry.metrics import GROUPS
from ainp.wire.groups import AbortGroupBody, GroupsReply, OpenGroupBody, VoteBody, group_reply


async def open_(call: Call) -> Reply:
    """Propose something to two others and more, who vote on it."""
    body = call.body(OpenGroupBody)
    every = body.timeout_per_round_ms
    opening = GroupOpening(
        intent_id=body.intent_id,
        opener=call.by,
        participants=[parse_did(did) for did in body.participants],
        proposal=body.proposal,
        rules=GroupRules(
            mechanism=body.voting_mechanism,
            threshold_bp=read_threshold(body.convergence_threshold),
            max_rounds=body.max_rounds,
            round_time=DEFAULT_ROUND_TIME if every is None else timedelta(milliseconds=every),
        ),
        signature=body.terms_signature,
    )
    return _shown(await groups.open_(call.db, opening, policy=_policy(call)), status=201)


async def get(call: Call) -> Reply:
    """One group, for those who take part."""
    return Reply(group_reply(await groups.get(call.db, _id(call), by=call.reader)))


async def list_of_agent(call: Call) -> Reply:
    """The groups in which an agent takes part, the newest first."""
    did = call.did_in_query("agent_did")
    if did is None:
        raise InvalidRequest("Missing agent_did query parameter", field="agent_did")
    call.check_owner(did)
    before, limit = read_cursor(call.query.get("cursor"), default=NEWEST), call.limit()
    found = await groups.list_of_agent(call.db, did, state=_state(call), before=before, limit=limit)
    cursor = write_cursor(found[-1].created_at, found[-1].id) if len(found) == limit else None
    return Reply(GroupsReply([group_reply(group) for group in found], cursor))


async def vote(call: Call) -> Reply:
    """Vote on the current proposal of a group, once a round."""
    body = call.body(VoteBody)
    said = Vote(
        choice=body.vote,
        round_number=body.round_number,
        terms_hash=body.terms_hash,
        proposal=body.proposal,
        signature=body.terms_signature,
    )
    return _shown(await groups.vote(call.db, _id(call), said, by=call.by, policy=_policy(call)))


async def abort(call: Call) -> Reply:
    """End a group without an agreement, as who has opened it."""
    body = call.body(AbortGroupBody)
    return _shown(await groups.abort(call.db, _id(call), by=call.by, reason=body.reason))


async def bargain(call: Call) -> tuple[Moved, Sent]:
    """Make the move that a NEGOTIATE envelope of a group says."""
    said, messaging = read_group_move(call.signed), call.broker.settings.messages
    return await groups.bargain(call.db, call.signed, said, policy=_policy(call), messaging=messaging)


def line(moved: Moved) -> Line:
    """What is logged of a move."""
    group = moved.group
    facts = {"group_id": str(group.id), "state": group.state, "round_number": group.current.number}
    return Line(f"Group {moved.event}", facts, counts=((GROUPS.of(moved.event), 1),))


def _shown(moved: Moved, *, status: int = 200) -> Reply:
    return Reply(group_reply(moved.group), status=status, lines=(line(moved),))


def _policy(call: Call) -> GroupPolicy:
    settings = call.broker.settings
    return GroupPolicy(min_fee_bp=settings.min_fee_bps, named=settings.strict)


def _id(call: Call) -> GroupId:
    return GroupId(call.id("id", what="Group"))


def _state(call: Call) -> GroupState | None:
    said = call.query.get("state")
    try:
        return None if said is None else GroupState(said)
    except ValueError:
        expected = ", ".join(GroupState)
        raise InvalidRequest(f"state: found {str(said)[:40]!r}, expected one of {expected}", field="state") from None
