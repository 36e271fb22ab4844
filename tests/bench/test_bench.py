"""`make bench` runs; what it measures is nobody's business here."""

import json
import re
from pathlib import Path

import pytest

from ainp.http.routes import ROUTES
from bench.__main__ import NAMES
from bench.measure import Figure
from support.measuring import run

LINES = {
    ("empty-request", 16),
    ("single-row-commit", 16),
    ("health", 16),
    ("flow", 16),
    *((step, connections) for step in ("initiate", "propose", "accept", "settle") for connections in (16, 64)),
    ("attest-extra", 16),
    ("attest-verdict", 16),
    ("attest-quorum", 16),
    ("receipt", 16),
    *((f"{what}-{how}", 16) for what in ("initiate", "attest") for how in ("believed", "signed")),
    ("intent", 64),
    ("intent-delivered", 8),
    ("finalize", 1),
    ("judge", 1),
}
NOT_ASKED = {"GET /health/detailed", "GET /metrics"}  # /health/ready by another name; what no agent asks for
# Receipts, and who trades, are not in their tables; discovery has a measurement of its own.
APART = re.compile(
    r"/api/(discovery|agents/discovery|intents|mail|contacts|groups|memories|payments|dev|admin|usefulness/aggregate"
    r"|stakes/(un|cancel-un)stake)(/|$)"
)


def test_a_quick_run_measures_everything_and_says_so(tmp_path: Path) -> None:
    done = run("--quick", "--json", str(tmp_path / "figures.json"))

    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "figures.json").read_text())
    assert {(figure["name"], figure["connections"]) for figure in found["figures"]} == LINES
    assert {name for name, _ in LINES} <= set(done.stdout.split())
    keys = {*Figure.__dataclass_fields__, "rate", "cpu", "limit_cpu", "known"}
    assert all(figure.keys() == keys and figure["rate"] > 0 for figure in found["figures"])
    head = {"cpu", "cores", "python", "revision", "load", "busy before", "server_version", "fsync", "shared_buffers"}
    assert head <= found["header"].keys()
    assert {"first start, s", "start, s"} <= found["facts"].keys()


def test_what_does_not_exist_is_not_measured() -> None:
    done = run("--only", "settle,love")

    assert done.returncode == 1
    assert done.stderr == f"unknown: love; there are {', '.join(NAMES)}\n"


@pytest.mark.long
def test_adding_up_proofs_and_paying_an_hour_are_measured() -> None:
    done = run("--agents", "20", "--proofs", "100", module="bench.aggregation")

    assert done.returncode == 0, done.stderr
    assert "100 proofs of 20 agents, 3: " in done.stdout
    assert "20 rewarded" in done.stdout


@pytest.mark.long
def test_starts_and_idle_memory_are_measured(tmp_path: Path) -> None:
    options = ("--agents", "10,20", "--times", "1", "--idle", "0", "--json", str(tmp_path / "starting.json"))
    done = run(*options, module="bench.starting")

    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "starting.json").read_text())["found"]
    assert [(each["agents"], len(each["starts"])) for each in found] == [(10, 2), (20, 2)]
    assert all(held > 10 for each in found for held in each["held"].values())


@pytest.mark.long
@pytest.mark.timeout(600)
def test_growth_is_measured_for_every_route(tmp_path: Path) -> None:
    options = ("--quick", "--receipts", "2000", "--agents", "300", "--json", str(tmp_path / "growth.json"))
    done = run(*options, module="bench.growth")

    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "growth.json").read_text())
    asked = {cost["name"].split(",")[0].split("?")[0] for cost in found["costs"]}
    routes = {f"{route.method} {route.path}" for route in ROUTES if not APART.match(route.path)}
    assert routes - asked <= NOT_ASKED
    assert all(cost["before"] > 0 and cost["after"] > 0 for cost in found["costs"])
    assert [plan for plans in found["plans"].values() for plan in plans if plan["scans"]]
