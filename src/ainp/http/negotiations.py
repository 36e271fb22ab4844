"""Negotiations: decode, act, show."""

from collections.abc import Sequence
from datetime import timedelta
from urllib.parse import urlencode

from ainp.core.did import parse_did
from ainp.core.errors import InvalidRequest
from ainp.core.ids import NegotiationId, spelled
from ainp.core.negotiation import Claim, Delivery, Negotiation, Opening
from ainp.core.receipt import TaskReceipt
from ainp.core.settlement import UNPAID_VALIDATOR
from ainp.http.call import Call, Reply
from ainp.http.cursor import read_cursor, write_cursor
from ainp.operations import negotiations, settlements
from ainp.operations.lines import observed
from ainp.operations.receipts import LAST
from ainp.operations.settlements import Settled
from ainp.telemetry import Line
from ainp.telemetry.metrics import NEGOTIATIONS, RECEIPTS_CREATED, SETTLED
from ainp.wire.negotiations import (
    AcceptBody,
    CancelBody,
    DeliverBody,
    InitiateBody,
    ProposeBody,
    RejectBody,
    SettleBody,
    SettledReply,
    negotiation_reply,
)
from ainp.wire.receipts import receipt_reply


async def initiate(call: Call) -> Reply:
    """Open a negotiation with a first proposal."""
    body = call.body(InitiateBody)
    opening = Opening(
        intent_id=body.intent_id,
        initiator=call.by,
        responder=parse_did(body.responder_did),
        proposal=body.initial_proposal,
        max_rounds=body.max_rounds,
        ttl=_minutes(body.ttl_minutes),
        signature=body.terms_signature,
    )
    settings = call.broker.settings
    opened = await negotiations.initiate(
        call.db, opening, min_fee_bp=settings.min_fee_bps, max_open=settings.max_open_negotiations_per_pair
    )
    return _shown(opened, "initiated", status=201)


async def get(call: Call) -> Reply:
    """One negotiation."""
    return Reply(negotiation_reply(await negotiations.get(call.db, _id(call), by=call.reader)))


async def list_of_agent(call: Call) -> Reply:
    """An agent's negotiations, newest first."""
    did = call.did_in_query("agent_did")
    if did is None:
        raise InvalidRequest("Missing agent_did query parameter", field="agent_did")
    call.check_owner(did)
    below = read_cursor(call.query.get("cursor"), default=LAST)
    state, limit = call.query.get("state"), call.limit()
    found = await negotiations.list_of_agent(call.db, did, state=state, below=below, limit=limit)
    return Reply([negotiation_reply(n) for n in found], headers=_next_page(call, found))


def _next_page(call: Call, found: Sequence[Negotiation]) -> tuple[tuple[bytes, bytes], ...]:
    """
    Where the list goes on (RFC 8288), as its body is a plain array.

    It is said of every page but an empty one: what ends a page may be its size.
    """
    if not found:
        return ()
    rest = [(name, value) for name, value in call.query.multi_items() if name != "cursor"]
    query = urlencode([*rest, ("cursor", write_cursor(found[-1].created_at, found[-1].id))])
    return ((b"link", f'<{call.path}?{query}>; rel="next"'.encode()),)


async def propose(call: Call) -> Reply:
    """Answer the other party's proposal with one's own."""
    body = call.body(ProposeBody)
    fee = call.broker.settings.min_fee_bps
    moved = await negotiations.propose(
        call.db, _id(call), body.proposal, by=call.by, min_fee_bp=fee, signature=body.terms_signature
    )
    return _shown(moved, "proposed", message="Negotiation proposal added")


async def accept(call: Call) -> Reply:
    """Agree to the other party's latest proposal; its price is reserved."""
    body = call.body(AcceptBody)
    claim = Claim(body.terms_hash, body.round_number, body.terms_signature)
    if call.broker.settings.strict:
        claim.check_named()
    accepted = await negotiations.accept(call.db, _id(call), by=call.by, claim=claim)
    reserved = Line("Credits reserved for negotiation", _facts(accepted))
    return _shown(accepted, "accepted", *((reserved,) if accepted.reserved else ()))


async def reject(call: Call) -> Reply:
    """End a negotiation without agreement."""
    body = call.body(RejectBody)
    rejected = await negotiations.reject(call.db, _id(call), by=call.by, reason=body.reason)
    return _shown(rejected, "rejected")


async def cancel(call: Call) -> Reply:
    """Withdraw: either party before acceptance, the responder alone after it; a reservation goes back."""
    body = call.body(CancelBody)
    cancelled = await negotiations.cancel(call.db, _id(call), by=call.by, reason=body.reason)
    released = Line("Credits released from reservation", _facts(cancelled))
    return _shown(cancelled, "cancelled", *((released,) if cancelled.reserved else ()))


async def deliver(call: Call) -> Reply:
    """Record that the work was handed over."""
    body = call.body(DeliverBody)
    delivery = Delivery(body.outputs_ref, body.metrics)
    return _shown(await negotiations.deliver(call.db, _id(call), delivery, by=call.by), "delivered")


async def settle(call: Call) -> Reply:
    """Pay by the agreed split and open the task receipt; again is the same answer."""
    body = call.body(SettleBody)
    settled = await settlements.settle(call.db, _id(call), by=call.by, terms=call.broker.terms)
    return Reply(_settled(settled, named=body.validator_did), lines=() if settled.again else _settled_lines(settled))


def _id(call: Call) -> NegotiationId:
    return NegotiationId(call.id("id", what="Negotiation"))


def _minutes(minutes: float) -> timedelta:
    try:
        return timedelta(minutes=minutes)
    except OverflowError:
        raise InvalidRequest(f"ttl_minutes: found {minutes!r}, expected at most 7 days", field="ttl_minutes") from None


def _shown(negotiation: Negotiation, event: str, *lines: Line, message: str = "", status: int = 200) -> Reply:
    counts = ((NEGOTIATIONS.of(event), 1),)
    said = Line(message or f"Negotiation {event}", _facts(negotiation), counts=counts)
    return Reply(negotiation_reply(negotiation), status, (said, *lines))


def _facts(n: Negotiation) -> dict[str, object]:
    return {"negotiation_id": spelled(n.id), "state": n.state, "reserved_atomic": n.reserved}


def _settled(settled: Settled, *, named: str | None) -> SettledReply:
    n, receipt = settled.negotiation, settled.receipt
    unpaid = settled.validator is None and (named is not None or n.terms.validator is not None)
    return SettledReply(
        success=True,
        message="Negotiation settled successfully",
        negotiation_id=spelled(n.id),
        state=n.state,
        task_id=spelled(receipt.id),
        task_receipt_id=spelled(receipt.id),
        receipt=receipt_reply(receipt),
        distribution=receipt.distribution,
        validator_did=settled.validator,
        note=UNPAID_VALIDATOR if unpaid else "",
        idempotent=settled.again,
    )


def _settled_lines(settled: Settled) -> tuple[Line, ...]:
    receipt = settled.receipt
    settlement = ((NEGOTIATIONS.of("settled"), 1), (SETTLED.of(), receipt.amount))
    of = {"negotiation_id": spelled(settled.negotiation.id), "receipt_id": spelled(receipt.id)}
    paid = {name: amount for name, amount in receipt.distribution.items() if amount != "0"}
    warnings = (
        (Line("Committee is short", {**of, "committee": len(receipt.committee), "m": receipt.size}),)
        if receipt.short
        else ()
    )
    return (
        Line("Negotiation settled successfully", of, counts=(*settlement, *observed(settled.changes))),
        *(Line(f"Credits distributed to {name}", {**of, "amount": amount}) for name, amount in paid.items()),
        Line("Incentive distribution complete", {**of, "total": receipt.amount}),
        Line("Task receipt recorded", of, counts=((RECEIPTS_CREATED.of(_seats(receipt)), 1),)),
        *warnings,
    )


def _seats(receipt: TaskReceipt) -> str:
    if not receipt.committee:
        return "none"
    return "short" if receipt.short else "full"
