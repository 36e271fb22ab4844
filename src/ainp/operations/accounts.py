"""An agent's money: balances, entries, and an administrator's deposits."""

from ainp.core import ledger
from ainp.core.did import AgentDid
from ainp.core.errors import AgentNotFound, InvalidRequest, NotFound
from ainp.core.limits import MAX_DEPOSIT
from ainp.core.trail import Record, Trace
from ainp.store import agents, audit
from ainp.store import ledger as stored
from ainp.store.db import Session
from ainp.store.ledger import Balance, Movement


async def balance(db: Session, did: AgentDid) -> Balance:
    """What an agent has; NotFound for one that never registered or was paid."""
    held = await stored.balance(db, did)
    if held is None:
        if await agents.exists(db, did):
            return Balance(0, 0, 0, 0, 0)
        raise NotFound(f"no account of {did}")
    return held


async def transactions(db: Session, did: AgentDid, *, limit: int, offset: int) -> list[Movement]:
    """An agent's entries, newest first."""
    return await stored.transactions(db, did, limit=limit, offset=offset)


async def deposit(
    db: Session, did: AgentDid, amount: int, *, key: str, by: str = "", address: str | None = None
) -> Balance:
    """Book a top-up of *amount* atomic units, once for each *key*; *by* whom and from where is in the audit trail."""
    if not 1 <= amount <= MAX_DEPOSIT:
        raise InvalidRequest(f"amount: found {amount}, expected 1 to {MAX_DEPOSIT} atomic units", field="amount")
    if not await agents.exists(db, did):
        raise AgentNotFound(f"Agent not found: {did}", did=did)
    async with db.transaction() as tx:
        await stored.post(tx, ledger.deposit(did, amount, key=key))
        await audit.insert(tx, [Record(Trace.DEPOSIT, did, address, {"amount": str(amount), "key": key, "by": by})])
    return await balance(db, did)


async def roll_up(db: Session) -> int:
    """Fold pending movements into the balances of hot accounts; how many there were."""
    return await stored.roll_up(db)


async def prepare_broker_account(db: Session, broker: AgentDid | None) -> None:
    """Let the broker's own agent, which every settlement pays, take income without a row lock."""
    if broker is not None:
        await stored.mark_hot(db, ledger.available(broker))
