"""
The plans of the statements behind a request, as the server makes them.

For one request the server logs its statements with their parameters; each is then explained with these in a session
that has the broker's settings, and rolled back. A statement that only reads has run often enough by then to have the
plan it will keep; one that writes is explained with its generic plan.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from ainp.store.db import Database
from bench.client import BenchError, Single
from bench.measure import Bench

BIG = frozenset(
    {
        "agents",
        "negotiations",
        "task_receipts",
        "task_attestations",
        "ledger_entries",
        "accounts",
        "reputation_observations",
        "reputation_clients",
    }
)
_MOST_ROWS = 1000  # that one node of a plan may touch; a page has 200 at most
_EXECUTED = re.compile(
    r" LOG:  execute [^:\n]*: (?P<sql>.*?)(?=^\d{4}-)(?:[^\n]* DETAIL:  Parameters: (?P<given>[^\n]*))?",
    re.MULTILINE | re.DOTALL,
)
_PARAMETER = re.compile(r"\$\d+ = (NULL|'(?:[^']|'')*')")
_RUNS_BEFORE = 6  # after five the server may take a generic plan


@dataclass(frozen=True, slots=True)
class Plan:
    """How one statement is done."""

    statement: str
    scans: Sequence[str]
    rows: float  # of a big table, the most that one node touched
    buffers: int
    milliseconds: float

    @property
    def bad(self) -> bool:
        """Whether it reads a whole table, or more than a page needs."""
        return self.rows > _MOST_ROWS or any(
            scan.startswith("Seq Scan") and scan.rpartition(" ")[2] in BIG for scan in self.scans
        )


def of(bench: Bench, work: Single) -> tuple[Sequence[Plan], bytes]:
    """The plans of what *work* runs, and its answer."""
    log = bench.served.data_dir / "postgres.log"
    _log_statements(bench, "all")
    begin = log.stat().st_size
    (answer,) = bench.run([work], connections=1, keep=True)
    _log_statements(bench, "none")
    text = _tail(log, begin) + "0000-"
    found = [(each["sql"].strip(), _PARAMETER.findall(each["given"] or "")) for each in _EXECUTED.finditer(text)]
    return [explain(bench, sql, given) for sql, given in found if not _private(sql)], answer


def explain(bench: Bench, sql: str, given: Sequence[str]) -> Plan:
    """Explain one statement with its parameters."""
    bound = f"({', '.join(given)})" if given else ""
    reads = re.match(r"(--[^\n]*\n\s*)*SELECT", sql) is not None and "FOR UPDATE" not in sql
    bench.do(f"PREPARE looked_at AS {sql}")
    try:
        said = _explained(bench, f"EXECUTE looked_at{bound}", reads=reads)
    finally:
        bench.do("DEALLOCATE looked_at")
    (top,) = msgspec.json.decode(said)
    nodes = list(_nodes(top["Plan"]))
    scans = [_shown(node) for node in nodes if "Relation Name" in node or "Index Name" in node]
    buffers = top["Plan"].get("Shared Hit Blocks", 0) + top["Plan"].get("Shared Read Blocks", 0)
    rows = max((_touched(node) for node in nodes if node.get("Relation Name") in BIG), default=0)
    shown = " ".join(line for line in sql.split("\n") if not line.strip().startswith("--"))
    return Plan(" ".join(shown.split())[:100], scans, rows, buffers, top.get("Execution Time", 0.0))


def _explained(bench: Bench, execute: str, *, reads: bool) -> str:
    """The server's answer; what was written already can't be run again, then the plan alone has to do."""
    for how in ("ANALYZE, BUFFERS", "ANALYZE false"):
        bench.do("BEGIN")
        try:
            for name, value in _session(bench.served.dsn).items():
                bench.do(f"SET LOCAL {name} = '{value}'")
            if reads:
                for _ in range(_RUNS_BEFORE):
                    bench.do(execute)
            else:
                bench.do("SET LOCAL plan_cache_mode = force_generic_plan")
            return str(bench.ask(f"EXPLAIN ({how}, FORMAT JSON) {execute}"))
        except asyncpg.IntegrityConstraintViolationError:
            continue
        finally:
            bench.do("ROLLBACK")
    raise BenchError(f"can't explain {execute}")


@cache
def _session(dsn: str) -> Mapping[str, str]:
    """What the broker sets in its sessions: some of it decides about plans."""
    return asyncio.run(_settings_of_a_session(dsn))


async def _settings_of_a_session(dsn: str) -> Mapping[str, str]:
    database = Database(dsn, size=1)
    await database.open()
    try:
        rows = await database.fetch("SELECT name, setting FROM pg_settings WHERE source = 'client'")
    finally:
        await database.close()
    return {row["name"]: row["setting"] for row in rows}


def _private(sql: str) -> bool:
    """What is not of the request: savepoints, the logging itself."""
    return re.match(r"(BEGIN|COMMIT|ROLLBACK|SAVEPOINT|RELEASE|SET|SHOW|ALTER|LISTEN|NOTIFY)\b", sql) is not None


def _nodes(node: dict[str, Any]) -> Sequence[dict[str, Any]]:
    return [node, *(below for child in node.get("Plans", ()) for below in _nodes(child))]


def _touched(node: dict[str, Any]) -> float:
    """Rows of all its loops, those included that it threw away."""
    thrown: float = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
    return float((node.get("Actual Rows", 0) + thrown) * node.get("Actual Loops", 1))


def _shown(node: dict[str, Any]) -> str:
    index = f" {node['Index Name']}" if "Index Name" in node else ""
    return f"{node['Node Type']}{index} on {node.get('Relation Name', '')}".strip()


def _log_statements(bench: Bench, which: str) -> None:
    bench.do(f"ALTER SYSTEM SET log_statement = '{which}'")
    bench.do("SELECT pg_reload_conf()")
    while bench.ask("SHOW log_statement") != which:
        bench.do("SELECT pg_sleep(0.01)")
    bench.do("SELECT pg_sleep(0.05)")  # until the broker's connections have heard of it, too


def _tail(path: Path, begin: int) -> str:
    with path.open("rb") as file:
        file.seek(begin)
        return file.read().decode(errors="replace")
