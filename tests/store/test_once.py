"""A nonce is used with the first thing that is written for it, and never twice."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime

import pytest

from ainp.core.errors import InvalidRequest, ReplayDetected
from ainp.store.db import Database, Session
from ainp.store.nonces import Nonce, nonce_of
from ainp.store.once import Once
from ainp.store.together import Together

UNTIL = datetime(2100, 1, 1, tzinfo=UTC)
_WRITE = "WITH said AS (SELECT unnest($1::text[]) AS did) INSERT INTO welcome_notes SELECT did FROM said"


async def _write(db: Session, items: Sequence[str]) -> list[bool]:
    await db.fetch(_WRITE, items)
    return [True] * len(items)


WRITE = Together(_write, writes=True)
READ = Together(_write)


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url, size=5)
    await database.open()
    await database.execute("CREATE TABLE welcome_notes (did text PRIMARY KEY)")
    yield database
    await database.close()


def nonce(value: str = "n") -> Nonce:
    return nonce_of("did:key:a", value, until=UNTIL)


async def written(db: Database) -> list[str]:
    return [row["did"] for row in await db.fetch("SELECT did FROM welcome_notes ORDER BY did")]


async def used(db: Database) -> int:
    return int(await db.fetchval("SELECT count(*) FROM used_nonces"))


async def test_it_is_used_with_what_is_written(db: Database) -> None:
    await Once(db, nonce()).together(WRITE, "a")
    with pytest.raises(ReplayDetected):
        await Once(db, nonce()).together(WRITE, "b")

    assert (await written(db), await used(db)) == (["a"], 1)


async def test_a_request_that_writes_twice_uses_it_once(db: Database) -> None:
    once = Once(db, nonce())
    await once.together(WRITE, "a")
    await once.together(WRITE, "b")
    async with once.transaction() as tx:
        await _write(tx, ["c"])
    await once.close()

    assert (await written(db), await used(db)) == (["a", "b", "c"], 1)


async def test_those_who_share_a_statement_with_a_replay_write(db: Database) -> None:
    await Once(db, nonce("old")).together(WRITE, "z")

    async def one(place: int) -> bool:
        value = "old" if place % 3 == 0 else f"new {place}"
        try:
            return await Once(db, nonce(value)).together(WRITE, str(place))
        except ReplayDetected:
            return False

    done = await asyncio.gather(*map(one, range(9)))

    assert done == [place % 3 != 0 for place in range(9)]
    assert (await written(db), await used(db)) == (["1", "2", "4", "5", "7", "8", "z"], 7)


async def test_what_is_rolled_back_leaves_it_for_the_next_try(db: Database) -> None:
    once = Once(db, nonce())
    with pytest.raises(InvalidRequest):
        async with once.transaction():
            raise InvalidRequest("no")
    assert await used(db) == 0

    async with once.transaction() as tx:
        await _write(tx, ["a"])
    with pytest.raises(ReplayDetected):
        async with Once(db, nonce()).transaction() as tx:
            await _write(tx, ["b"])

    assert await written(db) == ["a"]


async def test_reading_uses_none_and_the_end_does(db: Database) -> None:
    once = Once(db, nonce())
    await once.together(READ, "a")
    assert await used(db) == 0
    await once.close()
    await once.close()

    assert await used(db) == 1
    with pytest.raises(ReplayDetected):
        await Once(db, nonce()).close()


def test_a_nonce_is_its_signer_s() -> None:
    keys = {nonce_of(signer, value, until=UNTIL).key for signer in ("did:key:a", "did:key:b") for value in ("n", "m")}

    assert len(keys) == 4
