"""The README's commands, run as they stand there against a real broker."""

import re
import shlex
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ainp.cli import COMMANDS, app
from support.reader import CURLRC, ROOT, Reader, blocks, steps
from support.serving import a_data_dir, serving

README = (ROOT / "README.md").read_text()


@pytest.mark.skipif(
    shutil.which("curl") is None, reason="curl is not installed, so the README's walk is not tested here"
)
def test_the_walk_through_the_api_works_as_it_is_written(tmp_path: Path) -> None:
    (tmp_path / ".curlrc").write_text(CURLRC)
    followed = list(steps(README))
    with a_data_dir() as data_dir, serving(data_dir) as broker:
        reader = Reader(broker, tmp_path)
        for command, expected in followed:
            reader.follow(command, expected)

        assert "[PoU Finalizer] Finalized task receipt" in broker.messages
        assert broker.end() == 0
    assert len(followed) > 10


MISSION = [
    "curl http://localhost:8080/api/receipts/{task_id}",
    "curl http://localhost:8080/api/receipts/{task_id}/committee",
    """\
curl -X POST http://localhost:8080/api/receipts/{task_id}/attestations \\
  -H "X-AINP-DID: {client_did}" \\
  -H "Content-Type: application/json" \\
  -d '{"type": "ACCEPTED", "score": 0.95, "confidence": 0.98}'""",
    """\
curl -X POST http://localhost:8080/api/receipts/{task_id}/attestations \\
  -H "X-AINP-DID: {committee_member_did}" \\
  -H "Content-Type: application/json" \\
  -d '{"type": "AUDIT_PASS", "score": 0.90, "confidence": 0.95}'""",
    "curl -X POST http://localhost:8080/api/receipts/{task_id}/finalize",
    "curl http://localhost:8080/api/reputation/{agent_did}",
]


@pytest.mark.parametrize("line", MISSION)
def test_the_checklist_s_own_lines_stand_in_it(line: str) -> None:
    assert f"\n{line}\n" in README


def test_every_make_target_it_names_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    named = set(
        re.findall(r"\bmake ([a-z-]+)", "\n".join([*blocks(README, "sh"), *re.findall(r"`([^`\n]+)`", README)]))
    )
    assert {"run", "test", "help"} <= named <= targets


def test_every_command_it_names_exists() -> None:
    shown = "\n".join([*blocks(README, "sh"), *re.findall(r"`([^`\n]+)`", README)])
    named = [shlex.split(line) for line in re.findall(r"\bainp ((?:[a-z]+ ?)+)", shown)]

    assert ["serve"] in named
    assert {*COMMANDS, "version"} >= {command[0] for command in named}
    for command in named:
        assert CliRunner().invoke(app, [*command, "--help"]).exit_code == 0
