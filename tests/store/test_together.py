"""Calls that come at the same moment are one statement, and each is still its own."""

import asyncio
from collections.abc import Sequence

import pytest

from ainp.core.errors import DatabaseUnavailable
from ainp.store.db import Database
from ainp.store.together import Gathering, Together


class Recorder:
    """A statement that remembers what it was given; *gate* holds it up."""

    def __init__(self) -> None:
        self.given: list[list[int]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.held: set[int] = set()

    async def run(self, _: object, items: Sequence[int]) -> list[int]:
        self.given.append(list(items))
        if self.held.intersection(items):
            await self.gate.wait()
        if 13 in items:
            raise ValueError("13 breaks a rule")
        if 99 in items:
            raise DatabaseUnavailable("gone")
        return [item * 10 for item in items]


def gathering(recorder: Recorder, **options: object) -> Gathering[int, int]:
    return Gathering(None, Together(recorder.run, **options))  # type: ignore[arg-type]


async def test_what_comes_at_the_same_moment_is_one_statement() -> None:
    recorder = Recorder()
    together = gathering(recorder)

    answers = await asyncio.gather(*(together.join(item) for item in range(5)))

    assert recorder.given == [[0, 1, 2, 3, 4]]
    assert answers == [0, 10, 20, 30, 40]


async def test_nobody_waits_for_company() -> None:
    recorder = Recorder()

    assert await gathering(recorder).join(7) == 70

    assert recorder.given == [[7]]


async def test_whoever_comes_while_it_is_busy_goes_next() -> None:
    recorder = Recorder()
    recorder.gate.clear()
    recorder.held = {1}
    together = gathering(recorder)
    first = asyncio.create_task(together.join(1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    others = [asyncio.create_task(together.join(item)) for item in (2, 3)]
    await asyncio.sleep(0)
    recorder.gate.set()

    assert [await first, *[await other for other in others]] == [10, 20, 30]
    assert recorder.given == [[1], [2, 3]]


async def test_a_statement_that_waits_for_a_lock_does_not_hold_up_the_others() -> None:
    recorder = Recorder()
    recorder.gate.clear()
    recorder.held = {1}
    together = gathering(recorder)
    stuck = asyncio.create_task(together.join(1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert await together.join(2) == 20

    assert not stuck.done()
    recorder.gate.set()
    assert await stuck == 10


async def test_those_whom_a_lane_left_behind_do_not_wait_for_what_is_stuck() -> None:
    recorder = Recorder()
    recorder.gate.clear()
    recorder.held = {1}
    together = gathering(recorder, apart=lambda item: [item % 5 if item > 1 else "its own"])
    stuck = asyncio.create_task(together.join(1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    # More than a lane carries, and such as it must not carry together.
    answers = await asyncio.gather(*(together.join(item) for item in range(100, 300)))

    assert answers == [item * 10 for item in range(100, 300)]
    assert not stuck.done()
    recorder.gate.set()
    assert await stuck == 10


async def test_many_who_want_a_locked_row_fill_no_more_than_one_lane() -> None:
    recorder = Recorder()
    recorder.gate.clear()
    recorder.held = {1}
    together = gathering(recorder, apart=lambda item: [item])
    stuck = []
    for _ in range(6):
        stuck.append(asyncio.create_task(together.join(1)))
        await asyncio.sleep(0.03)  # a lane is opened in this time, if one is

    assert await together.join(2) == 20

    assert recorder.given == [[1], [2]]
    recorder.gate.set()
    assert await asyncio.gather(*stuck) == [10] * 6


async def test_one_that_breaks_a_rule_is_refused_alone() -> None:
    recorder = Recorder()
    together = gathering(recorder)

    answers = await asyncio.gather(*(together.join(item) for item in (1, 13, 2)), return_exceptions=True)

    assert recorder.given == [[1, 13, 2], [1], [13], [2]]
    assert answers[0] == 10
    assert isinstance(answers[1], ValueError)
    assert answers[2] == 20


async def test_a_database_that_is_gone_is_gone_for_all_and_asked_once() -> None:
    recorder = Recorder()
    together = gathering(recorder)

    answers = await asyncio.gather(*(together.join(item) for item in (1, 99)), return_exceptions=True)

    assert recorder.given == [[1, 99]]
    assert [type(answer) for answer in answers] == [DatabaseUnavailable, DatabaseUnavailable]


async def test_what_writes_the_same_row_is_kept_apart() -> None:
    recorder = Recorder()
    together = gathering(recorder, apart=lambda item: [item % 2])

    answers = await asyncio.gather(*(together.join(item) for item in (1, 2, 3, 4, 5)))

    assert answers == [10, 20, 30, 40, 50]
    assert all(len({item % 2 for item in items}) == len(items) for items in recorder.given)
    assert sorted(item for items in recorder.given for item in items) == [1, 2, 3, 4, 5]


async def test_who_goes_away_before_the_start_is_not_run() -> None:
    recorder = Recorder()
    together = gathering(recorder)
    staying = asyncio.create_task(together.join(1))
    leaving = asyncio.create_task(together.join(2))
    await asyncio.sleep(0)

    leaving.cancel()

    assert await staying == 10
    with pytest.raises(asyncio.CancelledError):
        await leaving


async def test_a_statement_is_not_given_more_than_it_can_carry() -> None:
    recorder = Recorder()
    together = gathering(recorder)

    answers = await asyncio.gather(*(together.join(item) for item in range(100, 300)))

    assert answers == [item * 10 for item in range(100, 300)]
    assert max(map(len, recorder.given)) == 64


async def test_in_a_transaction_a_call_is_run_alone_and_undone_with_it(database_url: str) -> None:
    async def insert(db: Database, dids: Sequence[str]) -> list[None]:
        await db.execute("INSERT INTO auditor_records (did) SELECT unnest($1::text[])", dids)
        return [None] * len(dids)

    statement: Together[str, None] = Together(insert)
    db = Database(database_url, size=2)
    await db.open()
    try:
        with pytest.raises(RuntimeError):
            await _undone(db, statement)
        await asyncio.gather(db.together(statement, "did:key:zA"), db.together(statement, "did:key:zB"))

        stored = [row["did"] for row in await db.fetch("SELECT did FROM auditor_records ORDER BY did")]
        assert stored == ["did:key:zA", "did:key:zB"]
    finally:
        await db.close()


async def _undone(db: Database, statement: Together[str, None]) -> None:
    async with db.transaction() as tx:
        await tx.together(statement, "did:key:zUndone")
        raise RuntimeError
