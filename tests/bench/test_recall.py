"""Filters cost no recall: what the index finds among 100,000 capabilities, against looking at every one of them."""

from dataclasses import replace
from statistics import fmean

import pytest

from ainp.adapters.embeddings_local import LocalModel
from ainp.core.credits import Credits
from ainp.core.discovery import Ceiling, text_of
from ainp.store import discovery
from ainp.store.db import Database
from ainp.store.discovery import Prepared, Wanted
from bench.discovery import crowd, dataset
from bench.discovery.crowd import RARE
from support.migrating import connected

SIZE = 100_000
FIRST = 10
ASKED = 40
FILTERS = {
    "none": Wanted(()),
    "a tag of 1 %": Wanted((), (RARE,)),
    "trust of 0.1": Wanted((), (), 100_000),
    "trust of 0.7": Wanted((), (), 700_000),
    "both": Wanted((), (RARE,), 100_000),
    "a cost that 1 % keep to": Wanted((), ceiling=Ceiling(cost=Credits(0))),
    "a cost that 20 % keep to": Wanted((), ceiling=Ceiling(cost=Credits(19_000))),
    "half of the latencies, 90 % of the costs": Wanted((), ceiling=Ceiling(49, Credits(89_000))),
    "quick or cheap, but hardly both": Wanted((), ceiling=Ceiling(20, Credits(20_000))),
}
# Of each hundred one costs nothing, one a credit and so on; what costs more takes less time, but for one in a thousand.
TERMS = """
UPDATE capabilities SET cost = 1000 * of_hundred,
                        latency_ms = CASE WHEN number % 1000 < 1 THEN 0 ELSE 99 - of_hundred END
  FROM (SELECT id AS said, ('x' || right(id::text, 8))::bit(32)::int AS number,
               ('x' || right(id::text, 8))::bit(32)::int % 100 AS of_hundred FROM capabilities) numbers
 WHERE id = said
"""
EXACT = """
SELECT c.id FROM capability_vectors v
  JOIN capabilities c ON c.id = v.capability_id JOIN agents a ON a.id = c.agent_id
 WHERE (cardinality($2::text[]) = 0 OR c.tags && $2) AND a.trust_rank >= $3
   AND c.latency_ms <= $5 AND c.cost <= $6
 ORDER BY v.embedding <=> $1::real[]::halfvec LIMIT $4
"""


async def fill(url: str, size: int) -> None:
    """Store a crowd; the index is made last, which is faster and the same to a search."""
    model, members = LocalModel(), list(crowd.crowd(size))
    async with connected(url) as connection:
        await connection.execute("DROP INDEX idx_capability_vectors_1")
        for at in range(0, size, 500):
            batch = members[at : at + 500]
            texts = [text_of(member.description, member.tags) for member in batch]
            await crowd.store(connection, batch, await model.embed(texts))
        await connection.execute(TERMS)
        await connection.execute("SET maintenance_work_mem = '600MB'")
        await connection.execute("SELECT prepare_vectors('wordllama:l2_supercat_256', 256, 0, 1)")
        await connection.execute("VACUUM ANALYZE")


async def recall(url: str, database: Database, model: Prepared, wanted: Wanted) -> float:
    """How many of the ten nearest are found, on average over the queries."""
    texts = [query.text for query in dataset.queries(dataset.Half.TUNING)][:ASKED]
    found = []
    async with connected(url) as connection:
        for vector in await LocalModel().embed(texts):
            asked = replace(wanted, vector=vector)
            near = sorted(await discovery.nearest(database, model, asked, most=60), key=lambda one: -one.cosine)
            right = await connection.fetch(EXACT, vector, list(wanted.tags), wanted.min_trust, FIRST, *wanted.most)
            ids = {row["id"] for row in right}
            found.append(len(ids & {one.capability for one in near[:FIRST]}) / max(1, len(ids)))
    return fmean(found)


@pytest.mark.long
@pytest.mark.timeout(1800)
async def test_of_the_ten_nearest_at_least_95_percent_are_found_whatever_the_filter(database_url: str) -> None:
    await fill(database_url, SIZE)
    database = Database(database_url, size=1)
    await database.open()
    try:
        known = await discovery.known(database, "wordllama:l2_supercat_256")
        assert known is not None
        measured = {name: await recall(database_url, database, known[0], wanted) for name, wanted in FILTERS.items()}
    finally:
        await database.close()

    assert min(measured.values()) >= 0.95, measured
