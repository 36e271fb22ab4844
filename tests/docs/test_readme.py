"""The README's commands, run as they stand there against a real broker."""

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from ainp.cli import app
from support.serving import Served, a_data_dir, serving

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text()
EXPECTED = "# Expected: "
QUORUM = 3


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def steps() -> Iterator[tuple[str, str]]:
    """Every command (or loop of commands) with what is expected of its last answer."""
    for block in blocks("bash"):
        command = ""
        for line in block.splitlines(keepends=True):
            if line.startswith(EXPECTED):
                yield command.strip(), line.removeprefix(EXPECTED).strip()
                command = ""
            else:
                command += line
        assert not command.strip(), f"nothing is expected of {command}"


@dataclass
class Reader:
    """Somebody who follows the README and fills in what earlier answers said."""

    broker: Served
    home: Path
    known: dict[str, str] = field(
        default_factory=lambda: {"client_did": "did:key:client", "agent_did": "did:key:worker"}
    )
    committee: list[str] = field(default_factory=list)

    def follow(self, command: str, expected: str) -> None:
        """Run a command, for each of a quorum of members if it names one, and compare the answer."""
        members = self.committee[:QUORUM] if "{committee_member_did}" in command else [""]
        assert members
        for member in members:
            status, answer = self.run(command.replace("{committee_member_did}", member))
            self.learn(answer)
            compare(status, answer, expected)

    def run(self, command: str) -> tuple[int, Any]:
        """Do what a shell does with it; curl tells the status because its configuration says so."""
        for name, value in self.known.items():
            command = command.replace(f"{{{name}}}", value)
        assert not re.findall(r"\{\w+\}", command), f"nobody has said what to fill in: {command}"
        run = subprocess.run(
            ["bash", "-euc", command.replace("localhost:8080", f"localhost:{self.broker.port}")],
            env={"PATH": os.environ["PATH"], "CURL_HOME": str(self.home), "NO_PROXY": "*"},
            check=True,
            capture_output=True,
            text=True,
        )
        answer, status = run.stdout.strip().splitlines()[-2:]
        return int(status), json.loads(answer)

    def learn(self, answer: Any) -> None:  # noqa: ANN401 - any JSON
        if "terms_hash" in answer:
            self.known["id"] = answer["id"]
        if answer.get("task_id"):
            self.known["task_id"] = answer["task_id"]
        self.committee = answer.get("committee", self.committee)


def compare(status: int, answer: Any, expected: str) -> None:  # noqa: ANN401 - any JSON
    """Hold an answer against a status, a JSON object of members, or name=value pairs."""
    named = re.match(r"(\d{3}) [A-Z][A-Za-z]+(?:, )?", expected)
    assert status == (int(named[1]) if named else 200), answer
    rest = expected[named.end() :] if named else expected
    wanted = json.loads(rest) if rest.startswith("{") else dict(pairs(rest))
    for name, value in wanted.items():
        found = answer[name]
        if value == "...":
            assert found, name
        elif isinstance(value, dict):
            assert value.items() <= found.items(), name
        else:
            assert str(found).lower() == str(value).lower(), name


def pairs(text: str) -> Iterator[tuple[str, Any]]:
    for name, value in re.findall(r"(\w+)=(\{.*?\}|\[\.\.\.\]|[^,\s]+)", text):
        yield name, json.loads(value) if value.startswith("{") else value.strip("[]")


@pytest.mark.skipif(
    shutil.which("curl") is None, reason="curl is not installed, so the README's walk is not tested here"
)
def test_the_walk_through_the_api_works_as_it_is_written(tmp_path: Path) -> None:
    (tmp_path / ".curlrc").write_text('silent\nshow-error\nwrite-out = "\\n%{http_code}\\n"\n')
    followed = list(steps())
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

    named = set(re.findall(r"\bmake ([a-z-]+)", "\n".join([*blocks("sh"), *re.findall(r"`([^`\n]+)`", README)])))
    assert {"run", "test", "help"} <= named <= targets


def test_every_command_it_names_exists() -> None:
    shown = "\n".join([*blocks("sh"), *re.findall(r"`([^`\n]+)`", README)])
    named = [shlex.split(line) for line in re.findall(r"\bainp ((?:[a-z]+ ?)+)", shown)]

    assert ["serve"] in named
    assert set(get_command(app).commands) >= {command[0] for command in named}  # type: ignore[attr-defined]  # a group
    for command in named:
        assert CliRunner().invoke(app, [*command, "--help"]).exit_code == 0
