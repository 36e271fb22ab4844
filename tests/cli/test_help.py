"""What the command says of itself, and its exit codes."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner, Result

from ainp import __version__
from ainp.cli import app
from support.serving import AINP

COMMANDS = {"serve", "work", "demo", "call", "events", "migrate", "keys", "fsck", "stakes", "slash", "audit", "version"}
COMMANDS |= {"settings", "backup", "restore", "receipts", "quorum"}
COMMANDS |= {"doctor"}


def ainp(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments), env={"COLUMNS": "100", "NO_COLOR": "1"})


def commands_of(shown: str) -> set[str]:
    rows = (line.strip("│ ").split() for line in shown.split("Commands")[1].splitlines() if line.startswith("│"))
    return {row[0] for row in rows if row and row[0].islower()}


def test_help_lists_the_commands() -> None:
    result = ainp("--help")

    assert result.exit_code == 0
    assert commands_of(result.stdout) >= COMMANDS
    assert "process" not in commands_of(result.stdout)  # that is between the broker and its processes


def test_without_a_command_it_shows_the_help() -> None:
    assert ainp().exit_code == 2
    assert "Commands" in ainp().output


@pytest.mark.parametrize(
    ("group", "commands"), [("migrate", {"up", "down", "status"}), ("keys", {"new", "show"})], ids=["migrate", "keys"]
)
def test_a_group_lists_its_commands(group: str, commands: set[str]) -> None:
    shown = ainp(group, "--help").stdout

    assert commands_of(shown) == commands
    assert "completion" not in shown


@pytest.mark.parametrize(
    "command",
    [
        ["serve"],
        ["work"],
        ["demo"],
        ["call"],
        ["events"],
        ["doctor"],
        ["fsck"],
        ["stakes"],
        ["audit"],
        ["settings"],
        ["backup"],
        ["restore"],
        ["receipts", "stuck"],
        ["receipts", "show"],
        ["quorum", "advise"],
        ["migrate", "up"],
        ["migrate", "down"],
        ["keys", "new"],
        ["keys", "show"],
    ],
)
def test_every_command_explains_itself(command: list[str]) -> None:
    result = ainp(*command, "--help")
    explained = result.stdout.split("Options")[0].split("...")[-1].split("[OPTIONS]")[-1].strip()

    assert result.exit_code == 0
    assert next(word for word in explained.split() if not word.strip("[]").isupper()).istitle()  # behind the arguments


@pytest.mark.parametrize(
    "wrong", [["nonsense"], ["serve", "--nonsense"], ["serve", "--port", "many"], ["migrate", "down"]]
)
def test_a_wrong_command_line_is_exit_code_2(wrong: list[str]) -> None:
    result = ainp(*wrong)

    assert (result.exit_code, result.stdout) == (2, "")
    assert "Usage: " in result.stderr


def test_the_version_is_a_command_and_an_option() -> None:
    assert ainp("version").stdout == ainp("--version").stdout == f"{__version__}\n"


def test_the_installed_script_is_this_command() -> None:
    run = subprocess.run([AINP, "version"], check=True, capture_output=True, text=True)

    assert run.stdout == f"{__version__}\n"


def test_without_the_servers_parts_it_says_what_to_install() -> None:
    hidden = "import sys; sys.modules['typer'] = None; from ainp.__main__ import main; main()"

    done = subprocess.run([sys.executable, "-c", hidden], capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert done.stderr == "ainp: typer is not installed; the command needs: pip install 'ainp[server]'\n"
