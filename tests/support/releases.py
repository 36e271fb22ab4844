"""Releases of the broker as they are installed: an earlier one from its tag, this one from its wheel."""

import io
import subprocess
import sys
import tarfile
import venv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.builders import agents
from support.reader import ROOT
from support.serving import Served, an_environment

EARLIER = "v0.1.0"


def earlier_source(folder: Path) -> Path:
    """The source of the earlier release, as its tag has it."""
    packed = subprocess.run(["git", "archive", EARLIER, "src"], cwd=ROOT, check=False, capture_output=True, timeout=60)
    if packed.returncode:
        pytest.skip(f"git has no {EARLIER} here, so the release before this one is not tested: {packed.stderr!r}")
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder / "src"


def installed_wheel(folder: Path) -> Path:
    """
    `ainp` from a wheel that is built here, in an empty environment of its own.

    It gets what the lock names for a server, and PostgreSQL as the wheel's own extra asks for it.
    """
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    build = [*pip, "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(folder), str(ROOT)]
    subprocess.run(build, check=True, timeout=300)
    place = folder / "venv"
    venv.create(place)
    (wheel,) = folder.glob("*.whl")
    install = [*pip, "--python", str(place / "bin" / "python"), "install", "-q"]
    locked = ["--require-hashes", "--requirement", str(ROOT / "requirements" / "server.txt")]
    subprocess.run([*install, *locked], check=True, timeout=300)
    subprocess.run([*install, f"{wheel}[server,embedded]"], check=True, timeout=300)
    return place / "bin" / "ainp"


@contextmanager
def serving_with(command: list[str], data_dir: Path, **environment: str) -> Iterator[Served]:
    """Run a release's `ainp serve` as `support.serving` runs the one under test."""
    log = data_dir.with_name("release.log")
    given = {"PORT": "0", "AINP_DATA_DIR": str(data_dir), **environment}
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            cwd=data_dir.parent,
            env=an_environment(**given),
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield Served(process, log, data_dir)
    finally:
        process.kill()
        process.wait()


@contextmanager
def serving_earlier(source: Path, data_dir: Path, **environment: str) -> Iterator[Served]:
    """Run the earlier release."""
    command = [sys.executable, "-P", "-m", "ainp", "serve"]
    with serving_with(command, data_dir, PYTHONPATH=str(source), **environment) as served:
        yield served


def call(broker: Served, method: str, path: str, body: Mapping[str, Any] | None = None, *, by: str = "") -> Any:  # noqa: ANN401 - any JSON
    """Ask a broker in compat mode, and expect it to agree."""
    headers = {"X-AINP-DID": by} if by else {}
    answer = httpx.request(method, broker.url + path, json=body, headers=headers, timeout=30)
    assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
    return answer.json()


def register(*brokers: Served) -> list[str]:
    """Eight agents, with the brokers in turn."""
    dids: list[str] = [*agents(8, "release")]
    for number, did in enumerate(dids):
        broker = brokers[number % len(brokers)]
        call(broker, "POST", "/api/agents/register", {"address": {"did": did, "capabilities": []}})
    return dids


def play(first: Served, second: Served, dids: Sequence[str]) -> Mapping[str, Any]:
    """A whole job, its steps asked of two brokers in turn; the receipt as it was finalized."""
    client, agent, *_ = dids
    offer = {"intent_id": "x", "initiator_did": client, "responder_did": agent, "initial_proposal": {"price": 10}}
    path = f"/api/negotiations/{call(first, 'POST', '/api/negotiations', offer)['id']}"
    terms = {"price": 9, "delivery_time": 60_000}
    call(second, "POST", f"{path}/propose", {"proposer_did": agent, "proposal": terms})
    call(first, "POST", f"{path}/accept", {"acceptor_did": client})
    settled = call(second, "POST", f"{path}/settle", {}, by=client)
    task = f"/api/receipts/{settled['task_id']}"
    call(first, "POST", f"{task}/attestations", {"type": "ACCEPTED", "score": 0.9, "confidence": 0.9}, by=client)
    for number, member in enumerate(settled["receipt"]["committee"]):
        said = {"type": "AUDIT_PASS", "score": 0.9, "confidence": 0.9}
        call((second, first)[number % 2], "POST", f"{task}/attestations", said, by=member)
    call(first, "POST", f"{task}/finalize")
    found: Mapping[str, Any] = call(second, "GET", task)
    return found
