"""What this machine can do at most: requests that do nothing, and commits of a single row."""

import re
import resource
import subprocess
import sys
import time
from pathlib import Path

from ainp.store.postgres_home import find_home, sockets_of
from bench import processes
from bench.broker import a_free_port, wait_for
from bench.client import BenchError
from bench.measure import Bench, Figure, percentile
from bench.requests import get

_CONNECTIONS = 16
_SQL = Path(__file__).parent / "sql"


def empty_request(bench: Bench, folder: Path, count: int) -> Figure:
    """The broker's server around a handler that does nothing."""
    port = a_free_port()
    with subprocess.Popen([sys.executable, "-m", "bench.empty", str(port)], cwd=Path(__file__).parent.parent) as server:
        try:
            wait_for(server, port, folder / "none")
            _ask_for_nothing(bench, server.pid, port, count // 10)
            return _ask_for_nothing(bench, server.pid, port, count)
        finally:
            server.kill()


def _ask_for_nothing(bench: Bench, pid: int, port: int, count: int) -> Figure:
    bench.clients.prepare(port, [get("/")] * count, connections=_CONNECTIONS, keep=False)
    machine, before = processes.machine(), processes.cpu_s([pid])
    outcome = bench.clients.go()
    spent = processes.cpu_s([pid]) - before
    busy = processes.machine().busy_s - machine.busy_s
    seconds = outcome.ended - outcome.began
    latencies = sorted(outcome.latencies_s)
    return Figure(
        name="empty-request",
        count=count,
        connections=_CONNECTIONS,
        seconds=seconds,
        p50=1000 * percentile(latencies, 0.50),
        p95=1000 * percentile(latencies, 0.95),
        p99=1000 * percentile(latencies, 0.99),
        broker=1000 * spent / count,
        postgres=0.0,
        client=1000 * outcome.cpu_s / count,
        others=max(0.0, (busy - spent - outcome.cpu_s) / seconds),
    )


def single_row_commits(bench: Bench, folder: Path, count: int) -> Figure:
    """Durable commits on the broker's own PostgreSQL, in a database of their own; the client is pgbench."""
    served = bench.served
    bench.ask("CREATE DATABASE bench")
    program = find_home(served.data_dir).program("pgbench")
    where = ["-h", str(sockets_of(served.data_dir)), "-p", "5432", "-U", "ainp"]
    logged = folder / "pgbench"
    create = [program, *where, "-n", "-t", "1", "-f", str(_SQL / "create_rows.sql"), "bench"]
    subprocess.run(create, check=True, capture_output=True, cwd=folder)
    each = count // _CONNECTIONS
    insert = [program, *where, "-n", "-M", "prepared", "-c", str(_CONNECTIONS), "-t", str(each)]
    insert += ["-f", str(_SQL / "insert_row.sql"), "-l", "--log-prefix", str(logged), "bench"]
    machine, before, client = processes.machine(), served.cost(), resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    ran = subprocess.run(insert, check=True, capture_output=True, text=True, cwd=folder)
    seconds = time.monotonic() - began
    after, busy = served.cost(), processes.machine().busy_s - machine.busy_s
    spent = _children_s() - client.ru_utime - client.ru_stime
    bench.ask("DROP DATABASE bench")
    found = re.search(r"^tps = ([\d.]+)", ran.stdout, re.MULTILINE)
    if found is None:
        raise BenchError(f"pgbench said {ran.stdout}")
    count = each * _CONNECTIONS
    latencies = sorted(
        int(line.split()[2]) / 1e6 for path in folder.glob("pgbench.*") for line in path.read_text().splitlines()
    )
    return Figure(
        name="single-row-commit",
        count=count,
        connections=_CONNECTIONS,
        seconds=count / float(found[1]),
        p50=1000 * percentile(latencies, 0.50),
        p95=1000 * percentile(latencies, 0.95),
        p99=1000 * percentile(latencies, 0.99),
        broker=0.0,
        postgres=1000 * (after.postgres_s - before.postgres_s) / count,
        client=1000 * spent / count,
        others=max(0.0, (busy - spent - (after.postgres_s - before.postgres_s)) / seconds),
    )


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
