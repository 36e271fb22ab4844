"""Somebody who follows a page of the documentation: runs its commands, and holds the answers against what it says."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.serving import Served

ROOT = Path(__file__).parent.parent.parent
EXPECTED = "# Expected: "
QUORUM = 3
CURLRC = 'silent\nshow-error\nwrite-out = "\\n%{http_code}\\n"\n'


def blocks(text: str, language: str) -> list[str]:
    """The code blocks of a page in *language*."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def steps(text: str) -> Iterator[tuple[str, str]]:
    """Every command (or loop of commands) with what is expected of its last answer."""
    for block in blocks(text, "bash"):
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
    passes: int = QUORUM

    def follow(self, command: str, expected: str) -> None:
        """Run a command, for each of a quorum of members if it names one, and compare the answer."""
        members = self.committee[: self.passes] if "{committee_member_did}" in command else [""]
        assert members
        for member in members:
            status, answer = self.run(command.replace("{committee_member_did}", member))
            self.learn(answer)
            compare(status, answer, expected)

    def run(self, command: str) -> tuple[int, Any]:
        """Ask the broker; curl tells the status because its configuration says so. Of a list the first is meant."""
        answer, status = self.shell(command, home=self.home).strip().splitlines()[-2:]
        found = json.loads(answer)
        return int(status), found[0] if isinstance(found, list) else found

    def shell(self, command: str, *, home: Path) -> str:
        """Fill in what is known, and do what a shell does with it."""
        for name, value in self.known.items():
            command = command.replace(f"{{{name}}}", value)
        assert not re.findall(r"\{\w+\}", command), f"nobody has said what to fill in: {command}"
        return subprocess.run(
            ["bash", "-eu", "-o", "pipefail", "-c", command.replace("localhost:8080", f"localhost:{self.broker.port}")],
            env={"PATH": os.environ["PATH"], "CURL_HOME": str(home), "NO_PROXY": "*"},
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    def learn(self, answer: Any) -> None:  # noqa: ANN401 - any JSON
        if "terms_hash" in answer:
            self.known["id"] = answer["id"]
        if answer.get("task_id"):
            self.known["task_id"] = answer["task_id"]
        self.known |= {name: answer[name] for name in ("request_id", "provider_id") if answer.get(name)}
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
