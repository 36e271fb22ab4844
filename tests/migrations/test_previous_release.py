"""The release before this one works on this one's schema, beside this one's brokers: an upgrade needs no pause."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from ainp.cli import app
from support.releases import EARLIER, call, earlier_source, play, register, serving_earlier
from support.serving import a_data_dir, serving

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return earlier_source(tmp_path_factory.mktemp(EARLIER))


@pytest.mark.parametrize("order", ["earlier first", "this one first"])
def test_the_release_and_this_one_do_a_job_together_on_this_ones_schema(
    source: Path, database_url: str, order: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = {"DATABASE_URL": database_url, "POU_FINALIZER_ENABLED": "false"}
    with a_data_dir() as data_dir:
        data_dir.mkdir()
        with serving_earlier(source, data_dir, **shared) as earlier, serving(data_dir, user=None, **shared) as this:
            assert earlier.get("/health").json()["version"] == EARLIER.removeprefix("v")
            assert earlier.get("/health/ready").status_code == 200
            brokers = (earlier, this) if order == "earlier first" else (this, earlier)
            finalized = play(*brokers, register(*brokers))
            assert (earlier.end(), this.end()) == (0, 0)
    monkeypatch.setenv("DATABASE_URL", database_url)
    checked = CliRunner().invoke(app, ["fsck"])

    assert finalized["status"] == "finalized"
    assert checked.exit_code == 0, checked.output


def test_the_release_s_jobs_finish_what_this_one_left_open(source: Path, database_url: str) -> None:
    """The finalizer of the release decides a receipt that this one has settled and heard."""
    shared = {"DATABASE_URL": database_url}
    idle = {"POU_FINALIZER_ENABLED": "false", "JOBS_ENABLED": "false"}
    with a_data_dir() as data_dir:
        data_dir.mkdir()
        with serving(data_dir, user=None, **shared, **idle) as this:
            client, agent, *_ = register(this)
            offer = {"initiator_did": client, "responder_did": agent, "initial_proposal": {"price": 100}}
            opened = call(this, "POST", "/api/negotiations", {"intent_id": "x", **offer})
            call(this, "POST", f"/api/negotiations/{opened['id']}/accept", {"acceptor_did": agent})
            settled = call(this, "POST", f"/api/negotiations/{opened['id']}/settle", {}, by=client)
            path = f"/api/receipts/{settled['task_id']}"
            for member in settled["receipt"]["committee"][:3]:
                said = {"type": "AUDIT_PASS", "score": 0.9, "confidence": 0.9}
                call(this, "POST", f"{path}/attestations", said, by=member)
            assert call(this, "GET", path)["status"] == "pending"
            assert this.end() == 0
        with serving_earlier(source, data_dir, **shared) as release:
            release.wait_for("[PoU Finalizer] Finalized task receipt")
            assert call(release, "GET", path)["status"] == "finalized"
            assert release.end() == 0
