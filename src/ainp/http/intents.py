"""Signed messages between agents: taken in, and what waits of them."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

from ainp.core.bargain import read_bargain
from ainp.core.delivery import Sent
from ainp.core.did import AgentDid
from ainp.core.envelope import Envelope
from ainp.core.errors import InvalidRequest, UnsupportedMsgType
from ainp.core.group_move import is_group_move
from ainp.core.ids import spelled
from ainp.core.message import AgentOffline, MsgType, QueueFull
from ainp.core.message_limits import MAX_RECIPIENTS
from ainp.http import discovery, envelopes, groups, rates
from ainp.http.call import Call, Reply
from ainp.http.envelopes import ADVERTISE
from ainp.operations import bargaining, messages
from ainp.operations import discovery as finding
from ainp.operations.bargaining import BargainPolicy
from ainp.telemetry import Line
from ainp.telemetry.metrics import MESSAGES, NEGOTIATIONS
from ainp.wire.messages import CancelIntentBody, CancelledReply, QueueReply, sent_reply, waiting_reply

_TO_THE_INDEX = (ADVERTISE, "DISCOVER")


async def send(call: Call) -> Reply:
    """Take a signed message for the agent that it names, or for those who answer its query best."""
    msg_type = call.signed.msg_type
    if msg_type in _TO_THE_INDEX:
        await rates.admit_search(call)
        return await discovery.receive(call)
    route = _ROUTES.get(msg_type)
    if route is None:
        expected = ", ".join([*_ROUTES, *_TO_THE_INDEX])
        raise UnsupportedMsgType(f"msg_type: found {msg_type[:40]!r}, expected one of {expected}")
    try:
        reply = await route(call)
    except (AgentOffline, QueueFull):
        # It may be sent again as it is, once somebody is there: its id is not used up.
        await envelopes.give_back(call)
        raise
    call.broker.talked.set()
    return reply


async def peek(call: Call) -> Reply:
    """What waits for an agent that is away, or with `sent=true` what it has sent that waits for others."""
    did = call.did_in_query("agent_did")
    if did is None:
        raise InvalidRequest("Missing agent_did query parameter", field="agent_did")
    call.check_owner(did)
    found = await messages.peek(call.db, did, of_others=call.flag("sent"), limit=call.limit())
    return Reply(QueueReply([waiting_reply(one) for one in found]))


async def cancel(call: Call) -> Reply:
    """Take back a message that waits, and that nobody was told."""
    body = call.body(CancelIntentBody)
    taken = await messages.cancel(call.db, call.by, body.id)
    return Reply(CancelledReply("cancelled", body.id, list(taken)))


async def _deliver(call: Call) -> Reply:
    envelope = call.signed
    found = await _found(call, envelope)
    sent = await messages.send(call.db, envelope, policy=call.broker.settings.messages, found=found)
    return shown(sent)


async def _found(call: Call, envelope: Envelope) -> Sequence[AgentDid]:
    if envelope.recipient is not None or envelope.query is None:
        return ()
    body = discovery.query_of(envelope.query)
    await rates.admit_search(call)
    hits = await finding.search(call.db, call.broker.discovery, replace(body, limit=MAX_RECIPIENTS + 1))
    return [hit.agent.did for hit in hits]


def shown(sent: Sent) -> Reply:
    """The answer to who has sent a message, and what is logged of it."""
    return Reply(sent_reply(sent), lines=(_line(sent),))


def _line(sent: Sent) -> Line:
    message = sent.message
    outcome = "queued" if sent.queued else "mailbox" if len(sent.away) == len(sent.reached) else "told"
    facts = {
        "message_id": spelled(message.id),
        "msg_type": message.envelope.msg_type,
        "from_did": message.sender,
        "agents": len(sent.reached),
        "outcome": outcome,
    }
    return Line("Message routed", facts, counts=((MESSAGES.of(message.envelope.msg_type, outcome), 1),))


async def _bargain(call: Call) -> Reply:
    settings, envelope = call.broker.settings, call.signed
    if is_group_move(envelope):
        return await _bargain_as_group(call)
    rules = BargainPolicy(
        min_fee_bp=settings.min_fee_bps, max_open=settings.max_open_negotiations_per_pair, named=settings.strict
    )
    done = await bargaining.bargain(call.db, envelope, read_bargain(envelope), rules=rules, policy=settings.messages)
    negotiation, reply = done.negotiation, sent_reply(done.sent)
    reply.negotiation_id, reply.state = spelled(negotiation.id), negotiation.state
    facts = {"negotiation_id": spelled(negotiation.id), "state": negotiation.state}
    moved = Line(f"Negotiation {done.event}", facts, counts=((NEGOTIATIONS.of(done.event), 1),))
    return Reply(reply, lines=(moved, _line(done.sent)))


async def _bargain_as_group(call: Call) -> Reply:
    moved, sent = await groups.bargain(call)
    reply = sent_reply(sent)
    reply.group_id, reply.state = spelled(moved.group.id), moved.group.state
    reply.round_number = moved.group.current.number
    return Reply(reply, lines=(groups.line(moved), _line(sent)))


_ROUTES: Mapping[str, Callable[[Call], Awaitable[Reply]]] = {
    **dict.fromkeys(MsgType, _deliver),
    MsgType.NEGOTIATE: _bargain,
}
