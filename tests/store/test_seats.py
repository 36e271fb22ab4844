"""A member's receipts, page by page: the same whatever the job has listed, and whoever writes meanwhile."""

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest

from ainp.core.did import AgentDid
from ainp.core.ids import TaskId
from ainp.core.receipt import ReceiptStatus
from ainp.operations import seats
from ainp.operations.receipts import LAST
from ainp.store import migrate, receipts
from ainp.store.db import Database
from ainp.store.queries import load
from ainp.store.receipts import Filter
from ainp.store.seats import Mark
from support.builders import agents
from support.migrating import connected

MEMBERS = agents(5, "member")
_SLACK = timedelta(seconds=2)  # that the job stays behind
_OPEN = (
    "INSERT INTO task_receipts (id, agent_did, client_did, committee, created_at)"
    " VALUES ($1, 'agent', 'client', $2::text::jsonb, clock_timestamp() - $3::interval) RETURNING created_at"
)
_EXTEND = "UPDATE task_receipts SET committee = $2::text::jsonb, later_committee = $2::text::jsonb WHERE id = $1"
_MANY = (
    "INSERT INTO task_receipts (id, agent_did, client_did, committee, status, created_at)"
    " SELECT md5('receipt' || n)::uuid, 'agent', 'client', jsonb_build_array($1::text),"
    "        CASE WHEN n % 1000 = 0 THEN 'pending' ELSE 'finalized' END, now() + n * interval '1 microsecond'"
    "   FROM generate_series(1, $2::int) n"
)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url, size=5)
    await database.open()
    yield database
    await database.close()


async def read(db: Database, wanted: Filter, *, limit: int) -> list[UUID]:
    """All pages."""
    found: list[UUID] = []
    below = LAST
    while page := await receipts.page(db, wanted, below=(below[0], TaskId(below[1])), limit=limit):
        found += [receipt.id for receipt in page]
        below = (page[-1].created_at, page[-1].id)
        if len(page) < limit:
            break
    return found


async def mark_now(db: Database) -> Mark:
    """As far as the job may go, without staying behind: in these tests nothing is dated back unknown to the trigger."""
    mark = await seats.mark(db)
    return replace(mark, until=mark.until + _SLACK)


async def list_now(db: Database) -> int | None:
    """What the job does."""
    return await seats.list_on(db, await mark_now(db))


async def listed(db: Database) -> int:
    """How many seats are listed; none may be missing."""
    assert await db.fetch(load("fsck")["seats"]) == []
    return int(await db.fetchval("SELECT count(*) FROM receipt_seats"))


def as_json(committee: Sequence[str]) -> str:
    return "[" + ", ".join(f'"{did}"' for did in committee) + "]"


@dataclass
class Written:
    """Receipts as they are committed, and as those who still write will leave them."""

    chance: random.Random
    receipts: dict[UUID, tuple[datetime, frozenset[str]]] = field(default_factory=dict)
    writing: dict[asyncpg.Connection, dict[UUID, tuple[datetime, frozenset[str]]]] = field(default_factory=dict)

    async def open(self, connection: asyncpg.Connection, into: dict[UUID, tuple[datetime, frozenset[str]]]) -> None:
        """Open a receipt, one in three dated back."""
        id_, committee = uuid4(), self.chance.sample(MEMBERS, self.chance.randrange(4))
        back = timedelta(seconds=self.chance.choice([0, 0, self.chance.randrange(3, 60)]))
        into[id_] = (await connection.fetchval(_OPEN, id_, as_json(committee), back), frozenset(committee))

    async def extend(self, connection: asyncpg.Connection, into: dict[UUID, tuple[datetime, frozenset[str]]]) -> None:
        """Give more seats on a receipt that nobody else is writing."""
        held = {id_ for those in self.writing.values() for id_ in those}
        free = [id_ for id_ in self.receipts if id_ not in held]
        if free:
            id_ = self.chance.choice(free)
            at, before = self.receipts[id_]
            after = before | set(self.chance.sample(MEMBERS, 1))
            await connection.execute(_EXTEND, id_, as_json(sorted(after)))
            into[id_] = (at, after)

    async def write(self, connection: asyncpg.Connection) -> None:
        """Write something, in a transaction that stays open or in one of its own."""
        into = self.writing.get(connection, self.receipts)
        await self.chance.choice([self.open, self.open, self.extend])(connection, into)

    async def begin_or_end(self, connection: asyncpg.Connection) -> None:
        """Begin a transaction, or end it."""
        if connection not in self.writing:
            self.writing[connection] = {}
            await connection.execute("BEGIN")
        elif self.chance.random() < 0.3:
            del self.writing[connection]
            await connection.execute("ROLLBACK")
        else:
            await connection.execute("COMMIT")
            self.receipts |= self.writing.pop(connection)

    def of(self, member: str) -> list[UUID]:
        """A member's receipts, newest first."""
        own = [(at, id_) for id_, (at, committee) in self.receipts.items() if member in committee]
        return [id_ for _, id_ in sorted(own, reverse=True)]


@pytest.mark.parametrize("seed", range(3))
async def test_pages_are_right_at_every_moment(database: Database, database_url: str, seed: int) -> None:
    chance = random.Random(seed)
    written = Written(chance)
    passes = []
    async with AsyncExitStack() as stack:
        connections = [await stack.enter_async_context(connected(database_url)) for _ in range(3)]
        mark = await mark_now(database)
        for _ in range(200):
            match chance.randrange(7):
                case 0 | 1 | 2:
                    await written.write(chance.choice(connections))
                case 3:
                    await written.begin_or_end(chance.choice(connections))
                case 4:
                    mark = await mark_now(database)
                case _:
                    passes.append(await seats.list_on(database, mark))  # others have begun to write since, perhaps
            member = chance.choice(MEMBERS)

            assert await read(database, Filter(member=member), limit=chance.randrange(1, 6)) == written.of(member)

        for connection in [*written.writing]:
            await written.begin_or_end(connection)
        await list_now(database)

        assert {None, 0} < set(passes)
        for member in MEMBERS:
            assert await read(database, Filter(member=member), limit=100) == written.of(member)
        assert await listed(database) == sum(len(committee) for _, committee in written.receipts.values())


async def test_the_job_does_not_pass_who_is_still_writing(database: Database, database_url: str) -> None:
    id_ = uuid4()
    async with connected(database_url) as slow:
        async with slow.transaction():
            await slow.fetchval(_OPEN, id_, as_json(MEMBERS[:1]), timedelta())
            meanwhile = await list_now(database)
        afterwards = await list_now(database)

    assert (meanwhile, afterwards) == (None, 1)
    assert await read(database, Filter(member=MEMBERS[0]), limit=5) == [id_]


async def test_the_job_does_not_pass_seats_that_are_being_given(database: Database, database_url: str) -> None:
    id_ = uuid4()
    await database.fetchval(_OPEN, id_, as_json(MEMBERS[:1]), timedelta())
    mark = await mark_now(database)
    async with connected(database_url) as later:
        async with later.transaction():
            await later.execute(_EXTEND, id_, as_json(MEMBERS[:2]))
            meanwhile = await seats.list_on(database, mark)
        afterwards = await seats.list_on(database, mark)

    assert (meanwhile, afterwards) == (None, 1)
    assert await read(database, Filter(member=MEMBERS[1]), limit=5) == [id_]


async def test_the_job_stays_behind_and_a_page_has_what_it_has_not_listed(database: Database) -> None:
    id_ = uuid4()
    await database.fetchval(_OPEN, id_, as_json(MEMBERS[:1]), timedelta())

    await seats.list_on(database, await seats.mark(database))

    assert await listed(database) == 0
    assert await read(database, Filter(member=MEMBERS[0]), limit=5) == [id_]


async def test_pages_are_right_while_the_job_is_far_behind(database: Database) -> None:
    await database.execute(_MANY, MEMBERS[0], 5010)
    pending = Filter(member=MEMBERS[0], status=ReceiptStatus.PENDING)
    whole, chosen = await read(database, Filter(member=MEMBERS[0]), limit=200), await read(database, pending, limit=2)

    while await list_now(database):
        pass

    assert (len(whole), len(chosen), await listed(database)) == (5010, 5, 5010)
    assert await read(database, Filter(member=MEMBERS[0]), limit=200) == whole
    assert await read(database, pending, limit=2) == chosen
    assert await read(database, Filter(member=MEMBERS[1]), limit=200) == []


@pytest.mark.parametrize(
    "wanted",
    [
        Filter(agent=AgentDid("agent")),
        Filter(client=AgentDid("client")),
        Filter(member=MEMBERS[0]),
        Filter(status=ReceiptStatus.PENDING),
    ],
    ids=["agent", "client", "member", "status"],
)
async def test_receipts_of_one_moment_are_all_paged(database: Database, wanted: Filter) -> None:
    ids = sorted((uuid4() for _ in range(7)), reverse=True)
    for id_ in ids:
        await database.fetchval(_OPEN, id_, as_json(MEMBERS[:1]), timedelta())
    await database.execute("UPDATE task_receipts SET created_at = now()")

    assert await read(database, wanted, limit=3) == ids


@pytest.mark.parametrize("lost", ["052", "task_receipts"])
async def test_what_was_rolled_back_is_listed_anew(database: Database, database_url: str, lost: str) -> None:
    async with connected(database_url) as connection:
        await connection.fetchval(_OPEN, uuid4(), as_json(MEMBERS[:2]), timedelta())
        await list_now(database)
        if lost == "052":
            await migrate.down(connection, to=51)
        else:
            await connection.execute("DROP TABLE task_attestations; DROP TABLE task_receipts")
        await migrate.up(connection)
        id_ = uuid4()
        await connection.fetchval(_OPEN, id_, as_json(MEMBERS[:2]), timedelta(minutes=1))

    before = await read(database, Filter(member=MEMBERS[1]), limit=1)
    await list_now(database)

    assert await read(database, Filter(member=MEMBERS[1]), limit=1) == before
    assert len(before) == await listed(database) / 2 == (2 if lost == "052" else 1)
    assert id_ in before


async def test_a_listing_whose_row_is_gone_hides_nothing(database: Database) -> None:
    await database.fetchval(_OPEN, uuid4(), as_json(MEMBERS[:2]), timedelta())
    await list_now(database)
    await database.execute("DELETE FROM seat_listing")

    assert len(await read(database, Filter(member=MEMBERS[1]), limit=5)) == 1
