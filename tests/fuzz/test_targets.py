"""The targets of `make fuzz` hold for what they begin with, and for some seconds of what is made of it."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from fuzz.seeds import seeds
from fuzz.targets import TARGETS

ROOT = Path(__file__).parents[2]
SEEDS = [pytest.param(name, seed, id=f"{name} {n}") for name, given in seeds().items() for n, seed in enumerate(given)]


@pytest.mark.parametrize(("name", "seed"), SEEDS)
def test_what_a_target_begins_with_holds_and_so_do_its_pieces(name: str, seed: bytes) -> None:
    for end in range(0, len(seed), 7):
        TARGETS[name](seed[:end])
    TARGETS[name](seed)


def test_every_target_has_something_to_begin_with() -> None:
    assert seeds().keys() == TARGETS.keys()


@pytest.mark.long
@pytest.mark.skipif(find_spec("atheris") is None, reason="atheris is not installed: `make fuzz` installs it")
def test_twenty_seconds_find_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "fuzz", "--seconds", str(20 // len(TARGETS)), "--folder", str(tmp_path)]

    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=300)

    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
