"""The ledger's constraints and triggers, and what many writers at once do to them."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Sequence

import asyncpg
import pytest

from ainp.core.credits import Credits
from ainp.core.did import AgentDid
from ainp.core.ledger import FEES, MINT, POOL, Account, Entry, Reason, available, deposit, release, reserve
from ainp.store import ledger
from ainp.store.db import Database
from support.books import wrong
from support.builders import NEGOTIATION_ID, agents, an_agent

WORKER = an_agent("worker")


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url, size=20)
    await database.open()
    yield database
    await database.close()


async def test_an_entry_moves_both_balances(database: Database) -> None:
    await ledger.post(database, deposit(WORKER, 700, key="a"))

    assert await ledger.balance(database, WORKER) == ledger.Balance(700, 0, 0, 0, 0)
    assert await held(database, MINT) == -700
    assert await wrong(database) == []


async def test_an_account_without_entries_has_no_balance(database: Database) -> None:
    assert await ledger.balance(database, WORKER) is None


async def test_reserving_and_releasing_is_neither_earned_nor_spent(database: Database) -> None:
    await ledger.post(database, deposit(WORKER, 700, key="a"))
    await ledger.post(database, reserve(WORKER, 300, NEGOTIATION_ID))

    assert await ledger.balance(database, WORKER) == ledger.Balance(400, 300, 0, 0, 0)

    await ledger.post(database, release(WORKER, 300, NEGOTIATION_ID))

    assert await ledger.balance(database, WORKER) == ledger.Balance(700, 0, 0, 0, 0)


async def test_what_was_paid_is_spent_by_one_and_earned_by_the_other(database: Database) -> None:
    payer = an_agent("payer")
    await ledger.post(database, deposit(payer, 700, key="a"))
    await ledger.post(database, [transfer("t", payer, WORKER, 200)])

    assert await ledger.balance(database, payer) == ledger.Balance(500, 0, 0, 0, 200)
    assert await ledger.balance(database, WORKER) == ledger.Balance(200, 0, 0, 200, 0)


@pytest.mark.parametrize("source", [available(WORKER), FEES, POOL], ids=["agent", "fees", "pool"])
async def test_no_account_but_the_mint_goes_below_zero(database: Database, source: Account) -> None:
    entry = Entry("t", source, available(an_agent("other")), Credits(1), Reason.SETTLEMENT)

    with pytest.raises(asyncpg.CheckViolationError):
        await ledger.post(database, [entry])

    assert await database.fetchval("SELECT count(*) FROM ledger_entries") == 0
    assert await wrong(database) == []


@pytest.mark.parametrize("amount", [0, -1])
async def test_an_amount_is_positive(database: Database, amount: int) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await ledger.post(database, [Entry("t", MINT, available(WORKER), Credits(amount), Reason.DEPOSIT)])


async def test_an_entry_goes_to_another_account(database: Database) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await ledger.post(database, [Entry("t", MINT, MINT, Credits(1), Reason.DEPOSIT)])


async def test_a_balance_is_not_written_negative_by_hand_either(database: Database) -> None:
    await ledger.post(database, deposit(WORKER, 1, key="a"))

    with pytest.raises(asyncpg.CheckViolationError):
        await database.execute("UPDATE accounts SET balance = -1 WHERE account <> 'mint'")


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE ledger_entries SET amount = 2",
        "UPDATE ledger_entries SET reason = reason WHERE false",
        "DELETE FROM ledger_entries",
        "TRUNCATE ledger_entries",
    ],
)
async def test_entries_never_change(database: Database, change: str) -> None:
    await ledger.post(database, deposit(WORKER, 1, key="a"))

    with pytest.raises(asyncpg.RestrictViolationError, match="never change"):
        await database.execute(change)

    assert (await ledger.balance(database, WORKER)) == ledger.Balance(1, 0, 0, 0, 0)


async def test_a_key_is_booked_once(database: Database) -> None:
    await ledger.post(database, deposit(WORKER, 1, key="a"))

    with pytest.raises(asyncpg.UniqueViolationError):
        await ledger.post(database, [*deposit(WORKER, 5, key="b"), *deposit(WORKER, 1, key="a")])

    assert (await ledger.balance(database, WORKER)) == ledger.Balance(1, 0, 0, 0, 0)


async def test_fifty_with_one_key_book_once(database: Database) -> None:
    done = await all_of(*(ledger.post(database, deposit(WORKER, 10, key="a")) for _ in range(50)))

    assert Counter(map(type, done)) == {type(None): 1, asyncpg.UniqueViolationError: 49}
    assert (await ledger.balance(database, WORKER)) == ledger.Balance(10, 0, 0, 0, 0)


async def test_income_of_a_hot_account_waits_for_no_row_lock(database: Database) -> None:
    await ledger.post(database, deposit(WORKER, 100, key="a"))
    async with database.transaction() as tx:
        await ledger.post(tx, [Entry("first", available(WORKER), FEES, Credits(1), Reason.SETTLEMENT)])

        other = an_agent("other")
        await ledger.post(database, deposit(other, 100, key="b"))
        second = Entry("second", available(other), FEES, Credits(1), Reason.SETTLEMENT)
        await asyncio.wait_for(ledger.post(database, [second]), timeout=5)

    assert await held(database, FEES) == 2
    assert await database.fetchval("SELECT balance FROM accounts WHERE account = 'fees'") == 0
    assert await wrong(database) == []


async def test_rolling_up_moves_what_is_pending_into_the_balance(database: Database) -> None:
    await ledger.post(database, deposit(WORKER, 100, key="a"))
    await ledger.post(database, [Entry("t", available(WORKER), POOL, Credits(40), Reason.SETTLEMENT)])

    assert await ledger.roll_up(database) == 2  # of the mint and of the pool
    assert await ledger.roll_up(database) == 0

    rows = await database.fetch("SELECT account, balance FROM accounts WHERE hot ORDER BY account")
    assert {row["account"]: row["balance"] for row in rows} == {"fees": 0, "mint": -100, "pool": 40}
    assert await wrong(database) == []


async def test_a_hot_agents_pending_income_is_shown(database: Database) -> None:
    broker = an_agent("broker")
    await ledger.mark_hot(database, available(broker))
    await ledger.post(database, deposit(WORKER, 100, key="a"))
    await ledger.post(database, [transfer("t", WORKER, broker, 40)])

    assert await ledger.balance(database, broker) == ledger.Balance(40, 0, 0, 40, 0)

    await ledger.roll_up(database)

    assert await ledger.balance(database, broker) == ledger.Balance(40, 0, 0, 40, 0)


async def test_an_account_may_become_hot_while_it_is_paid(database: Database) -> None:
    broker, payers = an_agent("broker"), agents(20, "payer")
    await ledger.post(database, [entry for did in payers for entry in deposit(did, 100, key=did)])

    done = await all_of(
        *(ledger.post(database, [transfer(did, did, broker, 5)]) for did in payers),
        ledger.mark_hot(database, available(broker)),
        ledger.roll_up(database),
    )

    assert [error for error in done if isinstance(error, BaseException)] == []
    assert await ledger.balance(database, broker) == ledger.Balance(100, 0, 0, 100, 0)
    assert await wrong(database) == []


@pytest.mark.parametrize("seed", range(3))
async def test_rolling_up_while_others_post_loses_nothing(database: Database, seed: int) -> None:
    chance = random.Random(seed)
    payers, broker = agents(10, "payer"), an_agent("broker")
    await ledger.mark_hot(database, available(broker))
    await ledger.post(database, [entry for did in payers for entry in deposit(did, 1000, key=did)])

    async def pay(number: int) -> None:
        await asyncio.sleep(chance.uniform(0, 0.05))
        who = payers[number % len(payers)]
        targets = chance.sample([FEES, POOL, available(broker)], chance.randint(1, 3))
        await ledger.post(
            database,
            [Entry(f"{number}:{to}", available(who), to, Credits(1), Reason.SETTLEMENT) for to in targets],
        )

    async def roll_up() -> None:
        await asyncio.sleep(chance.uniform(0, 0.05))
        await ledger.roll_up(database)

    async def look() -> None:
        await asyncio.sleep(chance.uniform(0, 0.05))
        assert await wrong(database) == []

    done = await all_of(*map(pay, range(120)), *(roll_up() for _ in range(20)), *(look() for _ in range(10)))

    assert [error for error in done if isinstance(error, BaseException)] == []
    await ledger.roll_up(database)
    assert await database.fetchval("SELECT count(*) FROM ledger_pending") == 0
    assert await wrong(database) == []


async def test_a_hot_agent_may_spend_what_is_pending(database: Database) -> None:
    broker = an_agent("broker")
    await ledger.mark_hot(database, available(broker))
    await ledger.post(database, deposit(WORKER, 100, key="a"))
    await ledger.post(database, [transfer("t", WORKER, broker, 40)])

    await ledger.post(database, [transfer("back", broker, WORKER, 30)])

    assert await ledger.balance(database, broker) == ledger.Balance(10, 0, 0, 40, 30)
    assert await wrong(database) == []


async def test_a_hot_agent_that_is_paid_pays_and_is_rolled_up_at_once_loses_nothing(database: Database) -> None:
    broker, payers = an_agent("broker"), agents(5, "payer")
    await ledger.mark_hot(database, available(broker))
    await ledger.post(database, [entry for did in (*payers, broker) for entry in deposit(did, 60, key=did)])

    done = await all_of(
        *(ledger.post(database, [transfer(f"in {n}", payers[n % 5], broker, 1)]) for n in range(100)),
        *(ledger.post(database, [transfer(f"out {n}", broker, payers[n % 5], 3)]) for n in range(60)),
        *(ledger.roll_up(database) for _ in range(20)),
    )

    refused = sum(isinstance(error, asyncpg.CheckViolationError) for error in done)
    assert sum(isinstance(error, BaseException) for error in done) == refused <= 60
    paid_out = await database.fetchval("SELECT count(*) FROM ledger_entries WHERE key LIKE 'out %'")
    held_now = await ledger.balance(database, broker)
    assert held_now is not None
    assert held_now.available == 60 + 100 - 3 * paid_out
    assert await wrong(database) == []


@pytest.mark.parametrize("seed", range(3))
async def test_crossing_transfers_never_wait_in_a_circle(database: Database, seed: int) -> None:
    """Statements of up to six entries between the same few accounts, in any order, over twenty connections."""
    chance = random.Random(seed)
    dids = agents(6, "trader")
    await ledger.post(database, [entry for did in dids for entry in deposit(did, 200, key=did)])

    def crossing(number: int) -> Sequence[Entry]:
        pairs = [chance.sample(dids, 2) for _ in range(chance.randint(1, 6))]
        return [
            transfer(f"{number}:{place}", source, target, chance.randint(1, 60))
            for place, (source, target) in enumerate(pairs)
        ]

    done = await all_of(*(ledger.post(database, crossing(number)) for number in range(200)))

    assert Counter(map(type, done)).keys() <= {type(None), asyncpg.CheckViolationError}
    assert await wrong(database) == []


async def held(database: Database, account: Account) -> int:
    found: int = await database.fetchval(
        "SELECT balance + coalesce((SELECT sum(amount) FROM ledger_pending p WHERE p.account = a.account), 0)::bigint"
        " FROM accounts a WHERE account = $1",
        account,
    )
    return found


def transfer(key: str, source: AgentDid, target: AgentDid, amount: int) -> Entry:
    return Entry(key, available(source), available(target), Credits(amount), Reason.SETTLEMENT)


async def all_of(*calls: Awaitable[object]) -> list[object]:
    return list(await asyncio.gather(*calls, return_exceptions=True))
