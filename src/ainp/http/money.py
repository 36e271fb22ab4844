"""Money: balances, entries, deposits."""

import secrets

from ainp.core.did import parse_did
from ainp.core.limits import MAX_OFFSET
from ainp.http.auth import require_admin
from ainp.http.call import Call, Reply
from ainp.operations import accounts
from ainp.store.ledger import Movement
from ainp.telemetry import Line
from ainp.wire.credits import BalanceReply, DepositBody, DepositReply, MovementReply, TransactionsReply
from ainp.wire.values import iso


async def get(call: Call) -> Reply:
    """An agent's money in atomic units."""
    call.check_owner(call.did())
    held = await accounts.balance(call.db, call.did())
    return Reply(
        BalanceReply(
            balance=str(held.available + held.reserved),
            earned=str(held.earned),
            spent=str(held.spent),
            reserved=str(held.reserved),
            available=str(held.available),
            staked=str(held.staked),
        )
    )


async def transactions(call: Call) -> Reply:
    """An agent's ledger entries, newest first."""
    did, limit = call.did(), call.limit()
    call.check_owner(did)
    offset = call.number_in_query("offset", default=0, least=0, most=MAX_OFFSET)
    await accounts.balance(call.db, did)
    moved = await accounts.transactions(call.db, did, limit=limit, offset=offset)
    return Reply(TransactionsReply([_movement(m, did) for m in moved]))


async def deposit(call: Call) -> Reply:
    """Top up an agent's account; an administrator's right."""
    anybody = call.broker.settings.credits_dev_deposit_enabled
    if not anybody:
        require_admin(call)
    body = call.body(DepositBody)
    did = parse_did(body.agent_did)
    # Without an Idempotency-Key two deposits are two deposits.
    key = secrets.token_hex(16)
    by = "anybody" if anybody else "admin token"
    held = await accounts.deposit(call.db, did, body.amount, key=key, by=by, address=call.address)
    reply = DepositReply(f"Deposited {body.amount} atomic units", str(held.available + held.reserved))
    return Reply(reply, lines=(Line("Credits deposited", {"agent_did": did, "amount": body.amount}),))


def _movement(m: Movement, did: str) -> MovementReply:
    return MovementReply(str(m.id), did, m.reason, str(m.amount), m.source, m.target, m.reference, iso(m.at))
