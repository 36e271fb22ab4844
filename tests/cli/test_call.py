"""`ainp call` and `ainp events`, against a broker in strict mode that they have to sign for."""

import asyncio
import json
import os
import pty
import re
import subprocess
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from ainp.cli import app
from ainp.client import Identity
from ainp.telemetry import configure_logging
from support.fixtures import module_database_url
from support.flaky import a_flaky_server, answer
from support.listening import a_telling_broker
from support.said import the_log_as_it_was
from support.serving import AINP, an_environment
from support.signing import ADMIN_TOKEN

__all__ = ["module_database_url"]

ME, OTHER = Identity.new(), Identity.new()
HERE = f'{{"did": "{ME.did}", "capabilities": ["translates"]}}'


@dataclass
class Shell:
    """Somebody with a key and a broker's address in the environment."""

    folder: Path
    url: str

    async def ainp(self, *command: str, stdin: str = "", **environment: str) -> Result:
        """Run a command; the broker goes on in this process meanwhile."""
        given = {"AINP_BASE_URL": self.url, "AINP_PRIVATE_KEY": ME.private_key, "TOKEN": ADMIN_TOKEN, **environment}
        run = partial(CliRunner().invoke, app, command, input=stdin, env={"COLUMNS": "200", **given})
        return await asyncio.to_thread(run)


@pytest.fixture(scope="module")
async def shell(
    module_database_url: str, anyio_backend: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Shell]:
    settings: dict[str, Any] = {"auth_mode": "strict", "initial_credits": 1000, "admin_token": ADMIN_TOKEN}
    with the_log_as_it_was():
        configure_logging("ERROR", stream=StringIO())  # else the broker logs to where the command prints
        async with a_telling_broker(module_database_url, **settings) as telling:
            shell = Shell(tmp_path_factory.mktemp("shell"), f"http://127.0.0.1:{telling.port}")
            assert (await shell.ainp("call", "POST", "/api/agents/register", "-d", HERE)).exit_code == 0
            yield shell


async def test_the_script_asks_and_is_answered(shell: Shell) -> None:
    environment = an_environment(AINP_BASE_URL=shell.url, AINP_PRIVATE_KEY=ME.private_key)
    run = partial(subprocess.run, env=environment, cwd=shell.folder, capture_output=True, text=True, check=False)
    done = await asyncio.to_thread(run, [AINP, "call", "GET", f"/api/credits/{ME.did}"])

    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["available"] == "1000"


async def test_an_answer_is_what_comes_out(shell: Shell) -> None:
    done = await shell.ainp("call", "get", f"/api/credits/{ME.did}")

    assert (done.exit_code, done.stderr) == (0, "")
    assert json.loads(done.stdout)["available"] == "1000"
    assert done.stdout.endswith("}\n")


async def test_a_refusal_comes_out_too_and_is_exit_code_1(shell: Shell) -> None:
    done = await shell.ainp("call", "GET", f"/api/credits/{ME.did}", AINP_PRIVATE_KEY=OTHER.private_key)

    assert (done.exit_code, done.stderr) == (1, "ainp call: 403 Forbidden\n")
    assert json.loads(done.stdout)["error"] == "FORBIDDEN"


async def test_without_a_key_it_asks_unsigned(shell: Shell) -> None:
    done = await shell.ainp("call", "POST", "/api/negotiations", "-d", "{}", AINP_PRIVATE_KEY="")

    assert done.exit_code == 1
    assert json.loads(done.stdout)["error"] in ("UNAUTHORIZED", "INVALID_REQUEST")


async def test_a_key_file_and_a_body_in_a_file_will_do(shell: Shell) -> None:
    OTHER.save(shell.folder / "other.key")
    (shell.folder / "body.json").write_text(HERE.replace(ME.did, OTHER.did))
    options = ["--key", str(shell.folder / "other.key"), "--idempotency-key", "k", "-i"]
    command = ["call", "POST", "/api/agents/register", *options]
    first = await shell.ainp(*command, "-d", f"@{shell.folder}/body.json")
    again = await shell.ainp(*command, "-d", "-", stdin=(shell.folder / "body.json").read_text())

    assert first.stdout.startswith("HTTP 200 OK\n")
    assert "\ncontent-type: application/json\n\n{" in first.stdout
    assert "idempotency-replayed: true" in again.stdout
    assert first.stdout.splitlines()[-1] == again.stdout.splitlines()[-1]


async def test_an_administrator_s_token_comes_from_a_variable(shell: Shell) -> None:
    body = json.dumps({"agent_did": ME.did, "amount": 0})
    done = await shell.ainp("call", "POST", "/api/credits/deposit", "-d", body, "--admin-token-env", "TOKEN")
    unset = await shell.ainp("call", "POST", "/", "--admin-token-env", "NO_TOKEN")

    assert json.loads(done.stdout)["error"] != "FORBIDDEN"
    assert (unset.exit_code, "NO_TOKEN is not set" in " ".join(unset.stderr.split())) == (2, True)


async def test_what_fails_for_a_moment_is_asked_again(shell: Shell) -> None:
    async with a_flaky_server([answer(503), answer(200, b'{"a": 1}')]) as server:
        done = await shell.ainp("call", "POST", "/x", "--url", server.url, "-H", "X-More: of it")

        assert (done.exit_code, done.stdout) == (0, '{"a": 1}\n')
        assert [asked.fields["x-more"] for asked in server.asked] == ["of it"] * 2


async def test_events_are_lines(shell: Shell) -> None:
    for _ in range(2):
        body = {"intent_id": "i", "responder_did": ME.did, "initial_proposal": {"price": 1}}
        offered = await shell.ainp(
            "call", "POST", "/api/negotiations", "-d", json.dumps(body), AINP_PRIVATE_KEY=OTHER.private_key
        )
        assert offered.exit_code == 0, offered
    done = await shell.ainp("events", "--since", "0", "--count", "2")

    assert (done.exit_code, done.stderr) == (0, "")
    assert [json.loads(line)["number"] for line in done.stdout.splitlines()] == [1, 2]


async def test_what_others_have_written_is_text_and_nothing_else(shell: Shell) -> None:
    """It turns no direction, moves no cursor and hides nothing; what reads JSON finds it as it was written."""
    odd = "pay \u202eeve\u202c \x9b2J\x1b[31m\u200b\u2028\u2066日本語 🙂"
    body = json.dumps({"intent_id": odd, "responder_did": ME.did, "initial_proposal": {"price": 1}})
    asked = await shell.ainp("call", "POST", "/api/negotiations", "-d", body, AINP_PRIVATE_KEY=OTHER.private_key)
    number = len(json.loads((await shell.ainp("call", "GET", f"/api/negotiations?agent_did={ME.did}")).stdout))
    told = await shell.ainp("events", "--since", str(number - 1), "--count", "1")
    shown = await asyncio.to_thread(on_a_terminal, shell, f"/api/negotiations/{json.loads(asked.stdout)['id']}")

    for said in (asked.stdout, told.stdout, shown):
        assert "日本語 🙂" in said
        assert r"pay \u202eeve\u202c \u009b2J" in said
        assert all(character.isprintable() or character in "\n\r" for character in plain(said)), said
    assert json.loads(asked.stdout)["intent_id"] == odd
    assert json.loads(plain(shown))["intent_id"] == odd


def on_a_terminal(shell: Shell, path: str) -> str:
    """What `ainp call` shows of *path* to somebody who looks at it."""
    ours, its = pty.openpty()
    environment = an_environment(AINP_BASE_URL=shell.url, AINP_PRIVATE_KEY=ME.private_key, TERM="xterm")
    subprocess.run([AINP, "call", "GET", path], env=environment, stdout=its, check=True, timeout=60)
    os.close(its)
    shown = b""
    with suppress(OSError):  # how a terminal that nobody has open any more ends
        while more := os.read(ours, 65536):
            shown += more
    os.close(ours)
    return shown.decode()


def plain(shown: str) -> str:
    """The same without the command's own colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", shown)


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        (["call", "GET", "/", "--url", "http://127.0.0.1:1"], "ainp call: no answer from http://127.0.0.1:1: "),
        (["call", "GET", "/", "--url", "nowhere"], "ainp call: found 'nowhere', expected a broker's address"),
        (["call", "GET", "/", "--key", "none.key"], "ainp call: none.key can't be read: No such file or directory"),
        (["events", "--url", "http://127.0.0.1:1"], "ainp events: no socket at http://127.0.0.1:1: "),
    ],
)
async def test_what_can_not_be_asked_is_said_in_one_line(shell: Shell, command: list[str], complaint: str) -> None:
    done = await shell.ainp(*command)

    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith(complaint)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["BREW", "/"], "METHOD: found 'BREW'"),
        (["GET", "api"], "PATH: found 'api'"),
        (["POST", "/", "-d", "{"], "--data: not JSON"),
        (["POST", "/", "-d", "@none"], "--data: none can't be read"),
        (["POST", "/", "-H", "nonsense"], "--header: found 'nonsense'"),
    ],
)
def test_a_wrong_command_line_says_what_was_expected(options: list[str], complaint: str) -> None:
    done = CliRunner().invoke(app, ["call", *options], env={"COLUMNS": "200"})

    assert (done.exit_code, done.stdout) == (2, "")
    assert complaint in done.stderr
