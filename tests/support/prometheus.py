"""Prometheus' own tool, which says whether rules and configurations are right."""

import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from support.debian import unpacked


def promtool(*arguments: str | Path) -> str:
    """What it says to *arguments*; the test is skipped where there is none."""
    program = _program()
    if program is None:
        pytest.skip("NO PROMTOOL: alert rules are NOT TESTED; install prometheus")
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said


@cache
def _program() -> str | None:
    installed = shutil.which("promtool")
    if installed is not None:
        return installed
    place = unpacked("prometheus", "prometheus")
    return None if place is None else str(place / "usr" / "bin" / "promtool")
