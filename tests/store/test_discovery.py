"""Searches are planned well however few rows there were when it was done."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from ainp.core.credits import Credits
from ainp.core.discovery import Ceiling
from ainp.store import discovery
from ainp.store.db import PLANS, Database
from ainp.store.discovery import Prepared, Wanted, Way, Ways, filled
from bench.discovery import crowd
from bench.discovery.crowd import Member
from support.migrating import connected

EAST = [1.0] + 255 * [0.0]
VECTOR = "'[1" + 255 * ",0" + "]'"
LOOKED_AT = {
    "nearest": "Index Scan using idx_capability_vectors_1 on capability_vectors",
    "nearest_recorded": "Index Scan using idx_capability_vectors_1_recorded on capability_vectors",
    "nearest_tagged": "Bitmap Index Scan on idx_capabilities_tags",
    "nearest_trusted": "idx_agents_trust_rank",
    "nearest_within": "Index Cond: ((COALESCE(latency_ms, '0'::bigint) <= $5) AND (COALESCE(cost, '0'::bigint) <= $6))",
}


@pytest.mark.parametrize("name", LOOKED_AT)
async def test_a_search_that_was_planned_on_empty_tables_never_reads_all_vectors(database_url: str, name: str) -> None:
    async with connected(database_url) as connection:
        for setting, value in PLANS.items():
            await connection.execute(f"SET {setting} = {value}")
        await connection.execute(
            f"PREPARE search (text, text[], int, text[], bigint, bigint) AS {filled(name, 1, 256, 60)}"
        )
        rows = await connection.fetch(f"EXPLAIN (COSTS OFF) EXECUTE search ({VECTOR}, '{{rare}}', 1, '{{}}', 1, 1)")
    plan = "\n".join(row[0] for row in rows)

    assert LOOKED_AT[name] in plan, plan
    assert "Index Cond: (model_id = 1)" not in plan, plan
    assert "Seq Scan" not in plan, plan


async def test_terms_narrow_a_search_by_every_way_and_what_says_nothing_is_found(database_url: str) -> None:
    said = [(None, None), (10, None), (99, None), (None, 10), (None, 99), (10, 10), (10, 99), (99, 10)]
    members = [Member(number, f"does {number}", ("tag",), 7) for number in range(len(said))]
    found = {}
    async with connected(database_url) as connection:
        await crowd.store(connection, members, [EAST] * len(said))
        await connection.executemany(
            "UPDATE capabilities SET latency_ms = $2, cost = $3 WHERE id = $1",
            [(member.id, *terms) for member, terms in zip(members, said, strict=True)],
        )
    async with searching(database_url) as (database, model):
        for name in LOOKED_AT:
            for most in ((20, None), (None, 20), (20, 20)):
                wanted = Wanted(EAST, ("tag",), 1, Ceiling(most[0], None if most[1] is None else Credits(most[1])))
                model.ways.remember((wanted.tags, wanted.min_trust, wanted.ceiling), Way(name, 100))
                near = await discovery.nearest(database, model, wanted, most=60)
                found[name, most] = {one.capability.int - 1 for one in near}

    assert found == {
        (name, most): numbers
        for name in LOOKED_AT
        for most, numbers in {
            (20, None): {0, 1, 3, 4, 5, 6},
            (None, 20): {0, 1, 2, 3, 5, 7},
            (20, 20): {0, 1, 3, 5},
        }.items()
    }


async def test_terms_that_few_keep_to_are_looked_at_one_by_one(database_url: str) -> None:
    members = [Member(number, f"does {number}", (), 0) for number in range(300)]
    async with connected(database_url) as connection:
        await crowd.store(connection, members, [EAST] * 300)
        await connection.executemany(
            "UPDATE capabilities SET latency_ms = $2::bigint, cost = 300 - $2::bigint WHERE id = $1",
            [(m.id, m.number) for m in members],
        )
    async with searching(database_url) as (database, model):
        ways = []
        for most in (Ceiling(250), Ceiling(5), Ceiling(200, Credits(103))):
            await discovery.nearest(database, model, Wanted(EAST, ceiling=most), most=60)
            ways.append(model.ways.recall(((), 0, most)))

    assert [None if way is None else way.statement for way in ways] == ["nearest", "nearest_within", "nearest_within"]


@asynccontextmanager
async def searching(database_url: str) -> AsyncIterator[tuple[Database, Prepared]]:
    database = Database(database_url, size=1)
    await database.open()
    try:
        known = await discovery.known(database, "wordllama:l2_supercat_256")
        assert known is not None
        yield database, known[0]
    finally:
        await database.close()


async def test_whoever_ever_had_trust_is_among_those_who_have_a_record(database_url: str) -> None:
    members = [Member(number, f"does {number}", (), 0) for number in range(3)]
    vectors = [[1.0] + 255 * [0.0]] * 3
    recorded = "SELECT array_agg(recorded ORDER BY capability_id) FROM capability_vectors"
    async with connected(database_url) as connection:
        await crowd.store(connection, members[:2], vectors[:2])
        await connection.execute("UPDATE agents SET trust_rank = 7 WHERE id = $1", members[1].id)
        await crowd.store(connection, [replace(members[2], trust=1)], vectors[:1])
        before = await connection.fetchval(recorded)
        await connection.execute("UPDATE agents SET trust_rank = 0")

        assert before == await connection.fetchval(recorded) == [False, True, True]


def test_a_way_is_remembered_for_the_filters_that_were_asked_last() -> None:
    ways = Ways()
    for number in range(2000):
        ways.remember(number, Way("nearest"))

    assert (ways.recall(0), ways.recall(1999)) == (None, Way("nearest"))
