"""`ainp demo` the way somebody who looks at the project runs it."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ainp.cli.demo.broker import NotStarted, a_broker
from ainp.cli.demo.checks import CLAIMS, STRICT_CLAIMS
from support.database import a_folder
from support.serving import AINP, an_environment, commands_on, run_ainp, wait_until

FOREIGN = {  # what somebody else's broker is told in the same shell
    "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
    "AINP_ENV": "production",
    "POU_K": "1",
    "HTTP_PROXY": "http://127.0.0.1:1",
    "AUTH_MODE": "strict",
}


@contextmanager
def a_place() -> Iterator[tuple[Path, dict[str, str]]]:
    """Where the demo makes its folder, with a shell's variables; afterwards nothing may be there or run there."""
    with a_folder() as folder:
        (folder / ".env").write_text("POU_K=2\nDATABASE_URL=postgresql://nobody@127.0.0.1:1/none\n")
        temporary = folder / "t"
        temporary.mkdir(mode=0o711)
        yield temporary, {**FOREIGN, "TMPDIR": str(temporary), "AINP_DATA_DIR": str(folder / "mine")}
        assert list(temporary.iterdir()) == []
        wait_until(lambda: commands_on(temporary) == [])  # what made the database ends with its folder
        assert not (folder / "mine").exists()


@pytest.mark.parametrize(
    ("options", "lines"),
    [
        ([], ["status finalized", "quorum 3 of 5 seats", "together 11,000 11,000 0", "worker 1,000 1,070 +70"]),
        (
            ["--fail", "--auth-mode", "strict"],
            [
                "status failed, because of verdicts",
                "reliability 0.500000 0.000000",
                "believes nothing that is not signed",
            ],
        ),
        (["--silent"], ["status finalized", "extended 8 seats", "quorum 3 of 5 seats, extended to 8"]),
    ],
    ids=["finalizes", "fails in strict mode", "is extended"],
)
def test_a_job_is_played_to_its_end_and_all_of_it_is_checked(options: list[str], lines: list[str]) -> None:
    with a_place() as (temporary, environment):
        run = run_ainp(temporary.parent, "demo", *options, **environment)
        said = " ".join(run.stdout.split())

        assert (run.returncode, run.stderr) == (0, "")
        assert run.stdout.count("\n   yes ") == len(STRICT_CLAIMS if "strict" in options else CLAIMS)
        for line in lines:
            assert line in said
        assert all(character.isprintable() or character == "\n" for character in run.stdout)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_nothing_is_left_of_it_when_it_is_interrupted(how: signal.Signals) -> None:
    until = "agents" if how is signal.SIGINT else "AINP demo"  # in the story, and while the broker starts
    with a_place() as (temporary, environment):
        demo = subprocess.Popen(
            [AINP, "demo"],
            cwd=temporary.parent,
            env=an_environment(**environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert demo.stdout is not None
        next(line for line in demo.stdout if until in line)
        while not list(temporary.iterdir()):
            time.sleep(0.01)
        os.killpg(demo.pid, how)
        _, complaint = demo.communicate(timeout=60)

    assert (demo.returncode, complaint) == (130, "ainp demo: interrupted; its broker has ended\n")


def test_a_broker_that_does_not_start_is_reported_in_its_own_words() -> None:
    with pytest.raises(NotStarted, match=r"ended with 2; it said:\n.*POU_K=9 is more than POU_M=5"):
        a_broker({"POU_K": "9"}, keep=False).__enter__()


def test_two_jobs_at_once_are_a_wrong_command_line(tmp_path: Path) -> None:
    run = run_ainp(tmp_path, "demo", "--fail", "--silent")

    assert run.returncode == 2
    assert "--fail and --silent" in run.stderr
