"""`make bench` runs; what it measures is nobody's business here."""

import json
import os
import subprocess
import sys
from pathlib import Path

from bench.__main__ import NAMES
from bench.measure import Figure
from support.reader import ROOT

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
    ("finalize", 1),
    ("judge", 1),
}


def run(*options: str) -> "subprocess.CompletedProcess[str]":
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "COLUMNS": "200"}
    command = [sys.executable, "-m", "bench", *options]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


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
