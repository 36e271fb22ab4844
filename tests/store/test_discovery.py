"""Searches are planned well however few rows there were when it was done."""

import pytest

from ainp.store.db import PLANS
from ainp.store.discovery import filled
from support.migrating import connected

VECTOR = "ARRAY[1.0]::real[] || array_fill(0.0::real, ARRAY[255])"
LOOKED_AT = {
    "nearest": "Index Scan using idx_capability_vectors_1 on capability_vectors",
    "nearest_tagged": "Bitmap Index Scan on idx_capabilities_tags",
    "nearest_trusted": "idx_agents_trust_rank",
}


@pytest.mark.parametrize("name", LOOKED_AT)
async def test_a_search_that_was_planned_on_empty_tables_never_reads_all_vectors(database_url: str, name: str) -> None:
    async with connected(database_url) as connection:
        for setting, value in PLANS.items():
            await connection.execute(f"SET {setting} = {value}")
        await connection.execute(f"PREPARE search (real[], text[], int, text[]) AS {filled(name, 1, 256, 60)}")
        rows = await connection.fetch(f"EXPLAIN (COSTS OFF) EXECUTE search ({VECTOR}, '{{rare}}', 1, '{{}}')")
    plan = "\n".join(row[0] for row in rows)

    assert LOOKED_AT[name] in plan, plan
    assert "Index Cond: (model_id = 1)" not in plan, plan
    assert "Seq Scan" not in plan, plan
