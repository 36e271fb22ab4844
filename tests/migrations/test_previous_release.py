"""The release before this one works on this one's schema, beside this one's brokers: an upgrade needs no pause."""

import io
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from ainp.cli import app
from support.builders import agents
from support.reader import ROOT
from support.serving import Served, a_data_dir, an_environment, serving

RELEASE = "v0.1.0"

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source of the release, as its tag has it."""
    packed = subprocess.run(["git", "archive", RELEASE, "src"], cwd=ROOT, check=False, capture_output=True, timeout=60)
    if packed.returncode:
        pytest.skip(f"git has no {RELEASE} here, so the release before this one is not tested: {packed.stderr!r}")
    folder = tmp_path_factory.mktemp(RELEASE)
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder / "src"


@contextmanager
def serving_release(source: Path, data_dir: Path, **environment: str) -> Iterator[Served]:
    """Run the release's `ainp serve` as `serving` runs this one's."""
    log = data_dir.with_name("release.log")
    given = {"PORT": "0", "AINP_DATA_DIR": str(data_dir), "PYTHONPATH": str(source), **environment}
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "ainp", "serve"],
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


def call(broker: Served, method: str, path: str, body: Mapping[str, Any] | None = None, *, by: str = "") -> Any:  # noqa: ANN401 - any JSON
    headers = {"X-AINP-DID": by} if by else {}
    answer = httpx.request(method, broker.url + path, json=body, headers=headers, timeout=30)
    assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
    return answer.json()


def play(first: Served, second: Served) -> Mapping[str, Any]:
    """A whole job, its steps asked of two brokers in turn; the receipt as it was finalized."""
    client, agent, *_ = dids = agents(8, "upgrade")
    for number, did in enumerate(dids):
        broker = (first, second)[number % 2]
        call(broker, "POST", "/api/agents/register", {"address": {"did": did, "capabilities": []}})
    offer = {"intent_id": "x", "initiator_did": client, "responder_did": agent, "initial_proposal": {"price": 100}}
    path = f"/api/negotiations/{call(first, 'POST', '/api/negotiations', offer)['id']}"
    terms = {"price": 90, "delivery_time": 60_000}
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


@pytest.mark.parametrize("order", ["release first", "this one first"])
def test_the_release_and_this_one_do_a_job_together_on_this_ones_schema(
    source: Path, database_url: str, order: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = {"DATABASE_URL": database_url, "POU_FINALIZER_ENABLED": "false"}
    with a_data_dir() as data_dir:
        data_dir.mkdir()
        with serving_release(source, data_dir, **shared) as release, serving(data_dir, user=None, **shared) as this:
            assert release.get("/health").json()["version"] == RELEASE.removeprefix("v")
            assert release.get("/health/ready").status_code == 200
            finalized = play(*((release, this) if order == "release first" else (this, release)))
            assert (release.end(), this.end()) == (0, 0)
    monkeypatch.setenv("DATABASE_URL", database_url)
    checked = CliRunner().invoke(app, ["fsck"])

    assert finalized["status"] == "finalized"
    assert checked.exit_code == 0, checked.output


def test_the_release_s_jobs_finish_what_this_one_left_open(source: Path, database_url: str) -> None:
    """The finalizer of the release decides a receipt that this one has settled and heard."""
    shared = {"DATABASE_URL": database_url}
    with a_data_dir() as data_dir:
        data_dir.mkdir()
        with serving(data_dir, user=None, **shared, POU_FINALIZER_ENABLED="false", JOBS_ENABLED="false") as this:
            dids = agents(8, "upgrade")
            for did in dids:
                call(this, "POST", "/api/agents/register", {"address": {"did": did, "capabilities": []}})
            offer = {"initiator_did": dids[0], "responder_did": dids[1], "initial_proposal": {"price": 100}}
            opened = call(this, "POST", "/api/negotiations", {"intent_id": "x", **offer})
            call(this, "POST", f"/api/negotiations/{opened['id']}/accept", {"acceptor_did": dids[1]})
            settled = call(this, "POST", f"/api/negotiations/{opened['id']}/settle", {}, by=dids[0])
            path = f"/api/receipts/{settled['task_id']}"
            for member in settled["receipt"]["committee"][:3]:
                said = {"type": "AUDIT_PASS", "score": 0.9, "confidence": 0.9}
                call(this, "POST", f"{path}/attestations", said, by=member)
            assert call(this, "GET", path)["status"] == "pending"
            assert this.end() == 0
        with serving_release(source, data_dir, **shared) as release:
            release.wait_for("[PoU Finalizer] Finalized task receipt")
            assert call(release, "GET", path)["status"] == "finalized"
            assert release.end() == 0
