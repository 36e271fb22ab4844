"""An hour of usefulness is paid once, from the pool first, for work that was finalized; self-dealing loses by it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from ainp.core import ledger
from ainp.core.credits import Credits
from ainp.core.ledger import Entry, Reason
from ainp.operations import rewards, usefulness
from ainp.operations.rewards import RewardPolicy
from ainp.store import ledger as accounts
from ainp.store.db import Database
from support.builders import agents
from support.useful import held, prove, register, trade, wait_out_the_hour, wrong_money

HOUR = datetime(2026, 3, 1, 12, tzinfo=UTC)
WITHIN = HOUR + timedelta(minutes=30)
TEN = agents(10)
FREE = RewardPolicy(by_receipts=False)


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    db = Database(database_url, size=12)
    await db.open()
    yield db
    try:
        assert await wrong_money(db) == []
    finally:
        await db.close()


async def fund_pool(db: Database, amount: int) -> None:
    entry = Entry("deposit:pool", ledger.MINT, ledger.POOL, Credits(amount), Reason.DEPOSIT)
    await accounts.post(db, [entry])


async def rewarded(db: Database) -> dict[str, int]:
    rows = await db.fetch(
        "SELECT to_account, sum(amount)::bigint AS amount FROM ledger_entries WHERE reason = 'usefulness_reward'"
        " GROUP BY to_account"
    )
    return {row["to_account"].removeprefix("available:"): row["amount"] for row in rows}


async def test_of_twenty_that_pay_an_hour_at_once_on_two_nodes_one_does(db: Database, database_url: str) -> None:
    other = Database(database_url, size=12)
    await other.open()
    await register(db, TEN)
    await trade(db, list(pairwise(TEN)), at=WITHIN)
    await usefulness.aggregate(db)

    paid = await asyncio.gather(*[rewards.pay(node, HOUR, RewardPolicy()) for node in [db, other] * 10])
    await other.close()

    assert sorted(hour.paid for hour in paid) == [False, *[True] * 19]
    assert {(hour.total, hour.from_pool, hour.recipients) for hour in paid} == {(900, 900, 9)}
    assert await rewarded(db) == dict.fromkeys(TEN[1:], 100)
    assert (await rewards.pay(db, HOUR, FREE)).paid


async def test_hours_that_are_paid_at_once_do_not_take_the_same_pool(db: Database) -> None:
    await register(db, TEN)
    await prove(db, TEN)
    await usefulness.aggregate(db)
    await fund_pool(db, 150)

    paid = await asyncio.gather(
        *[rewards.pay(db, HOUR + n * timedelta(hours=1), RewardPolicy(hourly=100, by_receipts=False)) for n in range(4)]
    )

    assert sorted(hour.from_pool for hour in paid) == [0, 0, 50, 100]
    assert (await held(db))["pool"] == 0


async def test_the_pool_pays_before_the_mint_and_nothing_is_lost(db: Database) -> None:
    await register(db, TEN[:3])
    await prove(db, TEN[:3], score=3_333)
    await usefulness.aggregate(db)
    await fund_pool(db, 101)
    before = await held(db)

    hour = await rewards.pay(db, HOUR, RewardPolicy(hourly=200, by_receipts=False))

    after = await held(db)
    moved = {account: after[account] - before[account] for account in after if after[account] != before[account]}
    assert (hour.total, hour.from_pool, hour.recipients) == (200, 101, 3)
    assert sorted(moved.values()) == [-101, -99, 66, 67, 67]
    assert (moved["pool"], moved["mint"], sum(after.values())) == (-101, -99, 0)


async def test_paying_and_rolling_up_do_not_wait_for_each_other(db: Database) -> None:
    await register(db, TEN)
    await prove(db, TEN)
    await usefulness.aggregate(db)
    hours = [HOUR - n * timedelta(hours=1) for n in range(8)]

    await asyncio.gather(
        *[rewards.pay(db, hour, RewardPolicy(hourly=50, by_receipts=False)) for hour in hours],
        *[accounts.roll_up(db) for _ in hours],
        *[trade(db, [(TEN[0], TEN[1])], at=HOUR + timedelta(days=1)) for _ in hours],
    )

    assert sum((await rewarded(db)).values()) == 8 * 50


async def test_nothing_is_written_for_nothing(db: Database) -> None:
    await register(db, TEN[:2])
    await trade(db, [(TEN[0], TEN[1])], at=WITHIN, price=0)
    await usefulness.aggregate(db)

    hour = await rewards.pay(db, HOUR, RewardPolicy())

    assert [(one.agent, one.fees, one.amount) for one in hour.rewards] == [(TEN[1], 0, 0)]
    assert (hour.total, hour.recipients, await rewarded(db)) == (0, 0, {})
    assert (await rewards.pay(db, HOUR, RewardPolicy())).paid


async def test_work_counts_in_the_hour_in_which_it_was_finalized(db: Database) -> None:
    moment, client = timedelta(microseconds=1), TEN[0]
    cases = {
        TEN[1]: (HOUR, "finalized"),
        TEN[2]: (HOUR + timedelta(hours=1) - moment, "finalized"),
        TEN[3]: (HOUR - moment, "finalized"),
        TEN[4]: (HOUR + timedelta(hours=1), "finalized"),
        TEN[5]: (WITHIN, "pending"),
        TEN[6]: (WITHIN, "failed"),
    }
    await register(db, TEN)
    for worker, (at, status) in cases.items():
        await trade(db, [(client, worker)], at=at, status=status)
    await usefulness.aggregate(db)

    await rewards.pay(db, HOUR, RewardPolicy())

    assert await rewarded(db) == {TEN[1]: 100, TEN[2]: 100}


async def test_who_is_more_useful_gets_more_up_to_a_part_of_the_fees(db: Database) -> None:
    client, most, less, least, limited = TEN[:5]
    await register(db, TEN[:5])
    for worker, score, price in (
        (most, 9_000, 50_000),
        (less, 3_000, 50_000),
        (least, 999, 50_000),
        (limited, 9_000, 10),
    ):
        await trade(db, [(client, worker)], at=WITHIN, score=score, price=price)
    await usefulness.aggregate(db)

    hour = await rewards.pay(db, HOUR, RewardPolicy(hourly=2_100))

    assert await rewarded(db) == {most: 900, less: 300, limited: 1}
    assert {one.agent for one in hour.rewards} == {most, less, limited}


async def test_after_a_pause_a_day_is_caught_up_at_most(db: Database) -> None:
    wait_out_the_hour()
    last = rewards.hour_before(await db.clock())
    assert await rewards.unpaid(db) == [last]

    for ago, hours in ((9999, 24), (25, 24), (24, 24), (5, 5), (1, 1), (0, 0)):
        await rewards.pay(db, last - timedelta(hours=ago), RewardPolicy())
        found = await rewards.unpaid(db)
        assert found == [last - timedelta(hours=n) for n in reversed(range(hours))]
        assert await rewards.next_hour(db) == (found[0] if found else last + timedelta(hours=1))


async def test_each_hour_that_is_caught_up_pays_its_own_work(db: Database) -> None:
    await register(db, TEN)
    wait_out_the_hour()
    last = rewards.hour_before(await db.clock())
    await rewards.pay(db, last - timedelta(hours=4), RewardPolicy())
    await trade(db, [(TEN[0], TEN[1])], at=last - timedelta(hours=3))
    await trade(db, [(TEN[0], TEN[2])], at=last + timedelta(minutes=1), price=2000)
    await usefulness.aggregate(db)

    paid = [await rewards.pay(db, hour, RewardPolicy()) for hour in await rewards.unpaid(db)]

    assert [hour.total for hour in paid] == [100, 0, 0, 200]
    assert await rewarded(db) == {TEN[1]: 100, TEN[2]: 200}
    assert await rewards.unpaid(db) == []


def a_crowd() -> Sequence[str]:
    return [f"did:key:z{number:04}" for number in range(1000)]


async def test_a_thousand_fresh_identities_that_praise_themselves_earn_nothing(db: Database) -> None:
    crowd = a_crowd()
    await register(db, crowd)
    await prove(db, crowd)
    assert await usefulness.aggregate(db) == 1000

    assert (await rewards.pay(db, HOUR, RewardPolicy())).total == 0
    assert await rewarded(db) == {}


async def test_without_the_rule_they_share_the_hour(db: Database) -> None:
    crowd = a_crowd()
    await register(db, crowd)
    await prove(db, crowd)
    await usefulness.aggregate(db)

    hour = await rewards.pay(db, HOUR, FREE)

    assert (hour.total, hour.from_pool, hour.recipients) == (FREE.hourly, 0, 1000)
    assert set((await rewarded(db)).values()) == {10_000}


@pytest.mark.parametrize("share_bp", [5_000, 10_000], ids=["half of the fees", "all of them"])
async def test_a_thousand_identities_that_trade_with_themselves_lose_by_it(db: Database, share_bp: int) -> None:
    """At the default they lose half of what they have paid. Paid all of it back they would trade for nothing."""
    crowd = a_crowd()
    await register(db, crowd, credits_each=100_000)
    started = await held(db)
    await trade(db, list(zip(crowd, [*crowd[1:], crowd[0]], strict=True)), at=WITHIN, price=100_000)
    await usefulness.aggregate(db)

    hour = await rewards.pay(db, HOUR, RewardPolicy(hourly=10**12, fee_share_bp=share_bp))

    ended, fees = await held(db), 1000 * 20_000
    lost = sum(started[f"available:{did}"] - ended[f"available:{did}"] for did in crowd)
    audited = 1000 * 10_000  # the reward accounts, which they may get by auditing themselves
    assert hour.recipients == 1000
    assert hour.total == fees * share_bp // 10_000
    assert lost - audited == fees - hour.total
    assert (lost - audited > 0) == (share_bp < 10_000)


@pytest.mark.parametrize("policy", [RewardPolicy(hourly=700), FREE], ids=["for receipts", "for scores"])
async def test_what_a_preview_shows_is_what_is_paid(db: Database, policy: RewardPolicy) -> None:
    await register(db, TEN)
    await trade(db, list(pairwise(TEN)), at=WITHIN, score=3_000)
    await usefulness.aggregate(db)
    await prove(db, TEN[:5], score=6_001)  # since the scores were added up
    before = await held(db)

    shown = await rewards.preview(db, HOUR, policy)
    assert await held(db) == before
    assert await rewards.preview(db, HOUR, policy) == shown
    await usefulness.aggregate(db)
    paid = await rewards.pay(db, HOUR, policy)

    assert shown == paid
    assert paid.total > 0
    after = await rewards.preview(db, HOUR, policy)
    assert (after.paid, after.total, after.from_pool, after.recipients) == (
        True,
        paid.total,
        paid.from_pool,
        paid.recipients,
    )


async def test_what_is_still_being_written_is_seen(db: Database) -> None:
    async with db.transaction() as tx:
        await tx.clock()
        later = await db.clock() + timedelta(hours=1)
        assert await rewards.under_way(db, before=later)
        assert not await rewards.under_way(db, before=later - timedelta(hours=2))
