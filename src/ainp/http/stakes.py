"""Stakes: locked, withdrawn, shown to everyone as seats depend on them, and slashed by administrators."""

from datetime import timedelta

from ainp.core.did import parse_did
from ainp.http.auth import require_admin
from ainp.http.call import Call, Reply
from ainp.operations import stakes
from ainp.operations.stakes import Slash
from ainp.store.stakes import Staked
from ainp.telemetry import Line
from ainp.telemetry.metrics import SLASHED, SLASHES, STAKE_EVENTS
from ainp.wire.stakes import CancelUnstakeBody, SlashBody, SlashReply, StakeBody, StakeReply
from ainp.wire.values import iso_or_none

_SAID = {
    "staked": "Credits staked",
    "unstaking": "Stake is being withdrawn",
    "unstake_cancelled": "Withdrawal of stake cancelled",
}


async def get(call: Call) -> Reply:
    """What an agent has staked, and whether that is enough for a seat."""
    return Reply(_shown(call, await stakes.get(call.db, call.did())))


async def stake(call: Call) -> Reply:
    """Lock credits as a bond."""
    amount = int(call.body(StakeBody).amount_atomic)
    done = await stakes.stake(call.db, call.by, amount, epochs=call.broker.epochs)
    return _moved(call, done, "staked", amount)


async def unstake(call: Call) -> Reply:
    """Ask for staked credits back; they count no more from now on, and are paid after a delay."""
    amount = int(call.body(StakeBody).amount_atomic)
    delay = timedelta(hours=call.broker.settings.unstake_delay_hours)
    done = await stakes.unstake(call.db, call.by, amount, delay=delay, epochs=call.broker.epochs)
    return _moved(call, done, "unstaking", amount)


async def cancel_unstake(call: Call) -> Reply:
    """Leave staked what was to be withdrawn."""
    call.body(CancelUnstakeBody)
    done = await stakes.cancel_unstake(call.db, call.by, epochs=call.broker.epochs)
    return _moved(call, done, "unstake_cancelled", None)


async def slash(call: Call) -> Reply:
    """Take an agent's stake to the pool, and a tenth of its reputation; an administrator's right."""
    require_admin(call)
    body = call.body(SlashBody)
    order = Slash(
        did=parse_did(body.agent_did),
        amount=int(body.amount_atomic),
        reason=body.reason,
        evidence_ref=body.evidence_ref,
        by="admin token",
        address=call.address,
    )
    done = await stakes.slash(call.db, order, epochs=call.broker.epochs)
    facts = {"agent_did": done.did, "amount": done.taken, "slash_id": str(done.id)}
    line = Line("Agent slashed", facts, level="warning", counts=((SLASHES.of(), 1), (SLASHED.of(), done.taken)))
    reply = SlashReply(
        ok=True,
        slash_id=str(done.id),
        agent_did=done.did,
        taken_atomic=str(done.taken),
        locked_atomic=str(done.stake.locked),
        slashed_total_atomic=str(done.stake.slashed),
    )
    return Reply(reply, lines=(line,))


def _moved(call: Call, done: Staked, event: str, amount: int | None) -> Reply:
    line = Line(_SAID[event], {"agent_did": done.did, "amount": amount}, counts=((STAKE_EVENTS.of(event), 1),))
    return Reply(_shown(call, done), lines=(line,))


def _shown(call: Call, found: Staked) -> StakeReply:
    held, least = found.stake, call.broker.settings.pou_committee_min_stake
    return StakeReply(
        agent_did=found.did,
        locked_atomic=str(held.locked),
        active_atomic=str(held.active),
        withdrawing_atomic=str(held.withdrawing),
        locked_until=iso_or_none(held.locked_until),
        slashed_total_atomic=str(held.slashed),
        min_stake_atomic=str(least),
        eligible=held.active >= least,
    )
