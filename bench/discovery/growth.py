"""What a search and a registration cost as the agents become many: a real broker, asked over HTTP."""

import asyncio
from collections.abc import Mapping, Sequence

import asyncpg
from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

from ainp.adapters.embeddings_local import LocalModel
from ainp.core.discovery import text_of
from bench.broker import a_folder, serving
from bench.client import Clients, Single
from bench.discovery import crowd, dataset
from bench.discovery.crowd import RARE, Member
from bench.measure import Bench, Figure
from bench.requests import agents, post

_SEARCHES = 400
_REGISTRATIONS = 300
_CONNECTIONS = 4
_ASKED: Mapping[str, Mapping[str, object]] = {
    "": {},
    ", tag of 1 %": {"tags": [RARE]},
    ", trust ≥ 0.5": {"min_trust": 0.5},
}
_SETTINGS = {"JOBS_ENABLED": "false", "LOG_LEVEL": "WARNING"}
_EMBEDDED_AT_ONCE = 500


def report(console: Console, sizes: Sequence[int]) -> None:
    """Print one table, a line for each size and kind of request."""
    columns = ("agents", "request", "CPU ms", "PostgreSQL ms", "p50 ms", "p95 ms", "a second")
    table = Table(*columns, box=MARKDOWN)
    with (
        Clients(1) as clients,
        a_folder() as folder,
        serving(folder, _SETTINGS) as served,
        Bench(served, clients, patience_s=5, jobs=False) as bench,
    ):
        bench.run([_search("begin", {})])  # the first search makes the index
        members, at = list(crowd.crowd(max(sizes))), 0
        for size in sorted(sizes):
            asyncio.run(_add(served.dsn, members[at:size]))
            at = size
            for figure in _measured(bench, size):
                cost = (f"{figure.cpu:.2f}", f"{figure.postgres:.2f}")
                times = (f"{figure.p50:.1f}", f"{figure.p95:.1f}", f"{figure.rate:.0f}")
                table.add_row(f"{size:,}", figure.name, *cost, *times)
    console.print(table)


async def _add(dsn: str, members: Sequence[Member]) -> None:
    connection, model = await asyncpg.connect(dsn), LocalModel()
    try:
        for at in range(0, len(members), _EMBEDDED_AT_ONCE):
            batch = members[at : at + _EMBEDDED_AT_ONCE]
            vectors = await model.embed([text_of(member.description, member.tags) for member in batch])
            await crowd.store(connection, batch, vectors)
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()


def _measured(bench: Bench, size: int) -> Sequence[Figure]:
    texts = [query.text for query in dataset.queries(dataset.Half.TUNING)]
    figures = []
    for name, filters in _ASKED.items():
        works = [_search(f"{texts[n % len(texts)]} {n}", filters) for n in range(_SEARCHES)]
        figures.append(bench.measure(f"search{name}", works, connections=_CONNECTIONS, warm_up=_SEARCHES // 4)[0])
    dids = agents(_REGISTRATIONS, f"new at {size}")
    works = [_register(did, f"{texts[n % len(texts)]}, kind {n} of {size}") for n, did in enumerate(dids)]
    figures.append(bench.measure("register", works, connections=_CONNECTIONS, warm_up=_REGISTRATIONS // 4)[0])
    return figures


def _search(description: str, filters: Mapping[str, object]) -> Single:
    return post("/api/discovery/search", {"description": description, **filters})


def _register(did: str, description: str) -> Single:
    capability = {"description": description, "tags": ["made up"]}
    return post("/api/agents/register", {"address": {"did": did, "capabilities": [capability]}})
