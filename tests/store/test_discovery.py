"""Searches are planned well however few rows there were when it was done."""

from dataclasses import replace

import pytest

from ainp.store.db import PLANS
from ainp.store.discovery import Way, Ways, filled
from bench.discovery import crowd
from bench.discovery.crowd import Member
from support.migrating import connected

VECTOR = "'[1" + 255 * ",0" + "]'"
LOOKED_AT = {
    "nearest": "Index Scan using idx_capability_vectors_1 on capability_vectors",
    "nearest_recorded": "Index Scan using idx_capability_vectors_1_recorded on capability_vectors",
    "nearest_tagged": "Bitmap Index Scan on idx_capabilities_tags",
    "nearest_trusted": "idx_agents_trust_rank",
}


@pytest.mark.parametrize("name", LOOKED_AT)
async def test_a_search_that_was_planned_on_empty_tables_never_reads_all_vectors(database_url: str, name: str) -> None:
    async with connected(database_url) as connection:
        for setting, value in PLANS.items():
            await connection.execute(f"SET {setting} = {value}")
        await connection.execute(f"PREPARE search (text, text[], int, text[]) AS {filled(name, 1, 256, 60)}")
        rows = await connection.fetch(f"EXPLAIN (COSTS OFF) EXECUTE search ({VECTOR}, '{{rare}}', 1, '{{}}')")
    plan = "\n".join(row[0] for row in rows)

    assert LOOKED_AT[name] in plan, plan
    assert "Index Cond: (model_id = 1)" not in plan, plan
    assert "Seq Scan" not in plan, plan


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
