"""A process has files for the connections it may take, or says that it has not."""

import subprocess
import sys

PROGRAM = """
import resource, sys
soft, hard, wanted = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
from ainp.cli.server import admission
from ainp.settings import load_settings
taken = admission(load_settings(_env_file=None, max_connections=wanted))
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0], taken._most)
"""


def started(soft: int, hard: int, wanted: int) -> tuple[str, str]:
    """Open files and connections of a process that may have so many, and what it has logged."""
    arguments = [sys.executable, "-c", PROGRAM, *map(str, (soft, hard, wanted))]
    run = subprocess.run(arguments, capture_output=True, text=True, check=True)
    lines = run.stdout.splitlines()
    return lines[-1], "".join(lines[:-1]) + run.stderr


def test_a_process_takes_the_files_that_its_connections_need() -> None:
    found, said = started(300, 4000, 2000)

    assert found == "2220 2000"
    assert said == ""


def test_a_process_that_may_not_have_them_says_so_and_takes_fewer_connections() -> None:
    found, said = started(300, 1000, 2000)

    assert found == "1000 780"
    assert "MAX_CONNECTIONS=2000 needs 2220 open files" in said
