"""`python -m bench`, in a process of its own."""

import os
import subprocess
import sys

from support.reader import ROOT


def run(*options: str, module: str = "bench") -> "subprocess.CompletedProcess[str]":
    """Measure; *module* is the one of `bench` that does it."""
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "COLUMNS": "200"}
    command = [sys.executable, "-m", module, *options]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
